package partition

import (
	"slices"
	"testing"

	"nanoflux/graph"
)

func TestAPlanSaysWhatRulesKeepFromEachBackend(t *testing.T) {
	b := graph.NewBuilder("m")
	x := b.Input("x", graph.Float32, 4)
	b.Output("y", b.Softmax(b.Neg(b.Softmax(x))))
	m := built(t, b)
	plan, err := New(t.Context(), m, 0, profileOf(t, "rules:\n  - {op: SOFTMAX, avoid: npu}\n  - {op: NEG, avoid: go}\n"), both(fake{name: "npu"}, fake{name: "go"}))
	if err != nil {
		t.Fatal(err)
	}
	text, err := plan.YAML()
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadPlan(text, "plan.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*Plan{"made": plan, "read": back} {
		if !slices.Equal(p.Backends[0].Avoided, Ops{0, 2}) || !slices.Equal(p.Backends[1].Avoided, Ops{1}) {
			t.Errorf("%s: %v", name, p.Backends)
		}
	}
}
