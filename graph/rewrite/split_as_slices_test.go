package rewrite

import (
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestSplitAsSlices(t *testing.T) {
	prove(t, splitAsSlices, []rewriteCase{
		{name: "six parts", changed: 1, gone: []graph.OpCode{schema.BuiltinOperatorSPLIT}, build: func(b *graph.Builder) {
			parts := b.Split(b.Input("x", graph.Float32, 2, 12, 3), -2, 6)
			b.Output("y", b.Concat(0, parts[5], parts[0], parts[3]))
		}},
		{name: "four parts stay", changed: 0, build: func(b *graph.Builder) {
			b.Output("y", b.Concat(0, b.Split(b.Input("x", graph.Float32, 2, 12, 3), 1, 4)...))
		}},
	})
}

func TestNarrowConcatenation(t *testing.T) {
	build := func(n int) func(b *graph.Builder) {
		return func(b *graph.Builder) {
			var parts []graph.T
			for i := range n {
				parts = append(parts, b.Input(string(rune('a'+i)), graph.Float32, 2, i+1, 3))
			}
			b.Output("y", b.Concat(-2, parts...))
		}
	}
	var cases []rewriteCase
	for n, name := range map[int]string{5: "five", 9: "nine", 17: "seventeen"} {
		cases = append(cases, rewriteCase{name: name, changed: 1, build: build(n)})
	}
	prove(t, narrowConcatenation, append(cases, rewriteCase{name: "four stay", changed: 0, build: build(4)}))
	out, _ := applied(t, narrowConcatenation, built(t, build(17)))
	for _, op := range out.Subgraphs[0].Ops {
		if len(op.Inputs) > mostParts {
			t.Errorf("%d tensors are joined at once", len(op.Inputs))
		}
	}
}
