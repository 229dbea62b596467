package fallback

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func TestALoopCoversEveryIndexOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		p := &pool{threads: threads}
		for _, n := range []int{0, 1, 2, 7, 1000} {
			counts := make([]int, n)
			p.each(n, func(i int) { counts[i]++ })
			p.chunks(n, 3, func(from, to int) {
				for i := from; i < to; i++ {
					counts[i]++
				}
			})
			for i, c := range counts {
				if c != 2 {
					t.Fatalf("%d threads: index %d of %d was visited %d times, must be 2", threads, i, n, c)
				}
			}
		}
	}
}

func TestALoopThatIsGivenUpLeavesTheRestOut(t *testing.T) {
	for _, threads := range []int{1, 3} {
		done := make(chan struct{})
		var calls atomic.Int64
		p := &pool{threads: threads, done: done}
		p.each(1000, func(i int) {
			if calls.Add(1) == 10 {
				close(done)
			}
		})
		if n := calls.Load(); n < 10 || n > 10+int64(threads) {
			t.Errorf("%d threads: %d calls, must be 10 and at most one more for each other thread", threads, n)
		}
	}
}

func TestAPanicInALoopReachesItsCaller(t *testing.T) {
	for _, threads := range []int{1, 4} {
		func() {
			defer func() {
				if r := recover(); r != "oops" {
					t.Errorf("%d threads: recovered %v", threads, r)
				}
			}()
			p := &pool{threads: threads}
			p.each(100, func(i int) {
				if i == 50 {
					panic("oops")
				}
			})
		}()
	}
}

func TestLoopsFollowOneAnotherWithMoreGoroutinesThanProcessors(t *testing.T) {
	p := &pool{threads: 2*runtime.GOMAXPROCS(0) + 1}
	for range 20 { // runs
		for loop := range 200 {
			var sum atomic.Int64
			n := 1 + loop%17
			p.each(n, func(i int) { sum.Add(int64(i + 1)) })
			if want := int64(n * (n + 1) / 2); sum.Load() != want {
				t.Fatalf("%d indices add up to %d, must be %d", n, sum.Load(), want)
			}
		}
	}
}

func TestALoopInsideALoopRunsOnItsCaller(t *testing.T) {
	p := &pool{threads: 3}
	var sum atomic.Int64
	p.each(10, func(int) {
		own := 0 // not shared: a race would be seen
		p.each(10, func(int) { own++ })
		p.chunks(10, 1, func(from, to int) { own += to - from })
		sum.Add(int64(own))
	})
	if sum.Load() != 200 {
		t.Errorf("%d calls, must be 200", sum.Load())
	}
}

func TestPoolsOfAsManyThreadsShareTheirGoroutines(t *testing.T) {
	var body func(int) = func(int) {}
	(&pool{threads: 6}).each(100, body)
	before := runtime.NumGoroutine()
	for range 20 {
		(&pool{threads: 6}).each(100, body)
	}
	if n := runtime.NumGoroutine(); n > before {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

func TestPoolsMayLoopAtTheSameTime(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p := &pool{threads: 3}
			for range 500 {
				var sum atomic.Int64
				p.each(7, func(i int) { sum.Add(int64(i)) })
				p.chunks(100, 1, func(from, to int) { sum.Add(int64(to - from)) })
				if sum.Load() != 21+100 {
					t.Errorf("%d", sum.Load())
				}
			}
		})
	}
	wg.Wait()
}

func TestLoopsAllocateNothing(t *testing.T) {
	p := &pool{threads: 4}
	body, span := func(int) {}, func(int, int) {}
	if n := testing.AllocsPerRun(100, func() { // the first is not counted
		p.each(10, body)
		p.chunks(100, 1, span)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
