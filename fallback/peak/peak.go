// Package peak measures what the processor can do at most: the rates that no
// kernel can beat, for comparing with what models reach.
package peak

import (
	"sync"
	"time"

	"nanoflux/fallback/simd"
)

// Machine is what was measured on a number of threads.
type Machine struct {
	Threads int `json:"threads"`
	// SIMD is the level of CPU features in use.
	SIMD string `json:"simd"`
	// Float32 and Int8 are multiplications and additions a second, in 10⁹, of the
	// tiles of the matrix product on data in the first-level cache.
	Float32 float64 `json:"float32_gflops"`
	Int8    float64 `json:"int8_gops"`
	// Bandwidth is how fast memory is read that is in no cache, in 10⁹ bytes a second.
	Bandwidth float64 `json:"read_gbytes"`
}

// span is how long each of the three is measured.
const span = 200 * time.Millisecond

// Measure takes about a second. Other work on the machine makes the result
// smaller.
func Measure(threads int) Machine {
	t := simd.Active()
	return Machine{
		Threads:   threads,
		SIMD:      t.Name,
		Float32:   rate(threads, func() (func(), float64) { return floats(t) }),
		Int8:      rate(threads, func() (func(), float64) { return integers(&t.Integer) }),
		Bandwidth: rate(threads, func() (func(), float64) { return reading(t) }),
	}
}

// rate runs what prepare returns on every thread, and adds up its units a second,
// in 10⁹. Of some windows of time the best counts: something else may run in the
// others.
func rate(threads int, prepare func() (work func(), units float64)) float64 {
	const windows = 4
	rates := make([][windows]float64, threads)
	var start, done sync.WaitGroup
	start.Add(threads)
	for i := range threads {
		done.Go(func() {
			work, units := prepare()
			work()
			start.Done()
			start.Wait() // all at once: they share caches, memory and power
			for w := range windows {
				begin, n := time.Now(), 0
				for time.Since(begin) < span/windows {
					work()
					n++
				}
				rates[i][w] = units * float64(n) / time.Since(begin).Seconds() / 1e9
			}
		})
	}
	done.Wait()
	best := 0.0
	for w := range windows {
		sum := 0.0
		for i := range rates {
			sum += rates[i][w]
		}
		best = max(best, sum)
	}
	return best
}

// floats multiplies panels of float32 that fit the first-level cache.
func floats(t *simd.Table) (func(), float64) {
	const depth, calls = 192, 64
	a, b, c := make([]float32, t.Rows*depth), make([]float32, t.Columns*depth), make([]float32, t.Rows*t.Columns)
	return func() {
		for range calls {
			t.Multiply(t.Rows, t.Columns, depth, a, b, c, t.Columns)
		}
	}, 2 * float64(t.Rows*t.Columns*depth) * calls
}

// integers multiplies panels of 8-bit integers that fit the first-level cache.
func integers(k *simd.Integer) (func(), float64) {
	const calls = 64
	if k.Deep != nil {
		k = k.Deep
	}
	rows, groups := k.Heights[0], 512/k.Group
	left := make([]byte, k.LeftBytes(rows, groups*k.Group))
	right, sums := make([]int8, groups*k.Group*k.Columns), make([]int32, rows*k.Columns)
	return func() {
		for range calls {
			k.Multiply(groups, rows, k.Columns, left, right, sums, false)
		}
	}, 2 * float64(rows*k.Columns*groups*k.Group) * calls
}

// reading adds up memory far larger than the caches, some megabytes a call.
func reading(t *simd.Table) (func(), float64) {
	const size, piece = 64 << 20 / 4, 4 << 20 / 4
	memory := make([]float32, size)
	for i := range memory {
		memory[i] = 1
	}
	at := 0
	return func() {
		t.Sum(memory[at : at+piece])
		at = (at + piece) % size
	}, 4 * piece
}
