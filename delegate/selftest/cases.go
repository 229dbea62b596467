package selftest

import "nanoflux/graph"

// testCase is a small model with one output.
type testCase struct {
	name  string
	build func() (*graph.Model, error)
}

func cases() []testCase {
	return []testCase{
		{"add and multiply", model(func(b *graph.Builder) graph.T {
			x := b.Input("x", graph.Float32, 1, 4, 4, 8)
			return b.Mul(b.Add(x, b.Input("y", graph.Float32, 1, 4, 4, 8)), constant(b, "w", 8))
		})},
		{"convolution", model(func(b *graph.Builder) graph.T {
			x := b.Input("x", graph.Float32, 1, 8, 8, 8)
			return b.Conv2D(x, constant(b, "w", 16, 3, 3, 8), constant(b, "bias", 16), 1, graph.Same, graph.ActRelu)
		})},
		{"fully connected", model(func(b *graph.Builder) graph.T {
			return b.FullyConnected(b.Input("x", graph.Float32, 1, 32), constant(b, "w", 24, 32), constant(b, "bias", 24), graph.ActNone)
		})},
		{"softmax", model(func(b *graph.Builder) graph.T { return b.Softmax(b.Input("x", graph.Float32, 4, 16)) })},
		{"sigmoid and tanh", model(func(b *graph.Builder) graph.T {
			x := b.Input("x", graph.Float32, 1, 4, 4, 8)
			return b.Mul(b.Logistic(x), b.Tanh(x))
		})},
		{"matrix product of activations", model(func(b *graph.Builder) graph.T {
			return b.BatchMatMul(b.Input("x", graph.Float32, 2, 8, 16), b.Input("y", graph.Float32, 2, 16, 8), false, false)
		})},
		{"normalisation", model(func(b *graph.Builder) graph.T {
			x := b.Input("x", graph.Float32, 8, 16)
			return b.Mul(x, b.Rsqrt(b.Add(b.Mean(b.Mul(x, x), []int{1}, true), b.Scalar("eps", 1e-5))))
		})},
		{"8-bit convolution", model(func(b *graph.Builder) graph.T {
			q := &graph.Quantization{Scale: []float32{0.05}, ZeroPoint: []int64{3}}
			x := b.QuantizedInput("x", graph.Int8, q, 1, 8, 8, 8)
			w := graph.NewArray(graph.Int8, 16, 3, 3, 8)
			for i := range w.Data {
				w.Data[i] = byte(i * 37)
			}
			weights := b.QuantizedConst("w", w, &graph.Quantization{Scale: []float32{0.01}, ZeroPoint: []int64{0}})
			y := b.Conv2D(x, weights, graph.None, 1, graph.Same, graph.ActRelu)
			return b.Quantized(y, 0.5, -10)
		})},
	}
}

func model(body func(b *graph.Builder) graph.T) func() (*graph.Model, error) {
	return func() (*graph.Model, error) {
		b := graph.NewBuilder("self-test")
		b.Output("result", body(b))
		return b.Model()
	}
}

// constant has values between -0.5 and 0.5.
func constant(b *graph.Builder, name string, shape ...int) graph.T {
	a := graph.NewArray(graph.Float32, shape...)
	for i := range graph.View[float32](a.Data) {
		graph.View[float32](a.Data)[i] = float32(i*7%32)/32 - 0.5
	}
	return b.Const(name, a)
}
