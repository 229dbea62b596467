package fallback

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// crew are the goroutines that help with loops. All executables with as many
// threads on the same CPUs share one, so that there are not more goroutines than
// processors where models run one after another. A crew works on one loop at a
// time; who finds it busy does without.
//
// Between two loops its workers look for the next one for a moment, since waking
// a sleeping thread takes as long as a small model. Then they sleep until they
// are woken.
type crew struct {
	busy    atomic.Bool
	workers []worker

	// The loop in progress.
	body  func(i int)
	pool  *pool // whose loop it is
	count int64
	next  atomic.Int64
	// state is the number of the loop (upper half), whether workers may still
	// join it, and how many are in it.
	state   atomic.Uint64
	caught  any
	catcher sync.Mutex

	// owner is where the caller of a loop sleeps until its workers are through,
	// when empty.
	owner sleeper
	empty func() bool
	looks int
}

const (
	joinable  = 1 << 31
	inLoop    = joinable - 1 // mask of the number of workers
	loopShift = 32
)

// mostLooks is how often a goroutine looks whether what it waits for has come,
// before it sleeps: a tenth of a millisecond or two.
const mostLooks = 1 << 16

// worker is one goroutine beside the caller's.
type worker struct{ sleeper }

// sleeper is a goroutine that waits for something another one does.
type sleeper struct {
	asleep atomic.Bool
	wake   chan struct{}
}

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

// crews are those of the process.
var crews struct {
	sync.Mutex
	list []*crewFor
}

// crewFor is a crew and whom it is for.
type crewFor struct {
	threads int
	cpus    []int
	crew    *crew
}

// crewOf is the crew of a number of threads on some CPUs, nil for any.
func crewOf(threads int, cpus []int) *crew {
	crews.Lock()
	defer crews.Unlock()
	for _, c := range crews.list {
		if c.threads == threads && slices.Equal(c.cpus, cpus) {
			return c.crew
		}
	}
	c := &crew{workers: make([]worker, threads-1)}
	c.owner.wake = make(chan struct{}, 1)
	c.empty = func() bool { return c.state.Load()&inLoop == 0 }
	// A goroutine may wait by looking where it has a processor of its own.
	if c.looks = 1; runtime.GOMAXPROCS(0) >= threads {
		c.looks = mostLooks
	}
	for i := range c.workers {
		c.workers[i].wake = make(chan struct{}, 1)
		go c.serve(&c.workers[i], cpus)
	}
	crews.list = append(crews.list, &crewFor{threads, cpus, c})
	return c
}

// serve is a worker's life.
func (c *crew) serve(w *worker, cpus []int) {
	if cpus != nil {
		defer pin(cpus)()
	}
	var seen uint64 // the last loop it took part in
	arrived := func() bool {
		s := c.state.Load()
		return s&joinable != 0 && s>>loopShift != seen
	}
	for {
		w.until(arrived, c.looks)
		s := c.state.Load()
		if s&joinable == 0 || s>>loopShift == seen || !c.state.CompareAndSwap(s, s+1) {
			continue
		}
		seen = s >> loopShift
		c.work()
		if left := c.state.Add(^uint64(0)); left&(inLoop|joinable) == 0 {
			c.owner.notify()
		}
	}
}

// each is pool.each with the crew's help; false, and nothing is done, when the
// crew is busy.
func (c *crew) each(p *pool, n int, body func(i int)) bool {
	if !c.busy.CompareAndSwap(false, true) {
		return false
	}
	c.body, c.pool, c.count, c.caught = body, p, int64(n), nil
	c.next.Store(0)
	c.state.Store((c.state.Load()>>loopShift+1)<<loopShift | joinable)
	for i := range min(len(c.workers), n-1) {
		c.workers[i].notify()
	}
	c.work()
	// No one may join any more; those in the loop finish what they took.
	for {
		s := c.state.Load()
		if c.state.CompareAndSwap(s, s&^joinable) {
			break
		}
	}
	c.owner.until(c.empty, c.looks)
	caught := c.caught
	c.body, c.pool, c.caught = nil, nil, nil
	c.busy.Store(false)
	if caught != nil {
		panic(caught)
	}
	return true
}

// work takes indices until there are none.
func (c *crew) work() {
	defer func() {
		if r := recover(); r != nil {
			c.catcher.Lock()
			c.caught = r
			c.catcher.Unlock()
			c.next.Store(c.count)
		}
	}()
	for {
		i := c.next.Add(1) - 1
		if i >= c.count || c.pool.stopped() {
			return
		}
		c.body(int(i))
	}
}
