package fallback

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// The kernels are compared with loops that follow the definition word by word,
// in float64, on random shapes.

// random makes an array: floats in [−2, 2), integers in [−4, 4), unsigned ones
// in [0, 8).
func random(r *rand.Rand, t graph.TensorType, shape ...int) graph.Array {
	a := graph.NewArray(t, shape...)
	for i := range sizeOf(shape) {
		n := r.IntN(8)
		switch t {
		case graph.Float32:
			graph.View[float32](a.Data)[i] = r.Float32()*4 - 2
		case graph.Int32:
			graph.View[int32](a.Data)[i] = int32(n - 4)
		case graph.Int64:
			graph.View[int64](a.Data)[i] = int64(n - 4)
		case graph.Int16, graph.Uint16, graph.Float16:
			graph.View[uint16](a.Data)[i] = uint16(r.Uint32())
		case graph.Float64:
			graph.View[float64](a.Data)[i] = r.Float64()
		case graph.Bool:
			a.Data[i] = byte(n & 1)
		default:
			a.Data[i] = byte(n)
		}
	}
	return a
}

func arrayOf[E graph.Element](t graph.TensorType, values []E, shape ...int) graph.Array {
	a := graph.NewArray(t, shape...)
	copy(a.Data, graph.Bytes(values))
	return a
}

func ints32(values ...int32) graph.Array { return arrayOf(graph.Int32, values, len(values)) }

func floats32(values ...float32) graph.Array { return arrayOf(graph.Float32, values, len(values)) }

// seeded is a generator that depends on the test's name.
func seeded(t *testing.T) *rand.Rand {
	h := uint64(14695981039346656037)
	for _, b := range []byte(t.Name()) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(h, 1))
}

// tensor is the reference's view of an array.
type tensor struct {
	shape []int
	data  []float64
}

func newTensor(shape ...int) tensor { return tensor{shape, make([]float64, sizeOf(shape))} }

func tensorOf(a graph.Array) tensor {
	x := newTensor(a.Shape...)
	for i := range x.data {
		switch a.Type {
		case graph.Float32:
			x.data[i] = float64(graph.View[float32](a.Data)[i])
		case graph.Int32:
			x.data[i] = float64(graph.View[int32](a.Data)[i])
		case graph.Int64:
			x.data[i] = float64(graph.View[int64](a.Data)[i])
		default:
			x.data[i] = float64(a.Data[i])
		}
	}
	return x
}

func (x tensor) flat(index ...int) int {
	at := 0
	for i, d := range x.shape {
		at = at*d + index[i]
	}
	return at
}

func (x tensor) at(index ...int) float64 { return x.data[x.flat(index...)] }

// stretched reads an element by an index into a broadcast shape.
func (x tensor) stretched(index []int) float64 {
	at := 0
	for i, d := range x.shape {
		k := index[len(index)-len(x.shape)+i]
		if d == 1 {
			k = 0
		}
		at = at*d + k
	}
	return x.data[at]
}

// every calls f with each index of a shape, last dimension fastest.
func every(shape []int, f func(index []int)) {
	index := make([]int, len(shape))
	for range sizeOf(shape) {
		f(index)
		advance(index, shape)
	}
}

// same fails when an array is not the reference's up to tol·(1 + |value|).
func same(t *testing.T, got graph.Array, want tensor, tol float64) {
	t.Helper()
	if fmt.Sprint(got.Shape) != fmt.Sprint(want.shape) {
		t.Fatalf("shape %v, want %v", got.Shape, want.shape)
	}
	for i, v := range tensorOf(got).data {
		w := want.data[i]
		if v == w || v != v && w != w {
			continue
		}
		if d := math.Abs(v - w); !(d <= tol*(1+math.Abs(w))) {
			t.Fatalf("element %d of shape %v is %v, want %v", i, got.Shape, v, w)
		}
	}
}

// sameBytes fails when two arrays differ.
func sameBytes(t *testing.T, what string, got, want graph.Array) {
	t.Helper()
	if got.Type != want.Type || fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) || !bytes.Equal(got.Data, want.Data) {
		t.Fatalf("%s: %v %v %v, want %v %v %v", what, got.Type, got.Shape, clip(got.Data), want.Type, want.Shape, clip(want.Data))
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 64)] }

// builder makes a model's outputs from its inputs.
type builder func(b *graph.Builder, x []graph.T) []graph.T

// one makes a builder of a function with one output.
func one(f func(b *graph.Builder, x []graph.T) graph.T) builder {
	return func(b *graph.Builder, x []graph.T) []graph.T { return []graph.T{f(b, x)} }
}

// modelOf builds a model whose inputs are of the given arrays' types and shapes,
// or the arrays themselves as constants where constant says so.
func modelOf(t *testing.T, build builder, constant func(i int) bool, xs ...graph.Array) (*graph.Model, []graph.Array) {
	t.Helper()
	b := graph.NewBuilder("test")
	var operands []graph.T
	var inputs []graph.Array
	for i, x := range xs {
		name := fmt.Sprintf("x%d", i)
		if constant(i) {
			operands = append(operands, b.Const(name, x))
			continue
		}
		operands = append(operands, b.Input(name, x.Type, x.Shape...))
		inputs = append(inputs, x)
	}
	for i, y := range build(b, operands) {
		b.Output(fmt.Sprintf("y%d", i), y)
	}
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m, inputs
}

func compiled(t *testing.T, m *graph.Model, threads int) delegate.Executable {
	t.Helper()
	return compiledWith(t, m, Options{Threads: threads})
}

func compiledWith(t *testing.T, m *graph.Model, o Options) delegate.Executable {
	t.Helper()
	backend := New(o)
	for op := range m.Subgraphs[0].Ops {
		if r := backend.Supports(m, 0, op); r != nil {
			t.Fatalf("%s is refused: %v", m.OpLabel(0, op), r)
		}
	}
	e, err := backend.Compile(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func ran(t *testing.T, e delegate.Executable, outputs int, inputs ...graph.Array) []graph.Array {
	t.Helper()
	out := make([]graph.Array, outputs)
	if err := e.Run(t.Context(), inputs, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// evaluate runs a model on xs. It must give the same bytes on one goroutine and
// on more, with operands as inputs and as constants, and when run again.
func evaluate(t *testing.T, build builder, xs ...graph.Array) []graph.Array {
	t.Helper()
	var want []graph.Array
	for _, threads := range []int{1, 2, 3} {
		for what, constant := range []func(i int) bool{
			func(int) bool { return false },
			func(i int) bool { return i > 0 && len(xs[i].Data) > 0 },
		} {
			m, inputs := modelOf(t, build, constant, xs...)
			e := compiled(t, m, threads)
			for run := range 2 {
				got := ran(t, e, len(m.Subgraphs[0].Outputs), inputs...)
				if want == nil {
					want = got
					continue
				}
				for i := range got {
					sameBytes(t, fmt.Sprintf("output %d with %d threads, variant %d, run %d", i, threads, what, run), got[i], want[i])
				}
			}
		}
	}
	return want
}

// never and always are choices of constants for modelOf.
func never(int) bool  { return false }
func always(int) bool { return true }
