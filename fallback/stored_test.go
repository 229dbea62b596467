package fallback

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// storedConstant is random weights of a type, with a quantization for integers.
func storedConstant(r *rand.Rand, kind graph.TensorType, perChannel bool, zero int64, shape ...int) (graph.Array, *graph.Quantization) {
	a := graph.NewArray(kind, shape...)
	if kind == graph.Float16 {
		for i := range graph.View[uint16](a.Data) {
			graph.View[uint16](a.Data)[i] = uint16(r.IntN(2)<<15 | r.IntN(0x4400)) // up to 4, many denormal
		}
		return a, nil
	}
	for i := range a.Data {
		a.Data[i] = byte(r.IntN(256))
	}
	q := &graph.Quantization{Scale: make([]float32, 1), ZeroPoint: []int64{zero}}
	if perChannel {
		q.Scale, q.ZeroPoint = make([]float32, shape[0]), make([]int64, shape[0])
	}
	for i := range q.Scale {
		q.Scale[i], q.ZeroPoint[i] = r.Float32()/100, zero
	}
	return a, q
}

func TestStoredWeightsGiveTheBitsOfWidenedOnes(t *testing.T) {
	for _, kind := range []struct {
		name       string
		t          graph.TensorType
		perChannel bool
		zero       int64
	}{
		{"float16", graph.Float16, false, 0}, {"int8", graph.Int8, false, 0}, {"int8 with a zero point", graph.Int8, false, -7}, {"int8 a channel", graph.Int8, true, 0},
		{"int4", graph.Int4, false, 3}, {"int4 a channel", graph.Int4, true, 0},
	} {
		for _, s := range []struct{ rows, in, out int }{{1, 3, 600}, {1, 800, 161}, {13, 31, 200}, {70, 777, 129}, {3, 1600, 140}} {
			t.Run(fmt.Sprintf("%s, %d×%d to %d", kind.name, s.rows, s.in, s.out), func(t *testing.T) {
				r := seeded(t)
				w, q := storedConstant(r, kind.t, kind.perChannel, kind.zero, s.out, s.in)
				storedAgreesWithWidened(t, random(r, graph.Float32, s.rows, s.in), func(b *graph.Builder, x graph.T) graph.T {
					return b.FullyConnected(x, b.Dequantize(b.QuantizedConst("w", w, q)), b.Const("b", random(r, graph.Float32, s.out)), graph.ActRelu)
				})
			})
			if s.in > 100 {
				continue
			}
			for groups := 1; groups <= 2; groups++ {
				t.Run(fmt.Sprintf("%s, convolution of %d to %d in %d groups", kind.name, s.in, s.out, groups), func(t *testing.T) {
					r := seeded(t)
					w, q := storedConstant(r, kind.t, kind.perChannel, kind.zero, s.out, 3, 3, s.in)
					storedAgreesWithWidened(t, random(r, graph.Float32, 1, 5, 7, s.in*groups), func(b *graph.Builder, x graph.T) graph.T {
						return b.Conv2D(x, b.Dequantize(b.QuantizedConst("w", w, q)), graph.None, 1, graph.Same, graph.ActNone)
					})
				})
			}
		}
	}
}

