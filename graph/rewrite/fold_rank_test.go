package rewrite

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// noDeepOps: only RESHAPEs may have more than four dimensions.
func noDeepOps(t *testing.T, m *graph.Model) {
	t.Helper()
	g := &m.Subgraphs[0]
	for _, op := range g.Ops {
		if op.Code == schema.BuiltinOperatorRESHAPE {
			continue
		}
		for _, ids := range [][]int{op.Inputs, op.Outputs} {
			for _, id := range ids {
				if id >= 0 && len(g.Tensors[id].Shape) > mostRank {
					t.Errorf("%s has rank %d\n%s", op.Name(), len(g.Tensors[id].Shape), listed(m))
				}
			}
		}
	}
}

func TestFoldRank(t *testing.T) {
	cases := []rewriteCase{
		{name: "patches of an image", changed: 1, build: func(b *graph.Builder) {
			x := b.Reshape(b.Input("x", graph.Float32, 1, 4, 6, 3), 1, 2, 2, 3, 2, 3)
			b.Output("y", b.Reshape(b.Transpose(x, 0, 1, 3, 2, 4, 5), 1, 6, 12))
		}},
		{name: "channels first", changed: 1, build: func(b *graph.Builder) {
			x := b.Input("x", graph.Float32, 2, 3, 2, 4, 2)
			b.Output("y", b.Transpose(x, 4, 0, 1, 2, 3))
		}},
		{name: "five that all move", changed: 1, build: func(b *graph.Builder) {
			b.Output("y", b.Transpose(b.Input("x", graph.Float32, 2, 3, 4, 5, 6), 4, 3, 2, 1, 0))
		}},
		{name: "nothing moves but ones", changed: 1, build: func(b *graph.Builder) {
			b.Output("y", b.Transpose(b.Input("x", graph.Float32, 1, 3, 1, 5, 6), 1, 0, 3, 2, 4))
		}},
		{name: "element by element", changed: 3, build: func(b *graph.Builder) {
			x := b.Input("x", graph.Float32, 2, 3, 2, 4, 2)
			b.Output("y", b.AddAct(b.Tanh(x), b.Mul(x, x), graph.ActRelu))
		}},
		{name: "broadcast by trailing dimensions", changed: 1, build: func(b *graph.Builder) {
			b.Output("y", b.Mul(b.Input("x", graph.Float32, 2, 3, 2, 4, 2), weights(b, "w", 4, 2)))
		}},
		{name: "broadcast in the middle, both ways", changed: 1, build: func(b *graph.Builder) {
			b.Output("y", b.Sub(b.Input("x", graph.Float32, 2, 3, 1, 4, 2), b.Input("y", graph.Float32, 1, 3, 5, 1, 1)))
		}},
		{name: "a broadcast of five kinds stays", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Sub(b.Input("x", graph.Float32, 2, 1, 3, 1, 2), b.Input("y", graph.Float32, 1, 3, 1, 5, 2)))
		}},
		{name: "softmax, joining and taking apart", changed: 3, build: func(b *graph.Builder) {
			parts := b.Split(b.Input("x", graph.Float32, 2, 3, 4, 2, 3), 2, 2)
			b.Output("y", b.Softmax(b.Concat(-2, parts[1], parts[0])))
		}},
		{name: "a product", changed: 1, build: func(b *graph.Builder) {
			b.Output("y", b.BatchMatMul(b.Input("x", graph.Float32, 2, 1, 3, 4, 5), b.Input("z", graph.Float32, 2, 1, 3, 6, 5), false, true))
		}},
		{name: "reductions", changed: 3, tolerance: 1e-6, build: func(b *graph.Builder) {
			x := b.Input("x", graph.Float32, 2, 3, 4, 2, 3)
			b.Output("a", b.Mean(x, []int{1, 3, 4}, true))
			b.Output("b", b.Mean(x, []int{0, 2}, false))
			b.Output("c", b.Reduce(schema.BuiltinOperatorREDUCE_MAX, x, []int{-1}, false))
		}},
		{name: "four dimensions stay", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Transpose(b.Input("x", graph.Float32, 2, 3, 4, 5), 3, 2, 1, 0))
		}},
	}
	prove(t, foldRank, cases)
	for _, c := range cases {
		if c.changed > 0 {
			out, _ := applied(t, foldRank, built(t, c.build))
			noDeepOps(t, out)
		}
	}
}

func TestFoldRankTakesEveryTranspose(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for i := range 60 {
		shape := make([]int, 5+r.IntN(2))
		for d := range shape {
			shape[d] = 1 + r.IntN(3)
		}
		perm := r.Perm(len(shape))
		t.Run(fmt.Sprintf("%d: %v by %v", i, shape, perm), func(t *testing.T) {
			m := built(t, func(b *graph.Builder) { b.Output("y", b.Transpose(b.Input("x", graph.Float32, shape...), perm...)) })
			out, changed := applied(t, foldRank, m)
			if changed != 1 {
				t.Fatalf("%d changed", changed)
			}
			noDeepOps(t, out)
			sameOutputs(t, m, out, rewriteCase{})
		})
	}
}
