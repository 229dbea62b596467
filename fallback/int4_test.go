package fallback

import (
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// int4Array packs integers of −8…7, the first of two in the lower half of a byte.
func int4Array(values []int8, shape ...int) graph.Array {
	a := graph.NewArray(graph.Int4, shape...)
	for i, v := range values {
		a.Data[i/2] |= byte(v) & 15 << (i % 2 * 4)
	}
	return a
}

func TestWeightsOf4BitsWithAScaleAChannelAreThoseOf8Bits(t *testing.T) {
	r := seeded(t)
	const rows, in, out = 5, 14, 6
	x := random(r, graph.Float32, rows, in)
	narrow, wide := make([]int8, out*in), graph.NewArray(graph.Int8, out, in)
	for i := range narrow {
		narrow[i] = int8(r.IntN(16) - 8)
		graph.View[int8](wide.Data)[i] = narrow[i]
	}
	q := &graph.Quantization{Scale: make([]float32, out), ZeroPoint: make([]int64, out)}
	for i := range q.Scale {
		q.Scale[i] = 0.01 + r.Float32()
	}
	for name, use := range map[string]func(b *graph.Builder, x, w graph.T) graph.T{
		"dequantized": func(b *graph.Builder, x, w graph.T) graph.T {
			return b.FullyConnected(x, b.Dequantize(w), graph.None, graph.ActNone)
		},
		"dynamic range": func(b *graph.Builder, x, w graph.T) graph.T {
			return b.Op(schema.BuiltinOperatorFULLY_CONNECTED, 9, nil, []graph.T{x, w}, graph.Tensor{Type: graph.Float32, Shape: []int{rows, out}, HasRank: true})[0]
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(w graph.Array) graph.Array {
				m, _ := modelOf(t, one(func(b *graph.Builder, in []graph.T) graph.T {
					return use(b, in[0], b.QuantizedConst("w", w, q))
				}), never, x)
				return ran(t, compiled(t, m, 2), 1, x)[0]
			}
			sameBytes(t, "4 bits", run(int4Array(narrow, out, in)), run(wide))
		})
	}
}

func TestWeightsOf4BitsWithAScaleABlockAreDequantized(t *testing.T) {
	r := seeded(t)
	const rows, in, out, block = 3, 64, 10, 32
	x := random(r, graph.Float32, rows, in)
	integers := make([]int8, out*in)
	for i := range integers {
		integers[i] = int8(r.IntN(16) - 8)
	}
	scales := random(r, graph.Float32, out, in/block)
	b := graph.NewBuilder("blockwise")
	s := b.Const("scales", scales)
	q := &graph.Quantization{Details: &schema.QuantizationDetailsT{
		Type:  schema.QuantizationDetailsBlockwiseQuantization,
		Value: &schema.BlockwiseQuantizationT{Scales: int32(s), ZeroPoints: -1, BlockSize: block},
	}}
	w := b.QuantizedConst("w", int4Array(integers, out, in), q)
	b.Output("y", b.Op(schema.BuiltinOperatorFULLY_CONNECTED, 13, nil, []graph.T{b.Input("x", graph.Float32, rows, in), w}, graph.Tensor{Type: graph.Float32, Shape: []int{rows, out}, HasRank: true})[0])
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	got := ran(t, compiled(t, m, 2), 1, x)[0]
	want := newTensor(rows, out)
	for i := range rows {
		for j := range out {
			for k := range in {
				scale := float64(graph.View[float32](scales.Data)[j*in/block+k/block])
				want.data[i*out+j] += tensorOf(x).data[i*in+k] * scale * float64(integers[j*in+k])
			}
		}
	}
	same(t, got, want, 1e-5)
}
