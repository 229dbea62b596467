package rewrite

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"nanoflux/fallback"
	"nanoflux/graph"
)

// The passes are proven on random inputs: the model before and after runs on
// the Go backend, and the outputs must agree within the pass's tolerance.

// rewriteCase is a small model and what a pass must make of it.
type rewriteCase struct {
	name  string
	build func(b *graph.Builder)
	// changed is in how many places the pass must change the model.
	changed int
	// gone and has are operators that must not, and must, be there after it.
	gone, has []graph.OpCode
	// tolerance is relative to the range of the output; 0 is exact. steps is
	// for integer outputs.
	tolerance float64
	steps     int
	// positive: inputs are in [0.1, 2.1), not in [−2, 2).
	positive bool
}

func built(t testing.TB, build func(b *graph.Builder)) *graph.Model {
	t.Helper()
	b := graph.NewBuilder("test")
	build(b)
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// prove runs cases of one pass.
func prove(t *testing.T, p Pass, cases []rewriteCase) {
	t.Helper()
	if got, err := ByName([]string{p.Name}); err != nil || len(got) != 1 {
		t.Errorf("the pass is not listed: %v", err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m := built(t, c.build)
			out, changed := applied(t, p, m)
			if changed != c.changed {
				t.Fatalf("%d places changed, want %d\n%s", changed, c.changed, listed(out))
			}
			for _, op := range out.Subgraphs[0].Ops {
				if slices.Contains(c.gone, op.Code) {
					t.Errorf("%v is still there\n%s", op.Code, listed(out))
				}
			}
			for _, code := range c.has {
				if !slices.ContainsFunc(out.Subgraphs[0].Ops, func(op graph.Op) bool { return op.Code == code }) {
					t.Errorf("there is no %v\n%s", code, listed(out))
				}
			}
			sameOutputs(t, m, out, c)
		})
	}
}

// applied runs a pass and checks what must hold for every one.
func applied(t *testing.T, p Pass, m *graph.Model) (*graph.Model, int) {
	t.Helper()
	before := m.Fingerprint()
	out, changed, err := p.Apply(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := graph.Check(out); err != nil {
		t.Fatalf("the result is no model: %v", err)
	}
	if m.Fingerprint() != before {
		t.Error("the source was changed")
	}
	if out == m {
		t.Error("the model is the source, not a new one")
	}
	if changed == 0 && out.Fingerprint() != before {
		t.Error("nothing was changed, they say, but it was")
	}
	again, _, err := p.Apply(m)
	if err != nil || again.Fingerprint() != out.Fingerprint() {
		t.Errorf("a second application to the same model gives another one (%v)", err)
	}
	if _, more, err := p.Apply(out); err != nil || more != 0 {
		t.Errorf("%s, applied to its own result, changes %d places more (%v)", p.Name, more, err)
	}
	sameInterface(t, m, out)
	return out, changed
}

func sameInterface(t *testing.T, m, out *graph.Model) {
	t.Helper()
	for s := range m.Subgraphs {
		g, h := &m.Subgraphs[s], &out.Subgraphs[s]
		for _, pair := range [][2][]int{{g.Inputs, h.Inputs}, {g.Outputs, h.Outputs}} {
			if len(pair[0]) != len(pair[1]) {
				t.Fatalf("%d inputs or outputs became %d", len(pair[0]), len(pair[1]))
			}
			for i := range pair[0] {
				x, y := g.Tensors[pair[0][i]], h.Tensors[pair[1][i]]
				x.Buffer, y.Buffer = 0, 0
				if !reflect.DeepEqual(x, y) {
					t.Errorf("input or output %+v became %+v", x, y)
				}
			}
		}
	}
	for i, x := range m.Signatures {
		y := out.Signatures[i]
		for j := range x.Inputs {
			if x.Inputs[j].Name != y.Inputs[j].Name || m.Subgraphs[x.Subgraph].Tensors[x.Inputs[j].Tensor].Name != out.Subgraphs[y.Subgraph].Tensors[y.Inputs[j].Tensor].Name {
				t.Errorf("signature input %v became %v", x.Inputs[j], y.Inputs[j])
			}
		}
		for j := range x.Outputs {
			if x.Outputs[j].Name != y.Outputs[j].Name || m.Subgraphs[x.Subgraph].Tensors[x.Outputs[j].Tensor].Name != out.Subgraphs[y.Subgraph].Tensors[y.Outputs[j].Tensor].Name {
				t.Errorf("signature output %v became %v", x.Outputs[j], y.Outputs[j])
			}
		}
	}
}

func sameOutputs(t *testing.T, m, out *graph.Model, c rewriteCase) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		inputs := randomInputs(r, m, c.positive)
		want, got := ran(t, m, inputs), ran(t, out, inputs)
		for i := range want {
			if err := near(got[i], want[i], c.tolerance, c.steps); err != nil {
				t.Fatalf("output %d: %v\n%s", i, err, listed(out))
			}
		}
	}
}

