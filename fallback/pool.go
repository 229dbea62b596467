package fallback

import (
	"sync"
	"sync/atomic"
)

// pool splits loops over goroutines. They live for one loop: starting one costs
// less than a microsecond, and nothing spins or has to be stopped while idle.
type pool struct {
	threads int
	// done ends loops early, leaving indices out; nil for never.
	done <-chan struct{}
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

// each calls body(i) for every i in [0, n), on up to p.threads goroutines. Work
// is handed out one i at a time, so body should do some microseconds of work.
// A panic in body is passed on to the caller. When p.done is closed, the rest is
// left out.
func (p *pool) each(n int, body func(i int)) {
	workers := min(p.threads, n)
	if workers <= 1 {
		for i := range n {
			if p.stopped() {
				return
			}
			body(i)
		}
		return
	}
	var (
		next    atomic.Int64
		wg      sync.WaitGroup
		caught  any
		catcher sync.Once
	)
	work := func() {
		defer func() {
			if r := recover(); r != nil {
				catcher.Do(func() { caught = r })
				next.Store(int64(n))
			}
		}()
		for {
			i := int(next.Add(1)) - 1
			if i >= n || p.stopped() {
				return
			}
			body(i)
		}
	}
	wg.Add(workers - 1)
	for range workers - 1 {
		go func() {
			defer wg.Done()
			work()
		}()
	}
	work()
	wg.Wait()
	if caught != nil {
		panic(caught)
	}
}

// inline is each on the caller's goroutine only.
func (p *pool) inline(n int, body func(i int)) {
	for i := 0; i < n && !p.stopped(); i++ {
		body(i)
	}
}

// chunks calls body(from, to) for ranges that cover [0, n), none but the last
// shorter than least.
func (p *pool) chunks(n, least int, body func(from, to int)) {
	parts := max(1, min(p.threads, n/max(1, least)))
	if parts == 1 {
		if n > 0 {
			body(0, n)
		}
		return
	}
	p.each(parts, func(i int) { body(n*i/parts, n*(i+1)/parts) })
}
