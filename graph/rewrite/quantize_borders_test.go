package rewrite

import (
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestQuantizeBorders(t *testing.T) {
	borders := []graph.OpCode{schema.BuiltinOperatorQUANTIZE, schema.BuiltinOperatorDEQUANTIZE}
	q := &graph.Quantization{Scale: []float32{0.05}, ZeroPoint: []int64{-3}}
	other := &graph.Quantization{Scale: []float32{0.1}, ZeroPoint: []int64{2}}
	prove(t, quantizeBorders, []rewriteCase{
		{name: "there and back", changed: 1, gone: borders, build: func(b *graph.Builder) {
			b.Output("y", b.Reshape(b.Quantize(b.Dequantize(int8Input(b, 2, 6)), graph.Int8, q), 12))
		}},
		{name: "moved as integers", changed: 1, gone: borders, build: func(b *graph.Builder) {
			x := b.Dequantize(int8Input(b, 2, 6))
			b.Output("y", b.Quantize(b.Slice(b.Transpose(b.Reshape(x, 2, 2, 3), 0, 2, 1), []int{0, 1, 0}, []int{2, 2, 2}), graph.Int8, q))
		}},
		{name: "another scale stays", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Quantize(b.Dequantize(int8Input(b, 2, 6)), graph.Int8, other))
		}},
		{name: "a value that is rounded stays rounded", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Dequantize(b.Quantize(b.Input("x", graph.Float32, 2, 6), graph.Int8, q)))
		}},
		{name: "twins", changed: 2, build: func(b *graph.Builder) {
			x := b.Input("x", graph.Float32, 2, 6)
			first, second := b.Quantize(x, graph.Int8, q), b.Quantize(x, graph.Int8, q)
			b.Output("y", b.Mul(b.Dequantize(first), b.Dequantize(second)))
		}},
		{name: "borders of two scales stay", changed: 0, build: func(b *graph.Builder) {
			x := b.Input("x", graph.Float32, 2, 6)
			b.Output("y", b.Mul(b.Dequantize(b.Quantize(x, graph.Int8, q)), b.Dequantize(b.Quantize(x, graph.Int8, other))))
		}},
		{name: "an output stays", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Quantize(b.Dequantize(int8Input(b, 2, 6)), graph.Int8, q))
		}},
	})
}
