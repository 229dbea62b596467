package rewrite

import (
	"math"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestFoldDequantize(t *testing.T) {
	gone := []graph.OpCode{schema.BuiltinOperatorDEQUANTIZE}
	prove(t, foldDequantize, []rewriteCase{
		{name: "8 bits by row", changed: 1, gone: gone, build: func(b *graph.Builder) {
			b.Output("y", b.Mul(b.Input("x", graph.Float32, 3, 5), b.Dequantize(int8Weights(b, true, 3, 5))))
		}},
		{name: "8 bits by column, with zero points", changed: 1, gone: gone, build: func(b *graph.Builder) {
			q := &graph.Quantization{Scale: []float32{0.5, 2, 0.25}, ZeroPoint: []int64{0, 1, -3}, Dimension: 1}
			w := b.QuantizedConst("w", graph.Array{Type: graph.Int8, Shape: []int{2, 3}, Data: graph.Bytes([]int8{1, 2, 3, -4, -5, -6})}, q)
			b.Output("y", b.Mul(b.Input("x", graph.Float32, 2, 3), b.Dequantize(w)))
		}},
		{name: "16-bit integers and unsigned bytes", changed: 2, gone: gone, build: func(b *graph.Builder) {
			q := &graph.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{0}}
			w := b.QuantizedConst("w", graph.Array{Type: graph.Int16, Shape: []int{3}, Data: graph.Bytes([]int16{-300, 2, 3000})}, q)
			u := b.QuantizedConst("u", graph.Array{Type: graph.Uint8, Shape: []int{3}, Data: []byte{0, 128, 255}}, &graph.Quantization{Scale: []float32{0.1}, ZeroPoint: []int64{128}})
			b.Output("y", b.Add(b.Mul(b.Input("x", graph.Float32, 3), b.Dequantize(w)), b.Dequantize(u)))
		}},
		{name: "halves", changed: 1, gone: gone, build: func(b *graph.Builder) {
			w := b.Const("w", graph.Array{Type: graph.Float16, Shape: []int{5}, Data: graph.Bytes([]uint16{0x3C00, 0xC001, 0x0001, 0x83FF, 0x7BFF})})
			b.Output("y", b.Mul(b.Input("x", graph.Float32, 5), b.Dequantize(w)))
		}},
		{name: "values that a run brings stay", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Dequantize(int8Input(b, 3, 5)))
		}},
	})
}

// Every one of the 65536 halves, against the definition.
func TestHalves(t *testing.T) {
	for h := range 1 << 16 {
		exponent, fraction := h>>10&31, float64(h&1023)
		want := math.Ldexp(1+fraction/1024, exponent-15)
		switch exponent {
		case 0:
			want = math.Ldexp(fraction, -24)
		case 31:
			want = math.Inf(1)
			if fraction > 0 {
				want = math.NaN()
			}
		}
		if h>>15 == 1 {
			want = -want
		}
		got := float64(half(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != math.Signbit(want) && !math.IsNaN(want) {
			t.Fatalf("half %#04x is %v, want %v", h, got, want)
		}
	}
}

func TestFoldConstants(t *testing.T) {
	left := func(codes ...graph.OpCode) []graph.OpCode { return codes }
	prove(t, foldConstants, []rewriteCase{
		{name: "a chain", changed: 4, gone: left(schema.BuiltinOperatorTRANSPOSE, schema.BuiltinOperatorRESHAPE, schema.BuiltinOperatorSQRT), tolerance: 1e-6, build: func(b *graph.Builder) {
			w := b.Sqrt(b.Square(b.Transpose(b.Reshape(weights(b, "w", 2, 6), 3, 4), 1, 0)))
			b.Output("y", b.Add(b.Input("x", graph.Float32, 4, 3), w))
		}},
		{name: "broadcast arithmetic", changed: 3, tolerance: 1e-6, build: func(b *graph.Builder) {
			w := b.Sub(b.Mul(weights(b, "a", 2, 1, 3), weights(b, "bb", 4, 1)), weights(b, "ccc", 1))
			b.Output("y", b.Mul(b.Input("x", graph.Float32, 2, 4, 3), b.Neg(w)))
		}},
		{name: "a cast", changed: 1, gone: left(schema.BuiltinOperatorCAST), build: func(b *graph.Builder) {
			b.Output("y", b.Mul(b.Input("x", graph.Float32, 3), b.Cast(graph.ConstOf(b, "n", []int32{3, -4, 5}), graph.Float32)))
		}},
		{name: "an output stays", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Add(b.Input("x", graph.Float32, 3), b.Scalar("s", 1)))
			b.Output("z", b.Neg(weights(b, "w", 3)))
		}},
		{name: "what would grow stays", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Mul(b.Input("x", graph.Float32, 30, 30), b.Mul(weights(b, "w", 30), weights(b, "v", 30, 1))))
		}},
		{name: "a fused activation stays", changed: 0, build: func(b *graph.Builder) {
			w := b.AddAct(weights(b, "w", 3), b.Scalar("s", 1), graph.ActRelu)
			b.Output("y", b.Mul(b.Input("x", graph.Float32, 3), w))
		}},
	})
}