// storedAgreesWithWidened runs a model with its weights as they are and as
// float32, and checks that the first has no float32 copy of them.
func storedAgreesWithWidened(t *testing.T, x graph.Array, build func(b *graph.Builder, x graph.T) graph.T) {
	t.Helper()
	b := graph.NewBuilder("stored")
	b.Output("y", build(b, b.Input("x", graph.Float32, x.Shape...)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	keeping, widening := compiledWith(t, m, Options{Threads: 2, widened: 1}), compiledWith(t, m, Options{Threads: 2, widened: math.MaxInt})
	kept := false
	for _, v := range keeping.(*executable).values {
		kept = kept || v.stored != nil && v.data == nil
	}
	if !kept {
		t.Fatal("no weights are kept as they are stored")
	}
	sameBytes(t, "stored", ran(t, keeping, 1, x)[0], ran(t, widening, 1, x)[0])
}

func TestStoredBlocksGiveTheBitsOfWidenedOnes(t *testing.T) {
	for _, s := range []struct{ rows, in, out, block int }{{1, 96, 161, 32}, {5, 1600, 200, 32}, {30, 1536, 130, 512}, {2, 35, 140, 5}} {
		for _, zero := range []float32{0, 1.5} {
			t.Run(fmt.Sprintf("%d×%d to %d in blocks of %d from %v", s.rows, s.in, s.out, s.block, zero), func(t *testing.T) {
				r := seeded(t)
				w, _ := storedConstant(r, graph.Int4, false, 0, s.out, s.in)
				zeros := graph.NewArray(graph.Float32, s.out, s.in/s.block)
				for i := range graph.View[float32](zeros.Data) {
					graph.View[float32](zeros.Data)[i] = zero
				}
				storedAgreesWithWidened(t, random(r, graph.Float32, s.rows, s.in), func(b *graph.Builder, x graph.T) graph.T {
					scales, points := b.Const("scales", random(r, graph.Float32, s.out, s.in/s.block)), b.Const("zeros", zeros)
					q := &graph.Quantization{Details: &schema.QuantizationDetailsT{
						Type:  schema.QuantizationDetailsBlockwiseQuantization,
						Value: &schema.BlockwiseQuantizationT{Scales: int32(scales), ZeroPoints: int32(points), BlockSize: int32(s.block)},
					}}
					return b.Op(schema.BuiltinOperatorFULLY_CONNECTED, 13, nil, []graph.T{x, b.QuantizedConst("w", w, q)}, graph.Tensor{Type: graph.Float32, Shape: []int{s.rows, s.out}, HasRank: true})[0]
				})
			})
		}
	}
}

func TestStoredWeightsKeepInfinityAndNaN(t *testing.T) {
	r := seeded(t)
	const in, out = 20, 200
	w, _ := storedConstant(r, graph.Float16, false, 0, out, in)
	for i, bits := range []uint16{0x7C00, 0xFC00, 0x7E01, 0x0001, 0x8000, 0x7BFF} {
		graph.View[uint16](w.Data)[i*in+i] = bits
	}
	storedAgreesWithWidened(t, random(r, graph.Float32, 4, in), func(b *graph.Builder, x graph.T) graph.T {
		return b.FullyConnected(x, b.Dequantize(b.Const("w", w)), graph.None, graph.ActNone)
	})
}

func TestWeightsThatAreReadOtherwiseAreWidened(t *testing.T) {
	r := seeded(t)
	const in, out = 20, 200
	w, _ := storedConstant(r, graph.Float16, false, 0, out, in)
	b := graph.NewBuilder("read twice")
	x, wide := b.Input("x", graph.Float32, 4, in), b.Dequantize(b.Const("w", w))
	b.Output("y", b.FullyConnected(x, wide, graph.None, graph.ActNone))
	b.Output("z", b.Mul(wide, b.Input("s", graph.Float32, 1)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	one := floats32(1)
	xs := random(r, graph.Float32, 4, in)
	got := ran(t, compiledWith(t, m, Options{Threads: 2, widened: 1}), 2, xs, one)
	want := ran(t, compiledWith(t, m, Options{Threads: 2}), 2, xs, one)
	for i := range got {
		sameBytes(t, "output", got[i], want[i])
	}
}

// BenchmarkStoredWeights is one row by large weights, and many.
func BenchmarkStoredWeights(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, size := range []struct{ rows, in, out int }{{1, 512, 1024}, {1, 1024, 2048}, {1, 2048, 6144}, {77, 768, 3072}, {1024, 1024, 1024}} {
		for _, kind := range []graph.TensorType{graph.Float16, graph.Int8, graph.Int4} {
			w, q := storedConstant(r, kind, kind != graph.Float16, 0, size.out, size.in)
			g := graph.NewBuilder("bench")
			g.Output("y", g.FullyConnected(g.Input("x", graph.Float32, size.rows, size.in), g.Dequantize(g.QuantizedConst("w", w, q)), graph.None, graph.ActNone))
			m, err := g.Model()
			if err != nil {
				b.Fatal(err)
			}
			for name, widened := range map[string]int{"stored": 1, "widened": math.MaxInt} {
				b.Run(fmt.Sprintf("%d×%d to %d/%v/%s", size.rows, size.in, size.out, kind, name), func(b *testing.B) {
					e, err := New(Options{Threads: 2, widened: widened}).Compile(b.Context(), m)
					if err != nil {
						b.Fatal(err)
					}
					defer e.Close()
					x, y := []graph.Array{graph.NewArray(graph.Float32, size.rows, size.in)}, make([]graph.Array, 1)
					for b.Loop() {
						if err := e.Run(b.Context(), x, y); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}
