package fallback

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// pool splits loops over goroutines. They are started by the first loop of a run
// and end with it (rest); between two loops they wait, at first by looking
// again and again, since the next loop is mostly some microseconds away, then
// asleep. Nothing is left, and nothing spins, between runs.
//
// Loops of a pool run one after another; one that is begun inside another runs
// on its caller's goroutine.
type pool struct {
	threads int
	// done ends loops early, leaving indices out; nil for never.
	done <-chan struct{}
	// cpus are the CPUs that loops run on, nil for any.
	cpus  []int
	unpin func() // of the caller's goroutine

	// The loop in progress.
	body  func(i int)
	count int64
	next  atomic.Int64
	// state is the number of the loop (upper half), whether workers may still
	// join it, and how many are in it.
	state   atomic.Uint64
	caught  any
	catcher sync.Mutex

	started bool
	quit    atomic.Bool
	workers []worker
	ended   sync.WaitGroup
	// owner is where the caller of a loop sleeps until its workers are through,
	// when empty.
	owner sleeper
	empty func() bool
	looks int

	// What chunks is splitting.
	span  func(from, to int)
	total int
	parts int
	part  func(i int)
}

// newPool makes a pool whose threads run on the first of the CPUs.
func newPool(threads int, cpus []int) *pool {
	return &pool{threads: threads, cpus: cpus[:min(threads, len(cpus))]}
}

const (
	joinable  = 1 << 31
	inLoop    = joinable - 1 // mask of the number of workers
	loopShift = 32
)

// worker is one goroutine beside the caller's.
type worker struct {
	sleeper
	run func() // made once, so that starting it allocates nothing
}

// sleeper is a goroutine that waits for something another one does.
type sleeper struct {
	asleep atomic.Bool
	wake   chan struct{}
}

// mostLooks is how often a goroutine looks whether what it waits for has come,
// before it sleeps: some ten microseconds.
const mostLooks = 1 << 13

// until waits until the condition holds, which changes before notify is called.
// It looks so often before it sleeps.
func (s *sleeper) until(condition func() bool, looks int) {
	for range looks {
		if condition() {
			return
		}
	}
	for !condition() {
		s.asleep.Store(true)
		if condition() {
			if !s.asleep.CompareAndSwap(true, false) {
				<-s.wake // someone is about to wake us
			}
			return
		}
		<-s.wake
	}
}

// notify wakes the goroutine if it sleeps.
func (s *sleeper) notify() {
	if s.asleep.CompareAndSwap(true, false) {
		s.wake <- struct{}{}
	}
}

// stopped reports whether the run that the loop belongs to has been given up.
func (p *pool) stopped() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// inline is each on the caller's goroutine only.
func (p *pool) inline(n int, body func(i int)) {
	for i := 0; i < n && !p.stopped(); i++ {
		body(i)
	}
}

// each calls body(i) for every i in [0, n), on up to p.threads goroutines. Work
// is handed out one i at a time, so body should do some microseconds of work.
// A panic in body is passed on to the caller. When p.done is closed, the rest is
// left out.
func (p *pool) each(n int, body func(i int)) {
	if min(p.threads, n) <= 1 || p.state.Load()&joinable != 0 {
		p.inline(n, body)
		return
	}
	p.start()
	p.body, p.count, p.caught = body, int64(n), nil
	p.next.Store(0)
	p.state.Store((p.state.Load()>>loopShift+1)<<loopShift | joinable)
	for i := range min(p.threads, n) - 1 {
		p.workers[i].notify()
	}
	p.work()
	// No one may join any more; those in the loop finish what they took.
	for {
		s := p.state.Load()
		if p.state.CompareAndSwap(s, s&^joinable) {
			break
		}
	}
	p.owner.until(p.empty, p.looks)
	p.body = nil
	if p.caught != nil {
		panic(p.caught)
	}
}

// work takes indices until there are none.
func (p *pool) work() {
	defer func() {
		if r := recover(); r != nil {
			p.catcher.Lock()
			p.caught = r
			p.catcher.Unlock()
			p.next.Store(p.count)
		}
	}()
	for {
		i := p.next.Add(1) - 1
		if i >= p.count || p.stopped() {
			return
		}
		p.body(int(i))
	}
}

// start starts the workers of a run.
func (p *pool) start() {
	if p.started {
		return
	}
	if p.workers == nil {
		p.workers = make([]worker, p.threads-1)
		p.owner.wake = make(chan struct{}, 1)
		p.empty = func() bool { return p.state.Load()&inLoop == 0 }
		for i := range p.workers {
			w := &p.workers[i]
			w.wake = make(chan struct{}, 1)
			var seen uint64 // the last loop it took part in
			arrived := func() bool {
				s := p.state.Load()
				return s>>loopShift != seen && s&joinable != 0 || p.quit.Load()
			}
			w.run = func() {
				defer p.ended.Done()
				if p.cpus != nil {
					defer pin(p.cpus)()
				}
				for {
					w.until(arrived, p.looks)
					if p.quit.Load() {
						return
					}
					p.join(&seen)
				}
			}
		}
	}
	// A goroutine may wait by looking where it has a processor of its own.
	if p.looks = 1; runtime.GOMAXPROCS(0) >= p.threads {
		p.looks = mostLooks
	}
	if p.cpus != nil {
		p.unpin = pin(p.cpus)
	}
	p.started = true
	p.quit.Store(false)
	p.ended.Add(len(p.workers))
	for i := range p.workers {
		go p.workers[i].run()
	}
}

// join takes part in the loop in progress, if it is still open.
func (p *pool) join(seen *uint64) {
	s := p.state.Load()
	if s&joinable == 0 || !p.state.CompareAndSwap(s, s+1) {
		return // it looks again
	}
	*seen = s >> loopShift
	p.work()
	if left := p.state.Add(^uint64(0)); left&(inLoop|joinable) == 0 {
		p.owner.notify()
	}
}

// rest ends the workers, at the end of a run.
func (p *pool) rest() {
	if !p.started {
		return
	}
	p.quit.Store(true)
	for i := range p.workers {
		p.workers[i].notify()
	}
	p.ended.Wait()
	if p.unpin != nil {
		p.unpin()
		p.unpin = nil
	}
	p.started = false
}

// chunks calls body(from, to) for ranges that cover [0, n), none but the last
// shorter than least.
func (p *pool) chunks(n, least int, body func(from, to int)) {
	parts := max(1, min(p.threads, n/max(1, least)))
	if parts == 1 || p.state.Load()&joinable != 0 {
		if n > 0 {
			body(0, n)
		}
		return
	}
	if p.part == nil {
		p.part = func(i int) { p.span(p.total*i/p.parts, p.total*(i+1)/p.parts) }
	}
	p.span, p.total, p.parts = body, n, parts
	p.each(parts, p.part)
	p.span = nil
}
