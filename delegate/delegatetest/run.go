// Package delegatetest is the one compliance suite that every backend passes:
// RunAll in the backend's tests.
package delegatetest

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// RunAll checks a backend against the contract of package delegate and against
// the outputs that TensorFlow Lite computed. Operators that the backend refuses
// are skipped by name; least is how many cases it must take.
func RunAll(t *testing.T, b delegate.Backend, least int) { RunWithin(t, b, least, tolerance) }

// RunWithin is RunAll for a backend that computes floats in less than single
// precision: they may be off by a part of the output's range.
func RunWithin(t *testing.T, b delegate.Backend, least int, tolerance float64) {
	t.Run("probe says what is here", func(t *testing.T) {
		d, err := b.Probe(t.Context())
		if err != nil || d.Description == "" {
			t.Fatalf("Probe: %+v, %v", d, err)
		}
	})
	t.Run("outputs are TensorFlow Lite's", func(t *testing.T) { testOutputs(t, b, least, tolerance) })
	t.Run("a resizable dimension takes any size", func(t *testing.T) { testResize(t, b, tolerance) })
	t.Run("wrong inputs are refused", func(t *testing.T) { testWrongInputs(t, b) })
	t.Run("an unknown operator is refused with a reason", func(t *testing.T) { testRefusal(t, b) })
	t.Run("memory for outputs is used when it suffices", func(t *testing.T) { testOutputMemory(t, b) })
	t.Run("an ended context ends a run, and the next one works", func(t *testing.T) { testCancel(t, b, tolerance) })
	t.Run("closing", func(t *testing.T) { testClose(t, b) })
	t.Run("many at once", func(t *testing.T) { testConcurrent(t, b, tolerance) })
}

// refusal is the first refusal of a model's operators.
func refusal(b delegate.Backend, m *graph.Model) *delegate.Refusal {
	for op := range m.Subgraphs[0].Ops {
		if r := b.Supports(m, 0, op); r != nil {
			return r
		}
	}
	return nil
}

func testOutputs(t *testing.T, b delegate.Backend, least int, tolerance float64) {
	wanted, err := goldens()
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	for _, c := range Cases() {
		t.Run(c.Name, func(t *testing.T) {
			want, known := wanted[c.Name]
			if !known {
				t.Fatal("no golden outputs; record them with -update")
			}
			if r := refusal(b, c.Model); r != nil {
				t.Skipf("%s refuses: %v", b.Name(), r)
			}
			taken++
			got := run(t, b, c)
			for i := range want {
				if d := DifferWithin(got[i], want[i], tolerance); d != "" {
					t.Errorf("output %d: %s", i, d)
				}
			}
		})
	}
	if taken < least {
		t.Errorf("%s took %d of %d cases, must take %d", b.Name(), taken, len(Cases()), least)
	}
}

