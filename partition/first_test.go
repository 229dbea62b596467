package partition

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/guarded"
	"nanoflux/delegate/journal"
	"nanoflux/graph"
)

// compiler is a vendor's that answers by the type of the operator.
type compiler struct {
	asked []string
	says  map[string]error
	// before, if set, is called before each answer.
	before func()
}

func (c *compiler) Ask(ctx context.Context, segment *graph.Model) (bool, string, error) {
	ops := segment.Subgraphs[0].Ops
	name := ops[len(ops)-1].Name()
	c.asked = append(c.asked, name)
	if c.before != nil {
		c.before()
	}
	if err := ctx.Err(); err != nil {
		return false, "", err
	}
	switch err, known := c.says[name]; {
	case !known:
		return true, "", nil
	case errors.Is(err, errTooLarge):
		return false, err.Error(), nil
	default:
		return false, "", err
	}
}

var errTooLarge = errors.New("too large")

// layers is n times softmax(gelu(x·w)) of other sizes each, and a tanh.
func layers(t *testing.T, n int) *graph.Model {
	b := graph.NewBuilder("layers")
	x := b.Input("x", graph.Float32, 4, 16)
	for i := range n {
		w := b.Const(fmt.Sprint("w", i), graph.NewArray(graph.Float32, 16+i+1, 16+i))
		x = b.Softmax(b.Gelu(b.FullyConnected(x, w, graph.None, graph.ActNone), true))
	}
	b.Output("y", b.Tanh(x))
	return built(t, b)
}

