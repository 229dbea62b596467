package calibrate

import (
	"strings"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/rewrite"
)

func TestOperatorsBeyondFloat16AreNamedAndScaledNormsAreNotAmongThem(t *testing.T) {
	b := graph.NewBuilder("m")
	x := b.Input("x", graph.Float32, 1, 4)
	root := b.Rsqrt(b.Add(b.Mean(b.Named(b.Mul(x, x), "squares"), []int{1}, true), b.Scalar("epsilon", 1e-6)))
	b.Output("y", b.Mul(x, root))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	observed := func(m *graph.Model) *graph.Model {
		o := NewObserver()
		e, err := o.Compile(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		values := []float32{900, -3, 1, 0.5}
		if err := e.Run(t.Context(), []graph.Array{{Type: graph.Float32, Shape: []int{1, 4}, Data: graph.Bytes(values)}}, make([]graph.Array, 1)); err != nil {
			t.Fatal(err)
		}
		return Annotated(m, o.Ranges()[0])
	}
	with := observed(m)
	list := Overflows(with)
	if len(list) != 3 || !strings.Contains(list[0].String(), "op 0 (MUL)") || !strings.Contains(list[0].String(), "8.1e+05") ||
		!strings.Contains(list[1].Op, "MEAN") || !strings.Contains(list[2].Op, "ADD") {
		t.Errorf("overflows %v", list)
	}
	passes, err := rewrite.ByName([]string{"scale-norms"})
	if err != nil {
		t.Fatal(err)
	}
	scaled, _, err := rewrite.Apply(with, passes)
	if err != nil {
		t.Fatal(err)
	}
	if list := Overflows(scaled); len(list) != 0 {
		t.Errorf("after scale-norms: %v", list)
	}
	// The ranges that the pass wrote are those that the model has.
	if list := Overflows(observed(scaled)); len(list) != 0 {
		t.Errorf("after scale-norms, observed: %v", list)
	}
}
