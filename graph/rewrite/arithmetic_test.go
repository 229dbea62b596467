package rewrite

import (
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestSquareAsMul(t *testing.T) {
	prove(t, squareAsMul, []rewriteCase{
		{name: "a square", changed: 1, gone: []graph.OpCode{schema.BuiltinOperatorSQUARE}, build: func(b *graph.Builder) {
			b.Output("y", b.Square(b.Input("x", graph.Float32, 2, 3)))
		}},
		{name: "a batch of any size", changed: 1, build: func(b *graph.Builder) {
			b.Output("y", b.Square(b.Input("x", graph.Float32, -1, 3)))
		}},
		{name: "integers stay", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Mul(b.Input("x", graph.Int32, 3), b.Input("z", graph.Int32, 3)))
		}},
	})
}

func TestSquaredDifferenceAsMul(t *testing.T) {
	prove(t, squaredDifferenceAsMul, []rewriteCase{
		{name: "broadcast", changed: 1, gone: []graph.OpCode{schema.BuiltinOperatorSQUARED_DIFFERENCE}, build: func(b *graph.Builder) {
			b.Output("y", b.SquaredDifference(b.Input("x", graph.Float32, 2, 3), b.Input("m", graph.Float32, 2, 1)))
		}},
	})
}

func TestSubAsAdd(t *testing.T) {
	gone := []graph.OpCode{schema.BuiltinOperatorSUB}
	prove(t, subAsAdd, []rewriteCase{
		{name: "two values", changed: 1, gone: gone, build: func(b *graph.Builder) {
			b.Output("y", b.Sub(b.Input("x", graph.Float32, 2, 3), b.Input("m", graph.Float32, 2, 1)))
		}},
		{name: "a constant is negated in the file", changed: 1, gone: append(gone, schema.BuiltinOperatorMUL), build: func(b *graph.Builder) {
			b.Output("y", b.Sub(b.Input("x", graph.Float32, 2, 3), weights(b, "w", 3)))
		}},
		{name: "a fused activation stays", changed: 1, gone: gone, build: func(b *graph.Builder) {
			x, y := b.Input("x", graph.Float32, 2, 3), b.Input("y", graph.Float32, 2, 3)
			b.Output("z", b.Op(schema.BuiltinOperatorSUB, 0, &schema.SubOptionsT{FusedActivationFunction: graph.ActRelu},
				[]graph.T{x, y}, graph.Tensor{Type: graph.Float32, Shape: []int{2, 3}})[0])
		}},
	})
}

func TestNegAsMul(t *testing.T) {
	prove(t, negAsMul, []rewriteCase{
		{name: "a sign", changed: 1, gone: []graph.OpCode{schema.BuiltinOperatorNEG}, build: func(b *graph.Builder) {
			b.Output("y", b.Neg(b.Input("x", graph.Float32, 2, 3)))
		}},
	})
}

func TestDivAsMul(t *testing.T) {
	gone := []graph.OpCode{schema.BuiltinOperatorDIV}
	prove(t, divAsMul, []rewriteCase{
		{name: "by a constant", changed: 1, gone: gone, tolerance: 1e-6, build: func(b *graph.Builder) {
			b.Output("y", b.Div(b.Input("x", graph.Float32, 2, 3), graph.ConstOf(b, "c", []float32{3, -7, 0.1})))
		}},
		{name: "by a square root", changed: 1, gone: append(gone, schema.BuiltinOperatorSQRT), tolerance: 1e-6, positive: true, build: func(b *graph.Builder) {
			b.Output("y", b.Div(b.Input("x", graph.Float32, 2, 3), b.Sqrt(b.Input("v", graph.Float32, 2, 1))))
		}},
		{name: "by a value stays", changed: 0, positive: true, build: func(b *graph.Builder) {
			b.Output("y", b.Div(b.Input("x", graph.Float32, 2, 3), b.Input("v", graph.Float32, 2, 1)))
		}},
		{name: "by a constant without a reciprocal stays", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Div(b.Input("x", graph.Float32, 2), graph.ConstOf(b, "c", []float32{2, 3e38})))
		}},
	})
}