func TestAPlanAsksTheCompilerFirstAndOnce(t *testing.T) {
	p := profileOf(t, "policy: fallback\n")
	j := filepath.Join(t.TempDir(), "journal")
	c := &compiler{says: map[string]error{"SOFTMAX": errTooLarge}}
	start := func(o guarded.Options) map[string]delegate.Backend {
		o.Kind, o.Journal, o.Asker = "npu", journal.Open(j), c
		return map[string]delegate.Backend{"npu": guarded.New(without("npu", "GELU"), o), "go": fake{name: "go"}}
	}
	planned := func(backends map[string]delegate.Backend) *Plan {
		t.Helper()
		plan, err := New(t.Context(), layers(t, 2), 0, p, backends)
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	on := func(plan *Plan) string {
		list := make([]string, plan.Operators)
		for _, s := range plan.Segments {
			for _, i := range s.Ops {
				list[i] = s.Backend
			}
		}
		return strings.Join(list, " ")
	}

	if plan := planned(start(guarded.Options{})); on(plan) != "npu go npu npu go npu npu" || len(c.asked) > 0 || plan.Backends[0].Answers != nil {
		t.Errorf("without asking: %s, asked %v, %+v", on(plan), c.asked, plan.Backends[0].Answers)
	}

	var told []string
	first := guarded.Options{First: true, Asking: func(a guarded.Asking) {
		told = append(told, fmt.Sprintf("%s %s %d/%d", a.Kind, a.Model, a.Asked, a.Of))
	}}
	plan := planned(start(first))
	if on(plan) != "npu npu go npu npu go npu" {
		t.Errorf("the compiler's answers do not override the table: %s", on(plan))
	}
	if a := plan.Backends[0].Answers; a == nil || len(a.Device) != 7 || len(a.Table) != 0 {
		t.Errorf("answers %+v", a)
	}
	if !strings.Contains(plan.String(), "answers for npu: its compiler's for all 7 operators\n") {
		t.Error(plan.String())
	}
	if len(c.asked) != 7 || len(told) != 8 || told[0] != "npu layers 0/7" || told[7] != "npu layers 7/7" {
		t.Errorf("asked %v, told %q", c.asked, told)
	}

	// Another start knows all, and of a larger model only what is new is asked.
	c.asked, told = nil, nil
	backends := start(first)
	if again := planned(backends); on(again) != on(plan) || len(c.asked) > 0 || len(told) > 0 {
		t.Errorf("again: %s, asked %v, told %v", on(again), c.asked, told)
	}
	if _, err := New(t.Context(), layers(t, 3), 0, p, backends); err != nil || len(c.asked) != 4 {
		t.Errorf("one layer more: asked %v, %v", c.asked, err)
	}
}

func TestWhatIsNotForTheDeviceIsNotAsked(t *testing.T) {
	p := profileOf(t, "rules:\n  - {op: SOFTMAX, avoid: [npu]}\n  - {op: TANH, backend: go}\n")
	c := &compiler{}
	alone := func(m *graph.Model, sub, op int) *delegate.Refusal {
		if m.Subgraphs[sub].Ops[op].Name() == "GELU" {
			return delegate.Refuse(delegate.ReasonDevice, "it fares otherwise alone")
		}
		return nil
	}
	plan, err := New(t.Context(), layers(t, 1), 0, p, map[string]delegate.Backend{
		"npu": guarded.New(fake{name: "npu"}, guarded.Options{Kind: "npu", Journal: journal.Open(filepath.Join(t.TempDir(), "journal")), Asker: c, First: true, Alone: alone}),
		"go":  fake{name: "go"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(c.asked, []string{"FULLY_CONNECTED"}) {
		t.Errorf("asked %v", c.asked)
	}
	a := plan.Backends[0].Answers
	if a == nil || a.Device.String() != "0" || a.Table.String() != "1" || a.Why != "it fares otherwise alone" {
		t.Errorf("answers %+v", a)
	}
	text, err := plan.YAML()
	if err == nil {
		_, err = ReadPlan(text, "plan.yaml")
	}
	if err != nil || !strings.Contains(string(text), "it fares otherwise alone") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestAskingThatFailsLeavesTheTable(t *testing.T) {
	lost := &delegate.LostError{Backend: "npu", Cause: "killed by SIGSEGV"}
	for name, test := range map[string]struct {
		says  map[string]error
		asked int
		why   string
	}{
		"the compiler is not here":          {map[string]error{"FULLY_CONNECTED": fmt.Errorf("npu: %w: no license", delegate.ErrUnavailable)}, 1, "no license"},
		"no answer to some":                 {map[string]error{"GELU": errors.New("no room on the disk")}, 10, "no room on the disk"},
		"three questions take it down":      {map[string]error{"GELU": lost}, 8, "3 questions took the device down"},
		"one question takes it down":        {map[string]error{"TANH": lost}, 10, ""},
		"all is answered, though with a no": {map[string]error{"SOFTMAX": errTooLarge}, 10, ""},
	} {
		c := &compiler{says: test.says}
		backends := map[string]delegate.Backend{
			"npu": guarded.New(fake{name: "npu"}, guarded.Options{Kind: "npu", Journal: journal.Open(filepath.Join(t.TempDir(), "journal")), Asker: c, First: true}),
			"go":  fake{name: "go"},
		}
		for range 2 { // the second plan does not ask again
			m := layers(t, 3)
			plan, err := New(t.Context(), m, 0, profileOf(t, "policy: fallback\n"), backends)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := plan.Backends[0].Answers; got == nil || got.Why != test.why || len(c.asked) != test.asked {
				t.Errorf("%s: answers %+v, asked %d times", name, got, len(c.asked))
			}
		}
	}
}

func TestAskingEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := &compiler{before: cancel}
	_, err := New(ctx, layers(t, 2), 0, profileOf(t, ""), map[string]delegate.Backend{
		"npu": guarded.New(fake{name: "npu"}, guarded.Options{Kind: "npu", Journal: journal.Open(filepath.Join(t.TempDir(), "journal")), Asker: c, First: true}),
		"go":  fake{name: "go"},
	})
	if !errors.Is(err, context.Canceled) || len(c.asked) != 1 {
		t.Errorf("%v, asked %v", err, c.asked)
	}
}
