//go:build tflite

package tflite

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/tphakala/go-tflite/delegates/xnnpack"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// The tests here are for what goes wrong with go-tflite when it is used as it
// offers itself; delegate/delegatetest has what every backend must do.

func model(t testing.TB, build func(b *graph.Builder)) *graph.Model {
	t.Helper()
	b := graph.NewBuilder("test")
	build(b)
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func open(t testing.TB, m *graph.Model, o Options) delegate.Executable {
	t.Helper()
	e, err := New(o).Compile(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

// badReshape is a RESHAPE whose target does not fit: TensorFlow Lite's Prepare
// finds it, our reader does not.
func badReshape() *graph.Model {
	return &graph.Model{
		Name:    "bad.tflite",
		Buffers: []graph.Buffer{nil, graph.Bytes([]int32{5})},
		Subgraphs: []graph.Subgraph{{
			Tensors: []graph.Tensor{
				{Name: "x", Type: graph.Float32, Shape: []int{2, 3}},
				{Name: "shape", Type: graph.Int32, Shape: []int{1}, Buffer: 1},
				{Name: "y", Type: graph.Float32, Shape: []int{5}},
			},
			Inputs: []int{0}, Outputs: []int{2},
			Ops: []graph.Op{{Code: schema.BuiltinOperatorRESHAPE, Version: 1, Inputs: []int{0, 1}, Outputs: []int{2}, Options: &schema.ReshapeOptionsT{NewShape: []int32{5}}}},
		}},
	}
}

// go-tflite's own error reporter ends the program at the first message.
func TestErrorsBringTensorFlowLitesMessages(t *testing.T) {
	m := badReshape()
	_, err := New(Options{Threads: 1}).Compile(t.Context(), m)
	if err == nil {
		t.Fatal("was compiled")
	}
	for _, part := range []string{"bad.tflite", "RESHAPE", "error"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not mention %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error has several lines: %q", err)
	}
}

// go-tflite panics when a scalar is resized.
func TestScalarsAreInputsToo(t *testing.T) {
	e := open(t, model(t, func(b *graph.Builder) {
		b.Output("y", b.Add(b.Input("s", graph.Float32), b.Input("x", graph.Float32, -1)))
	}), Options{Threads: 1})
	for _, n := range []int{1, 4, 2} {
		s, x, out := graph.NewArray(graph.Float32), graph.NewArray(graph.Float32, n), make([]graph.Array, 1)
		graph.View[float32](s.Data)[0] = 3
		if err := e.Run(t.Context(), []graph.Array{s, x}, out); err != nil || graph.View[float32](out[0].Data)[n-1] != 3 {
			t.Errorf("%d values: %v, %v", n, out[0], err)
		}
	}
}

// Shapes that do not go together leave the executable as it was.
func TestAFailedResizeIsUndone(t *testing.T) {
	e := open(t, model(t, func(b *graph.Builder) {
		b.Output("y", b.Add(b.Input("x", graph.Float32, -1, 3), b.Input("y", graph.Float32, -1, 3)))
	}), Options{Threads: 1})
	array := func(n int) graph.Array { return graph.NewArray(graph.Float32, n, 3) }
	for range 3 {
		if err := e.Run(t.Context(), []graph.Array{array(2), array(2)}, make([]graph.Array, 1)); err != nil {
			t.Fatal(err)
		}
		if err := e.Run(t.Context(), []graph.Array{array(2), array(5)}, make([]graph.Array, 1)); !errors.Is(err, delegate.ErrInput) {
			t.Fatalf("2 rows and 5: %v, must be ErrInput", err)
		}
	}
}

// An interpreter that is only held by go-tflite's wrapper can be collected while
// it runs; interpreters, delegates and models deleted in another order crash or
// hang, most of all with XNNPACK's threads.
func TestNothingIsFreedTooEarly(t *testing.T) {
	m := model(t, func(b *graph.Builder) {
		x := b.Input("x", graph.Float32, 16, 16)
		y := x
		for range 4 {
			y = b.FullyConnected(y, x, graph.None, graph.ActRelu)
		}
		b.Output("y", y)
	})
	xnnpackOn2 := func() (Delegate, error) {
		return xnnpack.New(xnnpack.DelegateOptions{NumThreads: 2}).(*xnnpack.Delegate), nil
	}
	for _, c := range []Config{{Name: "plain", Threads: 1}, {Name: "xnnpack", Threads: 2, Delegate: xnnpackOn2}} {
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range 25 {
					e, err := Compile(t.Context(), m, c)
					if err != nil {
						t.Error(err)
						return
					}
					runtime.GC()
					if err := e.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, 16, 16)}, make([]graph.Array, 1)); err != nil {
						t.Error(err)
					}
					if err := e.Close(); err != nil {
						t.Error(err)
					}
				}
			}()
		}
		wg.Wait()
	}
}

// Models on which the library aborts or crashes never reach it.
func TestWhatEndsTheProcessIsRefused(t *testing.T) {
	q := &graph.Quantization{Scale: []float32{1}, ZeroPoint: []int64{0}}
	for name, m := range map[string]*graph.Model{
		"a comparison of INT8 with scale 1": model(t, func(b *graph.Builder) {
			b.Output("z", b.Compare(schema.BuiltinOperatorLESS, b.QuantizedInput("x", graph.Int8, q, 4), b.QuantizedInput("y", graph.Int8, q, 4)))
		}),
		"a matrix product that leaves batches unwritten": model(t, func(b *graph.Builder) {
			b.Output("z", b.BatchMatMul(b.Input("x", graph.Float32, 4, 16, 10), b.Input("y", graph.Float32, 1, 16, 12), true, false))
		}),
	} {
		r := New(Options{}).Supports(m, 0, 0)
		if r == nil || !errors.Is(r, delegate.ErrUnsupported) {
			t.Errorf("%s: %v", name, r)
		}
		if e, err := New(Options{}).Compile(t.Context(), m); err == nil {
			_ = e.Close()
			t.Errorf("%s was compiled", name)
		}
	}
}
