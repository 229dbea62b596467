package partition

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/rewrite"
	"nanoflux/profiles"
)

func init() {
	// A kind whose device is never here, with a table.
	delegate.Register(delegate.Kind{
		Name: "tabled", Summary: "for tests", Missing: "it is for tests",
		Table: func(map[string]any) (delegate.Table, error) { return tableOf{without("tabled", "GELU")}, nil },
	})
}

// tableOf is what a fake refuses.
type tableOf struct{ fake }

func (t tableOf) Check(m *graph.Model, sub, op int) *delegate.Refusal {
	return t.Supports(m, sub, op)
}

func TestAProfilesRewritesChangeTheModelThatIsPlanned(t *testing.T) {
	m := blockModel(t)
	p := profileOf(t, "rewrites: [expand-gelu]\n")
	out, wins, err := Rewritten(m, p)
	if err != nil {
		t.Fatal(err)
	}
	if len(wins) != 1 || wins[0].Changed != 2 {
		t.Errorf("wins %+v, want 2 GELUs", wins)
	}
	has := func(m *graph.Model, name string) bool {
		return slices.ContainsFunc(m.Subgraphs[0].Ops, func(op graph.Op) bool { return op.Name() == name })
	}
	if has(out, "GELU") || !has(out, "TANH") || !has(m, "GELU") || out.Name != m.Name {
		t.Error("the rewritten model must have TANH in place of GELU, and the source's name; the source must not change")
	}
}

func TestWithoutRewritesTheModelIsTheSame(t *testing.T) {
	m := blockModel(t)
	out, wins, err := Rewritten(m, profileOf(t, ""))
	if out != m || wins != nil || err != nil {
		t.Errorf("%p, %v, %v; want the model %p itself", out, wins, err, m)
	}
}

func TestAnUnknownRewriteOfAProfileMadeByCodeIsAnError(t *testing.T) {
	p := &profiles.Profile{Name: "code", Rewrites: []string{"expand-gelo"}, Backends: []profiles.Backend{{Name: "npu"}}}
	for what, err := range map[string]error{
		"Rewritten": func() error { _, _, err := Rewritten(blockModel(t), p); return err }(),
		"Explain":   func() error { _, err := Explain(t.Context(), blockModel(t), 0, p, nil); return err }(),
	} {
		if err == nil || !strings.Contains(err.Error(), `profile code: rewrites: unknown pass "expand-gelo"; did you mean "expand-gelu"?`) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestExplainSaysWhatEachRewriteWon(t *testing.T) {
	// The layers' 2 · 8·16·16 MACs go to the NPU only when no DEQUANTIZE is
	// before them; GELU's parts follow when it is expanded.
	p := profileOf(t, "rewrites: [expand-gelu, fold-dequantize]\npolicy: fail\n")
	gains, err := Explain(t.Context(), blockModel(t), 0, p, both(without("npu", "GELU", "DEQUANTIZE"), without("go")))
	if err != nil {
		t.Fatal(err)
	}
	const macs = 2 * 8 * 16 * 16
	want := Gains{
		{Win: rewrite.Win{Pass: "fold-dequantize", Changed: 1, OpsBefore: 11, OpsAfter: 10}, Backend: "npu",
			Before: Given{MACs: 0, Operators: 6, Segments: 3}, After: Given{MACs: macs, Operators: 8, Segments: 3}},
		{Win: rewrite.Win{Pass: "expand-gelu", Changed: 2, OpsBefore: 10, OpsAfter: 24}, Backend: "npu",
			Before: Given{MACs: macs, Operators: 8, Segments: 3}, After: Given{MACs: macs, Operators: 24, Segments: 1}},
	}
	if fmt.Sprint([]Gain(gains)) != fmt.Sprint([]Gain(want)) {
		t.Errorf("gains %+v,\nwant %+v", []Gain(gains), []Gain(want))
	}
	text := gains.String()
	for _, line := range []string{
		"what each rewrite won on backend npu\n",
		"fold-dequantize  1       11 → 10  0 → 4.10 k  6 → 8      3\n",
		"expand-gelu      2       10 → 24  4.10 k      8 → 24     3 → 1\n",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("the text lacks %q:\n%s", line, text)
		}
	}
}

func TestExplainAsksTheTableOfADeviceThatIsNotHere(t *testing.T) {
	p := &profiles.Profile{
		Name: "far", Policy: profiles.Warn, Rewrites: []string{"expand-gelu"},
		Backends: []profiles.Backend{{Name: "npu", Kind: "tabled"}, {Name: "go", Kind: "fallback"}},
	}
	backends := both(fake{name: "tabled", missing: fmt.Errorf("no device: %w", delegate.ErrUnavailable)}, without("go"))
	gains, err := Explain(t.Context(), blockModel(t), 0, p, backends)
	if err != nil {
		t.Fatal(err)
	}
	if len(gains) != 1 || !gains[0].Table || gains[0].Before.Segments != 3 || gains[0].After.Segments != 1 {
		t.Errorf("gains %+v; want 3 segments before and 1 after, by the table", []Gain(gains))
	}
	if !strings.Contains(gains.String(), "not here: by the table of its kind") {
		t.Errorf("the text does not say that it is by the table:\n%s", gains)
	}
}
