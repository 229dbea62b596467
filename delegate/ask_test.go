package delegate

import (
	"slices"
	"testing"

	"nanoflux/graph"
)

// linear is y = mean(x · dequantize(w) + bias, axis), with one of its parts
// changed.
func linear(t *testing.T, change string) *graph.Model {
	t.Helper()
	is := func(s string) int {
		if s == change {
			return 1
		}
		return 0
	}
	b := graph.NewBuilder("linear" + change)
	n := 8 + is("rows")
	w, bias := graph.NewArray(graph.Int8, 32, 16), graph.NewArray(graph.Float32, 32)
	w.Data[0], bias.Data[3] = byte(is("weights")), byte(is("weights"))
	q := &graph.Quantization{Scale: make([]float32, 32), ZeroPoint: make([]int64, 32)}
	for i := range q.Scale {
		q.Scale[i] = float32(1+is("weights")) / 8
	}
	name := []string{"w", "other"}[is("names")]
	x := b.Input("x"+name, graph.Float32, 3, n, 16)
	y := b.FullyConnected(x, b.Dequantize(b.QuantizedConst(name, w, q)), b.Const("bias"+name, bias), graph.Activation(is("activation")))
	b.Output("y", b.Mean(y, []int{1 + is("axis")}, true))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestOperatorsThatADeviceCannotTellApartHaveOneSignature(t *testing.T) {
	signature := func(m *graph.Model, op string) string {
		t.Helper()
		at := slices.IndexFunc(m.Subgraphs[0].Ops, func(o graph.Op) bool { return o.Name() == op })
		x, err := Operator(m, 0, at)
		if err != nil {
			t.Fatal(err)
		}
		if g := &x.Subgraphs[0]; op == "FULLY_CONNECTED" && (len(g.Ops) != 2 || len(g.Inputs) != 1 || len(g.Outputs) != 1) {
			t.Errorf("%d operators, inputs %v, outputs %v", len(g.Ops), g.Inputs, g.Outputs)
		}
		s, err := Signature(x)
		if err != nil || len(s) != 32 {
			t.Fatalf("%q, %v", s, err)
		}
		return s
	}
	for _, test := range []struct {
		change, op string
		same       bool
	}{
		{"names", "FULLY_CONNECTED", true},
		{"weights", "FULLY_CONNECTED", true},
		{"rows", "FULLY_CONNECTED", false},
		{"activation", "FULLY_CONNECTED", false},
		{"names", "MEAN", true},
		{"axis", "MEAN", false},
		{"activation", "MEAN", true},
	} {
		if got := signature(linear(t, test.change), test.op) == signature(linear(t, ""), test.op); got != test.same {
			t.Errorf("%s with other %s: the same signature is %v", test.op, test.change, got)
		}
	}
}

func TestConstantInputsAreFoundThroughOperators(t *testing.T) {
	m := linear(t, "")
	for op, o := range m.Subgraphs[0].Ops {
		want := 0
		if o.Name() == "FULLY_CONNECTED" {
			want = 1
		}
		if got := ConstantInputs(m, 0, op); len(got) != want {
			t.Errorf("%s: %v", o.Name(), got)
		}
	}
}
