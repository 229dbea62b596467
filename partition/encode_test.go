package partition

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
)

func TestAStoredPlanIsReadBack(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 3))
		m := randomModel(t, random, 1+random.IntN(40))
		chosen := colours(random, len(m.Subgraphs[0].Ops), 2)
		npu := fake{name: "tflite", refuse: func(_ *graph.Model, _, op int) *delegate.Refusal {
			if chosen[op] == 1 {
				return delegate.Refuse(delegate.ReasonType, "op %d: \"quoted\" # and: odd", op)
			}
			return nil
		}}
		plan, err := New(context.Background(), m, 0, profileOf(t, ""), both(npu, fake{name: "fallback"}))
		if err != nil {
			t.Fatal(err)
		}
		text, err := plan.YAML()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ReadPlan(text, "plan.yaml")
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if err := back.Validate(m); err != nil {
			t.Fatal(err)
		}
		if want := plan.stored(); !reflect.DeepEqual(withoutModel(want), withoutModel(back)) {
			t.Fatalf("got  %+v\nwant %+v", back, want)
		}
		data, err := plan.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var fromJSON Plan
		if err := json.Unmarshal(data, &fromJSON); err != nil {
			t.Fatal(err)
		}
		if want := plan.stored(); !reflect.DeepEqual(withoutModel(want), withoutModel(&fromJSON)) {
			t.Fatalf("JSON: got  %+v\nwant %+v", fromJSON, want)
		}
	}
}

func withoutModel(p *Plan) Plan {
	q := *p
	q.of = nil
	return q
}

func TestAPlanThatDoesNotFitIsRefused(t *testing.T) {
	m := blockModel(t)
	fresh := func() *Plan {
		plan, err := New(context.Background(), m, 0, profileOf(t, blockRules), both(without("tflite", "GELU"), fake{}))
		if err != nil {
			t.Fatal(err)
		}
		text, err := plan.YAML()
		if err != nil {
			t.Fatal(err)
		}
		plan, err = ReadPlan(text, "plan")
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	if err := fresh().Validate(m); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(p *Plan)
		want   string
	}{
		{"another version", func(p *Plan) { p.Version = 2 }, "version 2"},
		{"another model", func(p *Plan) { p.Fingerprint = "beef" }, "another model"},
		{"another subgraph", func(p *Plan) { p.Subgraph = 1 }, "subgraph 1 of 1"},
		{"a negative subgraph", func(p *Plan) { p.Subgraph = -1 }, "subgraph -1"},
		{"a segment left out", func(p *Plan) { p.Segments = p.Segments[:len(p.Segments)-1] }, "no segment has"},
		{"segments in another order", func(p *Plan) {
			p.Segments[0], p.Segments[1] = p.Segments[1], p.Segments[0]
			p.Segments[0].ID, p.Segments[1].ID = 0, 1
		}, "no segment before it has"},
		{"a wrong number", func(p *Plan) { p.Segments[1].ID = 7 }, "number 7"},
		{"an operator twice", func(p *Plan) { p.Segments[1].Ops = append(Ops{1}, p.Segments[1].Ops...) }, "ascending|both have"},
		{"an operator out of range", func(p *Plan) { p.Segments[1].Ops = Ops{99} }, "operator 99 of 11"},
		{"a negative operator", func(p *Plan) { p.Segments[1].Ops = Ops{-3} }, "operator -3"},
		{"no operators", func(p *Plan) { p.Segments[1].Ops = nil }, "no operators"},
		{"an output left out", func(p *Plan) { p.Segments[0].Outputs = nil }, "segment 0 has inputs"},
		{"an input too many", func(p *Plan) { p.Segments[0].Inputs = append(p.Segments[0].Inputs, 3) }, "segment 0 has inputs"},
		{"weights without their DEQUANTIZE", func(p *Plan) {
			for s := range p.Segments {
				if len(p.Segments[s].Ops) > 1 && p.Segments[s].Ops[0] == 0 {
					p.Segments[s].Ops = p.Segments[s].Ops[1:]
					return
				}
			}
		}, "no segment before it has"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := fresh()
			test.change(p)
			err := p.Validate(m)
			if !errors.Is(err, ErrPlan) {
				t.Fatalf("got %v", err)
			}
			if !slices.ContainsFunc(strings.Split(test.want, "|"), func(w string) bool { return strings.Contains(err.Error(), w) }) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestABrokenStoredPlanIsAnError(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "empty"},
		{"no YAML", "a: [", "plan.yaml"},
		{"an unknown key", "version: 1\nsegmnts: []\n", "segmnts"},
		{"a wrong type", "version: 1\nsegments: 7\n", "line 2"},
		{"another version", "version: 3\n", "version 3"},
		{"no operators", "version: 1\nsegments: [{ops: [1]}]\n", "like 0-5, 9"},
		{"a range upside down", "version: 1\nunused: 5-1\n", `"5-1"`},
		{"text for operators", "version: 1\nunused: a-b\n", `"a-b"`},
		{"a huge range", "version: 1\nunused: 0-2000000000\n", "too many operators"},
		{"many large ranges", "version: 1\nsegments:\n" + strings.Repeat("  - {ops: 0-100000}\n", 100), "too many operators"},
		{"an alias", "version: 1\nsegments: &a []\nmisses: *a\n", "aliases"},
		{"huge", strings.Repeat("#", maxPlanSize+1), "bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ReadPlan([]byte(test.text), "plan.yaml")
			if !errors.Is(err, ErrPlan) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func FuzzReadPlan(f *testing.F) {
	f.Add([]byte("version: 1\nsegments:\n  - {id: 0, backend: go, ops: 0-3, inputs: [0], outputs: [4]}\n"))
	f.Add([]byte("version: 1\nunused: 0-9, 12\nmisses:\n  - {op: 1, name: ADD, backend: go, reason: op, detail: x}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ReadPlan(data, "plan")
		if err != nil {
			if !errors.Is(err, ErrPlan) {
				t.Fatal(err)
			}
			return
		}
		text, err := p.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadPlan(text, "again"); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		_ = p.String()
	})
}