func randomInputs(r *rand.Rand, m *graph.Model, positive bool) []graph.Array {
	g := &m.Subgraphs[0]
	list := make([]graph.Array, len(g.Inputs))
	for i, id := range g.Inputs {
		x := &g.Tensors[id]
		a := graph.NewArray(x.Type, x.Shape...)
		switch x.Type {
		case graph.Float32:
			for j := range graph.View[float32](a.Data) {
				v := r.Float32()*4 - 2
				if positive {
					v = r.Float32()*2 + 0.1
				}
				graph.View[float32](a.Data)[j] = v
			}
		case graph.Int8, graph.Uint8:
			for j := range a.Data {
				a.Data[j] = byte(r.Uint32())
			}
		}
		list[i] = a
	}
	return list
}

func ran(t *testing.T, m *graph.Model, inputs []graph.Array) []graph.Array {
	t.Helper()
	e, err := fallback.New(fallback.Options{Threads: 2}).Compile(context.Background(), m)
	if err != nil {
		t.Fatalf("%v\n%s", err, listed(m))
	}
	defer e.Close()
	outputs := make([]graph.Array, len(m.Subgraphs[0].Outputs))
	if err := e.Run(context.Background(), inputs, outputs); err != nil {
		t.Fatal(err)
	}
	return outputs
}

// near compares two arrays: floats relative to the range of want.
func near(got, want graph.Array, tolerance float64, steps int) error {
	if got.Type != want.Type || !slices.Equal(got.Shape, want.Shape) {
		return fmt.Errorf("%v %v, want %v %v", got.Type, got.Shape, want.Type, want.Shape)
	}
	switch want.Type {
	case graph.Float32:
		a, b := graph.View[float32](got.Data), graph.View[float32](want.Data)
		low, high := slices.Min(b), slices.Max(b)
		scale := max(float64(high)-float64(low), math.Abs(float64(high)))
		for i := range b {
			if d := math.Abs(float64(a[i]) - float64(b[i])); !(d <= tolerance*scale) {
				return fmt.Errorf("element %d is %v, want %v, of a range of %v", i, a[i], b[i], scale)
			}
		}
	case graph.Int8:
		a, b := graph.View[int8](got.Data), graph.View[int8](want.Data)
		for i := range b {
			if d := int(a[i]) - int(b[i]); d > steps || d < -steps {
				return fmt.Errorf("element %d is %d, want %d", i, a[i], b[i])
			}
		}
	default:
		if !slices.Equal(got.Data, want.Data) {
			return fmt.Errorf("the bytes differ")
		}
	}
	return nil
}

// listed prints a model's operators, for messages.
func listed(m *graph.Model) string {
	text := ""
	for s := range m.Subgraphs {
		g := &m.Subgraphs[s]
		for o := range g.Ops {
			text += "  " + g.Ops[o].Name()
			for _, t := range g.Ops[o].Inputs {
				if t == graph.NoTensor {
					text += " -"
					continue
				}
				text += fmt.Sprintf(" %v%v", g.Tensors[t].Type, g.Tensors[t].Shape)
			}
			text += " →"
			for _, t := range g.Ops[o].Outputs {
				text += fmt.Sprintf(" %s%v", g.Tensors[t].Name, g.Tensors[t].Shape)
			}
			text += "\n"
		}
	}
	return text
}

// values are random floats that are the same in every run.
func values(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 7))
	out := make([]float32, n)
	for i := range out {
		out[i] = r.Float32()*2 - 1
	}
	return out
}

// weights adds a float32 constant of random values.
func weights(b *graph.Builder, name string, shape ...int) graph.T {
	return graph.ConstOf(b, name, values(uint64(len(name)), elements(shape)), shape...)
}