func TestRsqrtWithOtherOperators(t *testing.T) {
	build := func(b *graph.Builder) { b.Output("y", b.Rsqrt(b.Input("x", graph.Float32, 2, 3))) }
	gone := []graph.OpCode{schema.BuiltinOperatorRSQRT}
	prove(t, rsqrtAsDiv, []rewriteCase{{name: "by division", changed: 1, gone: gone, tolerance: 1e-6, positive: true, build: build}})
	prove(t, rsqrtAsPow, []rewriteCase{{name: "by a power", changed: 1, gone: gone, tolerance: 1e-6, positive: true, build: build}})
}

func TestExpandGelu(t *testing.T) {
	prove(t, expandGelu, []rewriteCase{
		{name: "the tanh form", changed: 1, gone: []graph.OpCode{schema.BuiltinOperatorGELU}, tolerance: 1e-6, build: func(b *graph.Builder) {
			b.Output("y", b.Gelu(b.Mul(b.Input("x", graph.Float32, 4, 300), b.Scalar("wide", 4)), true))
		}},
		{name: "the erf form stays", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Gelu(b.Input("x", graph.Float32, 4, 30), false))
		}},
	})
	prove(t, approximateGelu, []rewriteCase{
		{name: "the erf form", changed: 1, tolerance: 5e-4 / 8, build: func(b *graph.Builder) {
			b.Output("y", b.Gelu(b.Mul(b.Input("x", graph.Float32, 4, 3000), b.Scalar("wide", 4)), false))
		}},
	})
}

func TestExpandLogistic(t *testing.T) {
	prove(t, expandLogistic, []rewriteCase{
		{name: "a SiLU", changed: 1, gone: []graph.OpCode{schema.BuiltinOperatorLOGISTIC}, tolerance: 1e-6, build: func(b *graph.Builder) {
			x := b.Mul(b.Input("x", graph.Float32, 4, 300), b.Scalar("wide", 4))
			b.Output("y", b.Mul(x, b.Logistic(x)))
		}},
	})
}

func TestMeanAsFullyConnected(t *testing.T) {
	gone := []graph.OpCode{schema.BuiltinOperatorMEAN, schema.BuiltinOperatorSUM}
	prove(t, meanAsFullyConnected, []rewriteCase{
		{name: "means and sums that share their weights", changed: 3, gone: gone, tolerance: 1e-5, build: func(b *graph.Builder) {
			x := b.Input("x", graph.Float32, 2, 5, 300)
			b.Output("a", b.Mean(x, []int{2}, true))
			b.Output("b", b.Mean(x, []int{-1}, true))
			b.Output("c", b.Sum(x, []int{2}, true))
		}},
		{name: "without the dimension", changed: 1, gone: gone, has: []graph.OpCode{schema.BuiltinOperatorRESHAPE}, tolerance: 1e-5, build: func(b *graph.Builder) {
			b.Output("y", b.Mean(b.Input("x", graph.Float32, 2, 5, 30), []int{2}, false))
		}},
		{name: "a matrix", changed: 1, gone: gone, tolerance: 1e-5, build: func(b *graph.Builder) {
			b.Output("y", b.Mean(b.Input("x", graph.Float32, 5, 30), []int{1}, true))
		}},
		{name: "the groups of a norm", changed: 1, has: []graph.OpCode{schema.BuiltinOperatorMEAN, schema.BuiltinOperatorFULLY_CONNECTED}, tolerance: 1e-5, build: func(b *graph.Builder) {
			b.Output("y", b.Mean(b.Input("x", graph.Float32, 1, 20, 3, 8), []int{1, 3}, true))
		}},
		{name: "one dimension of size 1", changed: 1, tolerance: 1e-5, build: func(b *graph.Builder) {
			b.Output("y", b.Mean(b.Input("x", graph.Float32, 1, 4, 1), []int{1, 2}, true))
		}},
		{name: "with another dimension of size 1", changed: 1, tolerance: 1e-5, build: func(b *graph.Builder) {
			b.Output("y", b.Sum(b.Input("x", graph.Float32, 1, 4, 8), []int{0, 2}, true))
		}},
		{name: "several that go stay", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Mean(b.Input("x", graph.Float32, 1, 20, 3, 8), []int{1, 3}, false))
		}},
		{name: "other dimensions stay", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Mean(b.Input("x", graph.Float32, 2, 5, 30), []int{0, 1}, true))
		}},
		{name: "a batch of any size stays", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Mean(b.Input("x", graph.Float32, -1, 5, 30), []int{2}, true))
		}},
	})
}
