//go:build unix

package isolate

import (
	"context"
	"slices"
	"testing"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/shared"
	"nanoflux/fallback"
	"nanoflux/graph"
)

func TestArgumentsInSharedMemoryAreUsedWhereTheyAre(t *testing.T) {
	const n = 1 << 16
	b := isolated(t, "fallback", nil, Options{})
	e, err := b.Compile(t.Context(), sum(t, n))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	region, err := shared.New(8 * n)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	graph.View[float32](region.Data)[n-1] = 4
	in := []graph.Array{{Type: graph.Float32, Shape: []int{n}, Data: region.Data[:4*n]}}
	out := []graph.Array{{Data: region.Data[4*n:]}}
	if err := e.Run(t.Context(), in, out); err != nil {
		t.Fatal(err)
	}
	if &out[0].Data[0] != &region.Data[4*n] || graph.View[float32](region.Data)[2*n-1] != 7 {
		t.Error("the output is not where it should be")
	}
	if s := e.(*executable).staging; s != nil || b.Copied() != 0 {
		t.Errorf("%d bytes were copied", b.Copied())
	}
}

func TestCopiesOfLargeTensorsAreCounted(t *testing.T) {
	const large, small = Large/4 + 1, Large / 4 // elements
	for name, test := range map[string]struct {
		elements      int
		ownIn, ownOut bool // not in shared memory
		tight         bool // no room for the output
		copies        int64
	}{
		"both in shared memory":         {large, false, false, false, 0},
		"an input elsewhere":            {large, true, false, false, 1},
		"an output elsewhere":           {large, false, true, false, 1},
		"an output without memory":      {large, false, false, true, 1},
		"both elsewhere":                {large, true, true, false, 2},
		"both elsewhere, and not large": {small, true, true, false, 0},
	} {
		b := isolated(t, "fallback", nil, Options{})
		e, err := b.Compile(t.Context(), sum(t, test.elements))
		if err != nil {
			t.Fatal(err)
		}
		in, out := sharedArrays(t, test.elements)
		if test.ownIn {
			in[0] = graph.NewArray(graph.Float32, test.elements)
		}
		if test.ownOut {
			out[0] = graph.NewArray(graph.Float32, test.elements)
		}
		if test.tight {
			out[0].Data = out[0].Data[:0:16]
		}
		const runs = 3
		for range runs {
			if test.tight {
				out[0].Data = out[0].Data[:0:16]
			}
			if err := e.Run(t.Context(), in, out); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := b.Copied(), runs*test.copies*int64(4*test.elements); got != want {
			t.Errorf("%s: %d bytes were counted, want %d", name, got, want)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// selfish is the Go kernels, with results in memory of its own.
type selfish struct{ delegate.Backend }

func (b *selfish) Compile(ctx context.Context, m *graph.Model) (delegate.Executable, error) {
	e, err := b.Backend.Compile(ctx, m)
	return &selfishRun{e}, err
}

type selfishRun struct{ delegate.Executable }

func (r *selfishRun) Run(ctx context.Context, in, out []graph.Array) error {
	clear(out)
	return r.Executable.Run(ctx, in, out)
}

func init() {
	delegate.Register(delegate.Kind{Name: "selfish", Summary: "the Go kernels, with results in memory of its own", Open: func(map[string]any) (delegate.Backend, error) {
		return &selfish{fallback.New(fallback.Options{Threads: 1})}, nil
	}})
}

func TestAResultThatTheWorkerHasToCopyIsCounted(t *testing.T) {
	const n = Large
	b := isolated(t, "selfish", nil, Options{})
	e, err := b.Compile(t.Context(), sum(t, n))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	in, out := sharedArrays(t, n)
	if err := e.Run(t.Context(), in, out); err != nil || graph.View[float32](out[0].Data)[n-1] != 3 {
		t.Fatal(err)
	}
	if got := b.Copied(); got != 4*n {
		t.Errorf("%d bytes were counted, want %d", got, 4*n)
	}
}

// sharedArrays are an input and an output of n floats in shared memory, aligned as
// kernels like it: else they make memory of their own.
func sharedArrays(t testing.TB, n int) (in, out []graph.Array) {
	t.Helper()
	beside := (4*n + 63) &^ 63
	region, err := shared.New(2 * beside)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = region.Close() })
	array := func(data []byte) []graph.Array {
		return []graph.Array{{Type: graph.Float32, Shape: []int{n}, Data: data}}
	}
	return array(region.Data[: 4*n : 4*n]), array(region.Data[beside : beside+4*n : beside+4*n])
}

// BenchmarkIsolatedCall times a run in a worker and the same run in the program,
// in turn, and prints the medians and how much the worker's is over: for a small
// tensor, for one of a picture's size in shared memory, and for one that has to
// be copied there and back.
func BenchmarkIsolatedCall(b *testing.B) {
	const picture = 256 * 256 * 3
	for _, test := range []struct {
		name     string
		elements int
		copied   bool
	}{
		{"32 bytes", 8, false},
		{"786 KB in shared memory", picture, false},
		{"786 KB copied", picture, true},
	} {
		b.Run(test.name, func(b *testing.B) {
			// No constants, which a worker has in other memory.
			builder := graph.NewBuilder("double")
			x := builder.Input("x", graph.Float32, test.elements)
			builder.Output("y", builder.Add(x, x))
			m, err := builder.Model()
			if err != nil {
				b.Fatal(err)
			}
			var run [2]delegate.Executable
			var in, out [2][]graph.Array // not the same memory: it would go from one core's cache to the other's
			for i, backend := range []delegate.Backend{fallback.New(fallback.Options{Threads: 1}), isolated(b, "fallback", map[string]any{"threads": 1}, Options{})} {
				e, err := backend.Compile(b.Context(), m)
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
				run[i] = e
				in[i], out[i] = sharedArrays(b, test.elements)
				if test.copied {
					in[i][0], out[i][0] = graph.NewArray(graph.Float32, test.elements), graph.NewArray(graph.Float32, test.elements)
				}
			}
			var times [2][]time.Duration
			for b.Loop() {
				for i, e := range run {
					start := time.Now()
					if err := e.Run(b.Context(), in[i], out[i]); err != nil {
						b.Fatal(err)
					}
					times[i] = append(times[i], time.Since(start))
				}
			}
			var medians [2]float64
			for i, list := range times {
				slices.Sort(list)
				medians[i] = float64(list[len(list)/2].Nanoseconds()) / 1e3
			}
			b.ReportMetric(medians[0], "µs/program")
			b.ReportMetric(medians[1], "µs/worker")
			b.ReportMetric(medians[1]-medians[0], "µs/over")
			b.ReportMetric(0, "ns/op") // of both together: says nothing
		})
	}
}