// compile compiles a case's model and closes it with the test.
func compile(t *testing.T, b delegate.Backend, m *graph.Model) delegate.Executable {
	t.Helper()
	e, err := b.Compile(t.Context(), m)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// run runs a case twice and returns its outputs, which must be the same bytes.
func run(t *testing.T, b delegate.Backend, c Case) []graph.Array {
	t.Helper()
	e := compile(t, b, c.Model)
	before := make([][]byte, len(c.Inputs))
	for i, a := range c.Inputs {
		before[i] = slices.Clone(a.Data)
	}
	first := make([]graph.Array, len(c.Model.Subgraphs[0].Outputs))
	second := make([]graph.Array, len(first))
	for _, outputs := range [][]graph.Array{first, second} {
		if err := e.Run(t.Context(), c.Inputs, outputs); err != nil {
			t.Fatalf("Run: %v", err)
		}
	}
	for i := range first {
		if !slices.Equal(first[i].Data, second[i].Data) {
			t.Errorf("output %d differs between two runs", i)
		}
	}
	for i, a := range c.Inputs {
		if !slices.Equal(a.Data, before[i]) {
			t.Errorf("input %d was written to", i)
		}
	}
	return first
}

// resizable is y = 2·x for any number of rows.
func resizable() *graph.Model {
	m := graph.NewBuilder("resizable")
	m.Output("y", m.FullyConnected(m.Input("x", graph.Float32, -1, 3), graph.ConstOf(m, "w", []float32{2, 0, 0, 0, 2, 0, 0, 0, 2}, 3, 3), graph.None, graph.ActNone))
	return mustModel(m)
}

// near says whether v is x, or close to it where the backend's floats are coarse.
func near(v, x float32, within float64) bool {
	return v == x || within > tolerance && math.Abs(float64(v-x)) <= within*math.Abs(float64(x))
}

func mustModel(b *graph.Builder) *graph.Model {
	m, err := b.Model()
	if err != nil {
		panic("delegatetest: " + err.Error())
	}
	return m
}

func rows(n int) graph.Array {
	a := graph.NewArray(graph.Float32, n, 3)
	for i := range graph.View[float32](a.Data) {
		graph.View[float32](a.Data)[i] = float32(i) - 4
	}
	return a
}

func testResize(t *testing.T, b delegate.Backend, tolerance float64) {
	m := resizable()
	if r := refusal(b, m); r != nil {
		t.Skipf("%s refuses: %v", b.Name(), r)
	}
	e := compile(t, b, m)
	for _, n := range []int{1, 5, 2, 64, 1} {
		out := make([]graph.Array, 1)
		if err := e.Run(t.Context(), []graph.Array{rows(n)}, out); err != nil {
			t.Fatalf("%d rows: %v", n, err)
		}
		if !slices.Equal(out[0].Shape, []int{n, 3}) {
			t.Fatalf("%d rows give shape %v", n, out[0].Shape)
		}
		for i, v := range graph.View[float32](out[0].Data) {
			if !near(v, 2*(float32(i)-4), tolerance) {
				t.Fatalf("%d rows: element %d is %v", n, i, v)
			}
		}
	}
}

func testWrongInputs(t *testing.T, b delegate.Backend) {
	e := compile(t, b, resizable())
	good := rows(2)
	cut := good
	cut.Data = good.Data[:20]
	for name, inputs := range map[string][]graph.Array{
		"none":           {},
		"one too many":   {good, good},
		"another type":   {graph.NewArray(graph.Int32, 2, 3)},
		"another rank":   {graph.NewArray(graph.Float32, 6)},
		"another size":   {graph.NewArray(graph.Float32, 2, 4)},
		"too few bytes":  {cut},
		"negative shape": {{Type: graph.Float32, Shape: []int{-2, 3}, Data: good.Data}},
	} {
		if err := e.Run(t.Context(), inputs, make([]graph.Array, 1)); !errors.Is(err, delegate.ErrInput) {
			t.Errorf("%s: error %v, must be ErrInput", name, err)
		}
	}
	if err := e.Run(t.Context(), []graph.Array{good}, nil); !errors.Is(err, delegate.ErrInput) {
		t.Errorf("no room for outputs: error %v, must be ErrInput", err)
	}
	if err := e.Run(t.Context(), []graph.Array{good}, make([]graph.Array, 1)); err != nil {
		t.Errorf("a right input after the wrong ones: %v", err)
	}
}

func testRefusal(t *testing.T, b delegate.Backend) {
	m := graph.NewBuilder("custom")
	m.Output("y", m.CustomOp("no_such_op", 1, nil, []graph.T{m.Input("x", graph.Float32, 2)}, graph.Tensor{Name: "y", Type: graph.Float32, Shape: []int{2}})[0])
	model := mustModel(m)
	r := b.Supports(model, 0, 0)
	if r == nil || r.Reason != delegate.ReasonOp || r.Detail == "" || !errors.Is(r, delegate.ErrUnsupported) {
		t.Fatalf("Supports says %v, must refuse by reason %q", r, delegate.ReasonOp)
	}
	if e, err := b.Compile(t.Context(), model); err == nil {
		_ = e.Close()
		t.Error("Compile took the operator that Supports refuses")
	}
}

func testOutputMemory(t *testing.T, b delegate.Backend) {
	e := compile(t, b, resizable())
	enough := graph.NewArray(graph.Float32, 8, 3)
	out := []graph.Array{enough}
	if err := e.Run(t.Context(), []graph.Array{rows(4)}, out); err != nil {
		t.Fatal(err)
	}
	if &out[0].Data[0] != &enough.Data[0] || len(out[0].Data) != 48 {
		t.Error("memory of 8 rows was not used for 4")
	}
	out[0].Data = out[0].Data[:4:4]
	if err := e.Run(t.Context(), []graph.Array{rows(4)}, out); err != nil || len(out[0].Data) != 48 {
		t.Errorf("memory that is too small: %d bytes, %v", len(out[0].Data), err)
	}
}

// longSize is the side of the matrices in long.
func longSize() int {
	if testing.Short() { // under an emulator a run of the other takes seconds
		return 96
	}
	return 192
}

// long is a chain of a hundred matrix products.
func long() *graph.Model {
	m, side := graph.NewBuilder("long"), longSize()
	x := m.Input("x", graph.Float32, side, side)
	w := graph.NewArray(graph.Float32, side, side)
	for i := range side {
		graph.View[float32](w.Data)[i*side+i] = 1
	}
	weights := m.Const("w", w)
	for range 100 {
		x = m.FullyConnected(x, weights, graph.None, graph.ActNone)
	}
	m.Output("y", x)
	return mustModel(m)
}

func testCancel(t *testing.T, b delegate.Backend, tolerance float64) {
	e := compile(t, b, long())
	in := []graph.Array{graph.NewArray(graph.Float32, longSize(), longSize())}
	graph.View[float32](in[0].Data)[5] = 7
	whole := func() time.Duration {
		start := time.Now()
		out := make([]graph.Array, 1)
		if err := e.Run(t.Context(), in, out); err != nil || !near(graph.View[float32](out[0].Data)[5], 7, tolerance) {
			t.Errorf("a run: %v", err)
		}
		return time.Since(start)
	}
	whole() // the first run may still allocate
	duration := min(whole(), whole(), whole())

	ended, end := context.WithCancel(t.Context())
	end()
	if err := e.Run(ended, in, make([]graph.Array, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that had ended before: %v", err)
	}
	// On a busy machine a timer may come too late for one run, not for all.
	var err error
	for range 20 {
		soon, stop := context.WithTimeout(t.Context(), duration/8)
		err = e.Run(soon, in, make([]graph.Array, 1))
		stop()
		if err != nil {
			break
		}
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a context that ends while running: %v", err)
	}
	whole()
}

func testClose(t *testing.T, b delegate.Backend) {
	e := compile(t, b, resizable())
	for range 2 {
		if err := e.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if err := e.Run(t.Context(), []graph.Array{rows(1)}, make([]graph.Array, 1)); !errors.Is(err, delegate.ErrClosed) {
		t.Errorf("Run after Close: %v, must be ErrClosed", err)
	}
}

// testConcurrent runs one executable from many goroutines, with others coming
// and going beside it, and closes it while they run.
func testConcurrent(t *testing.T, b delegate.Backend, tolerance float64) {
	shared := compile(t, b, resizable())
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			own, err := b.Compile(t.Context(), resizable())
			if err != nil {
				t.Errorf("Compile: %v", err)
				return
			}
			for i := range 10 {
				n := 1 + (g+i)%7
				for _, e := range []delegate.Executable{shared, own} {
					out := make([]graph.Array, 1)
					err := e.Run(t.Context(), []graph.Array{rows(n)}, out)
					if err != nil || !near(graph.View[float32](out[0].Data)[3*n-1], 2*float32(3*n-5), tolerance) {
						t.Errorf("%d rows: %v, %v", n, out[0], err)
						return
					}
				}
			}
			if err := own.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}()
	}
	wg.Wait()

	closing := compile(t, b, resizable())
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 50 {
				err := closing.Run(t.Context(), []graph.Array{rows(3)}, make([]graph.Array, 1))
				if errors.Is(err, delegate.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("Run beside Close: %v", err)
					return
				}
			}
		}()
	}
	if err := closing.Close(); err != nil {
		t.Errorf("Close beside runs: %v", err)
	}
	wg.Wait()
}

// Operators lists the operators that the cases use.
func Operators() []graph.OpCode {
	seen := map[graph.OpCode]bool{}
	var list []graph.OpCode
	for _, c := range Cases() {
		for _, op := range c.Model.Subgraphs[0].Ops {
			if !seen[op.Code] {
				seen[op.Code] = true
				list = append(list, op.Code)
			}
		}
	}
	slices.SortFunc(list, func(a, b schema.BuiltinOperator) int { return int(a) - int(b) })
	return list
}
