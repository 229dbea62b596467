package rewrite

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"nanoflux/graph"
)

func TestPassesAreFoundByName(t *testing.T) {
	passes, err := ByName([]string{"sub-as-add", "expand-gelu", "sub-as-add"})
	if err != nil || len(passes) != 2 || passes[0].Name != "expand-gelu" || passes[1].Name != "sub-as-add" {
		t.Errorf("%v, %v; want each once, in the order of Passes", passes, err)
	}
	if none, err := ByName(nil); err != nil || len(none) != 0 {
		t.Errorf("no names give %d passes, %v", len(none), err)
	}
	for _, c := range []struct{ name, want string }{
		{"expand-gleu", `unknown pass "expand-gleu"; did you mean "expand-gelu"?`},
		{"sub_as_add", `did you mean "sub-as-add"?`},
		{"", `unknown pass ""`},
		{strings.Repeat("x", 1<<20), `; there are fold-dequantize, `},
	} {
		if _, err := ByName([]string{c.name}); !errors.Is(err, ErrPass) || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 2000 {
			t.Errorf("%.20q: error %v, want %q", c.name, err, c.want)
		}
	}
}

func TestEveryPassHasANameOfItsOwnAndASummary(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Passes() {
		if p.Name == "" || seen[p.Name] || p.Summary == "" || p.Apply == nil {
			t.Errorf("pass %+v", p)
		}
		seen[p.Name] = true
	}
	for _, pair := range exclusive {
		if !seen[pair[0]] || !seen[pair[1]] {
			t.Errorf("there are no passes %v", pair)
		}
		if _, err := ByName(pair[:]); !errors.Is(err, ErrPass) {
			t.Errorf("%v may both be had", pair)
		}
	}
}

func TestApplySaysWhatEachPassWon(t *testing.T) {
	m := built(t, func(b *graph.Builder) {
		x := b.Input("x", graph.Float32, 2, 8)
		b.Output("y", b.Gelu(b.Sub(x, b.Mean(x, []int{1}, true)), true))
	})
	passes, err := ByName([]string{"sub-as-add", "expand-gelu", "neg-as-mul"})
	if err != nil {
		t.Fatal(err)
	}
	out, wins, err := Apply(m, passes)
	if err != nil {
		t.Fatal(err)
	}
	want := []Win{{"expand-gelu", 1, 3, 10}, {"sub-as-add", 1, 10, 11}, {"neg-as-mul", 0, 11, 11}}
	if len(wins) != 3 || wins[0] != want[0] || wins[1] != want[1] || wins[2] != want[2] {
		t.Errorf("%+v, want %+v\n%s", wins, want, listed(out))
	}
	sameOutputs(t, m, out, rewriteCase{tolerance: 1e-5})
}

// The error of a draft that is no model must come out of Apply.
func TestApplyChecksTheResult(t *testing.T) {
	m := built(t, func(b *graph.Builder) { b.Output("y", b.Neg(b.Input("x", graph.Float32, 2))) })
	broken := Pass{Name: "broken", Apply: func(m *graph.Model) (*graph.Model, int, error) {
		out := clone(m)
		out.Subgraphs[0].Ops = nil
		return out, 1, nil
	}}
	if _, _, err := Apply(m, []Pass{broken}); !errors.Is(err, graph.ErrModel) || !strings.Contains(err.Error(), "broken") {
		t.Errorf("error %v", err)
	}
	failing := Pass{Name: "failing", Apply: func(*graph.Model) (*graph.Model, int, error) { return nil, 0, ErrPass }}
	if _, _, err := Apply(m, []Pass{failing}); !errors.Is(err, ErrPass) || !strings.Contains(err.Error(), "failing") {
		t.Errorf("error %v", err)
	}
}

func TestTransposeMovesElements(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 50 {
		shape := []int{1 + r.IntN(4), 1 + r.IntN(4), 1 + r.IntN(4)}
		perm := r.Perm(3)
		n := elements(shape)
		a := graph.NewArray(graph.Int32, shape...)
		for i := range n {
			graph.View[int32](a.Data)[i] = int32(i)
		}
		out, ok := transpose(a, perm)
		if !ok {
			t.Fatal("refused")
		}
		got := graph.View[int32](out.Data)
		for i := range n {
			at := []int{i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2]}
			to := (at[perm[0]]*shape[perm[1]]+at[perm[1]])*shape[perm[2]] + at[perm[2]]
			if got[to] != int32(i) {
				t.Fatalf("%v by %v: element %d is at the wrong place", shape, perm, i)
			}
		}
	}
}

// Weights stay where they are: a backend finds them in the file by its address.
func TestARewrittenModelKnowsTheFileOfItsWeights(t *testing.T) {
	b := graph.NewBuilder("gelu")
	b.Output("y", b.Gelu(b.Input("x", graph.Float32, 4), true))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	data, err := graph.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	read, err := graph.Read(data, "gelu.tflite")
	if err != nil {
		t.Fatal(err)
	}
	passes, err := ByName([]string{"expand-gelu"})
	if err != nil {
		t.Fatal(err)
	}
	out, wins, err := Apply(read, passes)
	if err != nil || wins[0].Changed == 0 {
		t.Fatalf("%v, %+v", err, wins)
	}
	if len(out.File) == 0 || &out.File[0] != &read.File[0] {
		t.Error("the rewritten model has lost the file")
	}
	if err := out.Close(); err != nil || read.Subgraphs[0].Ops == nil {
		t.Errorf("closing it does nothing, but %v", err)
	}
}
