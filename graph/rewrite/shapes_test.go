package rewrite

import (
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

var (
	onlyReshape   = []graph.OpCode{schema.BuiltinOperatorRESHAPE}
	onlyTranspose = []graph.OpCode{schema.BuiltinOperatorTRANSPOSE}
)

func TestShapeAsReshape(t *testing.T) {
	prove(t, shapeAsReshape, []rewriteCase{
		{name: "dimensions of size 1", changed: 2, gone: []graph.OpCode{schema.BuiltinOperatorSQUEEZE, schema.BuiltinOperatorEXPAND_DIMS}, build: func(b *graph.Builder) {
			b.Output("y", b.Abs(b.ExpandDims(b.Squeeze(b.Input("x", graph.Float32, 1, 5, 1, 6)), 1)))
		}},
		{name: "stacked and taken apart", changed: 2, gone: []graph.OpCode{schema.BuiltinOperatorPACK, schema.BuiltinOperatorUNPACK}, build: func(b *graph.Builder) {
			parts := b.Unpack(b.Input("x", graph.Float32, 4, 3, 5), 1)
			b.Output("y", b.Pack(-1, parts[2], parts[0], b.Neg(parts[1])))
		}},
		{name: "8 bits", changed: 1, build: func(b *graph.Builder) {
			b.Output("y", b.Transpose(b.ExpandDims(int8Input(b, 4, 3), 0), 0, 2, 1))
		}},
	})
}

func TestMergeReshapes(t *testing.T) {
	prove(t, mergeReshapes, []rewriteCase{
		{name: "there and back", changed: 1, gone: onlyReshape, build: func(b *graph.Builder) {
			x := b.Abs(b.Input("x", graph.Float32, 2, 6))
			b.Output("y", b.Neg(b.Reshape(b.Reshape(x, 3, 4), 2, 6)))
		}},
		{name: "three in a row", changed: 2, has: onlyReshape, build: func(b *graph.Builder) {
			b.Output("y", b.Neg(b.Reshape(b.Reshape(b.Reshape(b.Input("x", graph.Float32, 2, 6), 3, 4), 12), 4, 3)))
		}},
		{name: "twins", changed: 1, build: func(b *graph.Builder) {
			x := b.Input("x", graph.Float32, 2, 6)
			b.Output("y", b.Mul(b.Reshape(x, 3, 4), b.Neg(b.Reshape(x, 3, 4))))
		}},
		{name: "one that makes an output stays", changed: 1, has: onlyReshape, build: func(b *graph.Builder) {
			b.Output("y", b.Reshape(b.Reshape(b.Input("x", graph.Float32, 2, 6), 3, 4), 12))
		}},
		{name: "an output that is its own input stays", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Reshape(b.Input("x", graph.Float32, 2, 6), 2, 6))
		}},
		{name: "a batch of any size stays", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Neg(b.Reshape(b.Reshape(b.Input("x", graph.Float32, -1, 6), 6), 3, 2)))
		}},
	})
}

func TestMergeTransposes(t *testing.T) {
	prove(t, mergeTransposes, []rewriteCase{
		{name: "two", changed: 1, build: func(b *graph.Builder) {
			b.Output("y", b.Transpose(b.Transpose(b.Input("x", graph.Float32, 2, 3, 4, 5), 0, 2, 1, 3), 3, 1, 0, 2))
		}},
		{name: "there and back", changed: 1, gone: onlyTranspose, build: func(b *graph.Builder) {
			b.Output("y", b.Neg(b.Transpose(b.Transpose(b.Input("x", graph.Float32, 2, 3, 4), 1, 2, 0), 2, 0, 1)))
		}},
		{name: "one that moves nothing", changed: 1, gone: onlyTranspose, build: func(b *graph.Builder) {
			b.Output("y", b.Neg(b.Transpose(b.Input("x", graph.Float32, 2, 3, 4), 0, 1, 2)))
		}},
	})
}

func TestTransposeAsReshape(t *testing.T) {
	prove(t, transposeAsReshape, []rewriteCase{
		{name: "a dimension of size 1", changed: 1, gone: onlyTranspose, build: func(b *graph.Builder) {
			b.Output("y", b.Transpose(b.Input("x", graph.Float32, 2, 1, 4, 5), 1, 0, 2, 3))
		}},
		{name: "others stay", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Transpose(b.Input("x", graph.Float32, 1, 3, 4, 5), 0, 2, 1, 3))
		}},
	})
}

func TestSinkReshapes(t *testing.T) {
	reshapes := func(m *graph.Model) (n int) {
		for _, op := range m.Subgraphs[0].Ops {
			if op.Code == schema.BuiltinOperatorRESHAPE {
				n++
			}
		}
		return n
	}
	cases := []rewriteCase{
		{name: "between two layers", changed: 4, build: func(b *graph.Builder) {
			x := b.Reshape(b.Abs(b.Input("x", graph.Float32, 1, 1, 4, 6)), 1, 4, 6)
			y := b.Mul(x, b.Tanh(x))
			b.Output("y", b.Abs(b.Reshape(b.Add(y, b.Scalar("one", 1)), 1, 1, 4, 6)))
		}},
		{name: "beside a constant of the channels and a residual", changed: 3, build: func(b *graph.Builder) {
			x := b.Reshape(b.Abs(b.Input("x", graph.Float32, 1, 1, 4, 6)), 1, 4, 6)
			y := b.Add(b.Mul(x, weights(b, "w", 6)), b.Input("r", graph.Float32, 1, 4, 6))
			b.Output("y", b.Abs(b.Reshape(y, 1, 1, 4, 6)))
		}},
		{name: "a norm", changed: 6, build: func(b *graph.Builder) {
			x := b.Reshape(b.Abs(b.Input("x", graph.Float32, 1, 1, 4, 6)), 1, 4, 6)
			n := b.Mul(x, b.Rsqrt(b.Add(b.Mean(b.Mul(x, x), []int{2}, true), b.Scalar("eps", 1e-6))))
			b.Output("y", b.Abs(b.Reshape(n, 1, 1, 4, 6)))
		}},
		{name: "a reshape that another kind of operator needs stays", changed: 0, build: func(b *graph.Builder) {
			x := b.Reshape(b.Abs(b.Input("x", graph.Float32, 1, 1, 4, 6)), 1, 4, 6)
			b.Output("y", b.Add(b.Neg(x), b.Transpose(b.Reshape(b.Transpose(x, 0, 2, 1), 1, 4, 6), 0, 1, 2)))
		}},
		{name: "a reshape that moves the channels stays before a broadcast", changed: 0, build: func(b *graph.Builder) {
			x := b.Reshape(b.Abs(b.Input("x", graph.Float32, 1, 4, 6)), 1, 8, 3)
			b.Output("y", b.Mul(x, weights(b, "w", 3)))
		}},
	}
	for _, c := range cases {
		m := built(t, c.build)
		out, changed, err := Apply(m, []Pass{sinkReshapes})
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		if changed[0].Changed == 0 {
			want = reshapes(m)
		}
		if got := reshapes(out); got != want {
			t.Errorf("%s: %d reshapes are left, want %d\n%s", c.name, got, want, listed(out))
		}
		sameOutputs(t, m, out, c)
	}
	prove(t, sinkReshapes, cases)
}
