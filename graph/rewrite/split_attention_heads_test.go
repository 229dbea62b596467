package rewrite

import (
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestSplitAttentionHeads(t *testing.T) {
	gone := []graph.OpCode{schema.BuiltinOperatorBATCH_MATMUL}
	product := func(x, y []int, adjX, adjY bool) func(b *graph.Builder) {
		return func(b *graph.Builder) {
			b.Output("y", b.BatchMatMul(b.Input("x", graph.Float32, x...), b.Input("y", graph.Float32, y...), adjX, adjY))
		}
	}
	case1 := func(name string, changed int, build func(b *graph.Builder)) rewriteCase {
		c := rewriteCase{name: name, changed: changed, tolerance: 1e-6, build: build}
		if changed > 0 {
			c.gone = gone
		}
		return c
	}
	prove(t, splitAttentionHeads, []rewriteCase{
		case1("scores", 1, product([]int{1, 3, 5, 4}, []int{1, 3, 6, 4}, false, true)),
		case1("values", 1, product([]int{1, 3, 5, 4}, []int{1, 3, 4, 6}, false, false)),
		case1("a left operand that lies the other way", 1, product([]int{2, 4, 5}, []int{2, 4, 6}, true, false)),
		case1("batches of heads", 1, product([]int{2, 3, 5, 4}, []int{2, 3, 6, 4}, false, true)),
		case1("one head", 1, product([]int{1, 1, 5, 4}, []int{1, 1, 6, 4}, false, true)),
		case1("matrices", 1, product([]int{5, 4}, []int{4, 6}, false, false)),
		case1("one right side for all", 1, product([]int{2, 3, 5, 4}, []int{4, 6}, false, false)),
		case1("one left side for all stays", 0, product([]int{5, 4}, []int{3, 4, 6}, false, false)),
		case1("heads of two ranks", 1, product([]int{1, 3, 5, 4}, []int{3, 4, 6}, false, false)),
		case1("broadcast heads stay", 0, product([]int{2, 3, 5, 4}, []int{1, 3, 4, 6}, false, false)),
		case1("whole attention", 2, func(b *graph.Builder) {
			q, k, v := b.Input("q", graph.Float32, 1, 4, 6, 8), b.Input("k", graph.Float32, 1, 4, 7, 8), b.Input("v", graph.Float32, 1, 4, 7, 8)
			b.Output("y", b.BatchMatMul(b.Softmax(b.BatchMatMul(q, k, false, true)), v, false, false))
		}),
		case1("a constant for each head is cut in the file", 1, func(b *graph.Builder) {
			b.Output("y", b.BatchMatMul(b.Input("x", graph.Float32, 3, 5, 4), weights(b, "w", 3, 6, 4), false, true))
		}),
		case1("a constant that lies the other way", 1, func(b *graph.Builder) {
			b.Output("y", b.BatchMatMul(b.Input("x", graph.Float32, 3, 5, 4), weights(b, "w", 3, 4, 7), false, false))
		}),
	})
}
