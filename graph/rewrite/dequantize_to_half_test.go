package rewrite

import (
	"math"
	"math/rand/v2"
	"testing"

	"nanoflux/graph"
)

func TestDequantizeToHalf(t *testing.T) {
	build := func(b *graph.Builder) {
		b.Output("y", b.FullyConnected(b.Input("x", graph.Float32, 4, 30), b.Dequantize(int8Weights(b, true, 7, 30)), graph.None, graph.ActNone))
	}
	prove(t, dequantizeToHalf, []rewriteCase{
		{name: "weights of a layer", changed: 1, tolerance: 1e-3, build: build},
		{name: "weights beyond the range of halves stay", changed: 0, build: func(b *graph.Builder) {
			w := b.QuantizedConst("w", graph.Array{Type: graph.Int8, Shape: []int{2}, Data: []byte{1, 127}}, &graph.Quantization{Scale: []float32{1000}, ZeroPoint: []int64{0}})
			b.Output("y", b.Mul(b.Input("x", graph.Float32, 2), b.Dequantize(w)))
		}},
	})
	out, _ := applied(t, dequantizeToHalf, built(t, build))
	g := &out.Subgraphs[0]
	if x := g.Tensors[g.Ops[0].Inputs[0]]; x.Type != graph.Float16 || g.Ops[0].Version != 3 {
		t.Errorf("DEQUANTIZE version %d of %v", g.Ops[0].Version, x.Type)
	}
}

// Every half is its own rounding, and every float goes to a nearest half.
func TestToHalfRoundsToTheNearest(t *testing.T) {
	for h := range uint16(0x7C00) {
		for _, sign := range []uint16{0, 0x8000} {
			if got, ok := toHalf(half(h | sign)); !ok || got != h|sign {
				t.Fatalf("%#04x became %#04x, %v", h|sign, got, ok)
			}
		}
	}
	r := rand.New(rand.NewPCG(2, 2))
	for range 200000 {
		h := uint16(1 + r.IntN(0x7BFE))
		low, high := half(h), half(h+1)
		v := low + (high-low)*r.Float32()
		if r.IntN(4) == 0 {
			v = (low + high) / 2 // a tie: to the even one
		}
		got, ok := toHalf(v)
		off := math.Abs(float64(half(got)) - float64(v))
		best := min(float64(v)-float64(low), float64(high)-float64(v))
		if !ok || off != best || float64(v)-float64(low) == float64(high)-float64(v) && got%2 == 1 {
			t.Fatalf("%v between %v and %v became %v", v, low, high, half(got))
		}
	}
	for _, v := range []float32{65520, 1e9, 1e-9, float32(math.Inf(1)), float32(math.NaN())} {
		if h, ok := toHalf(v); ok {
			t.Errorf("%v became %v", v, half(h))
		}
	}
}
