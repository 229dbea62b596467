package partition

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
)

var update = flag.Bool("update", false, "write the snapshots in testdata anew")

// snapshot compares text with a file of testdata.
func snapshot(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (go test -update writes it anew); got:\n%s", path, got)
	}
}

const blockRules = `
rules:
  - {op: FULLY_CONNECTED, backend: npu, because: linear layers}
  - {op: [MEAN, SUB], backend: go, because: normalisation}
  - {name: 'block0/out', backend: go}
  - {name: 'block9/*', avoid: npu}
`

func TestPlansReadLikeTheirSnapshots(t *testing.T) {
	missing := fake{name: "tflite", missing: fmt.Errorf("npu: %w: libx.so is not here; install it", delegate.ErrUnavailable)}
	tests := []struct {
		name, rules string
		npu         fake
	}{
		{"mixed", blockRules, without("tflite", "GELU")},
		{"unavailable", blockRules, missing},
		{"first", "", fake{name: "tflite"}},
		{"quiet", "policy: fallback\n", without("tflite", "GELU", "MEAN")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := blockModel(t)
			plan, err := New(context.Background(), m, 0, profileOf(t, test.rules), both(test.npu, fake{name: "fallback"}))
			if err != nil {
				t.Fatal(err)
			}
			if err := plan.Validate(m); err != nil {
				t.Error(err)
			}
			snapshot(t, test.name+".txt", plan.String())
			text, err := plan.YAML()
			if err != nil {
				t.Fatal(err)
			}
			snapshot(t, test.name+".yaml", string(text))
		})
	}
}

func TestRulesAndRefusalsDecideWhereOperatorsRun(t *testing.T) {
	// blockModel's operators: 0 DEQUANTIZE, then MEAN, SUB, FULLY_CONNECTED,
	// GELU, ADD twice.
	const mean, gelu, add = 1, 4, 5
	tests := []struct {
		name, rest string
		npu, rest2 fake
		op         int
		backend    string
		misses     []string
	}{
		{"the first backend takes it", "", fake{}, fake{}, gelu, "npu", nil},
		{"the next one takes what the first refuses", "", without("n", "GELU"), fake{}, gelu, "go", []string{"npu op: no such operator"}},
		{"a rule sends it elsewhere", "rules:\n  - {op: GELU, backend: go, because: why}\n", fake{}, fake{}, gelu, "go", []string{"npu rule: rule 1 (why) sends it to go"}},
		{"the first rule with a backend counts", "rules:\n  - {op: ADD, backend: npu}\n  - {op: [GELU, ADD], backend: go}\n", fake{}, fake{}, add, "npu", nil},
		{"a rule avoids the first backend", "rules:\n  - {op: GELU, avoid: npu}\n", fake{}, fake{}, gelu, "go", []string{"npu rule: rule 1 avoids it"}},
		{"avoid wins over an earlier backend", "rules:\n  - {op: GELU, backend: go}\n  - {index: 4, avoid: go}\n", fake{}, fake{}, gelu, "npu", []string{"go rule: rule 2 avoids it"}},
		{"another part's rule does not count", "rules:\n  - {part: decoder, backend: go}\n", fake{}, fake{}, gelu, "npu", nil},
		{"this part's rule counts", "rules:\n  - {part: denoiser, backend: go}\n", fake{}, fake{}, gelu, "go", []string{"npu rule: rule 1 sends it to go"}},
		{"a rule by name", "rules:\n  - {name: 'block0/*', op: MEAN, backend: go}\n", fake{}, fake{}, mean, "go", []string{"npu rule: rule 1 sends it to go"}},
		{"what a rule's choice refuses goes on", "rules:\n  - {op: GELU, backend: go}\n", fake{}, without("g", "GELU"), gelu, "npu", []string{"go op: no such operator"}},
		{"constant producers must be taken too", "", without("n", "DEQUANTIZE"), fake{}, 3, "go", []string{"npu op: its constant input from op 0 (DEQUANTIZE): no such operator"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plan, err := New(context.Background(), blockModel(t), 0, profileOf(t, test.rest), both(test.npu, test.rest2))
			if err != nil {
				t.Fatal(err)
			}
			var misses []string
			for _, m := range plan.Misses {
				if m.Op == test.op {
					misses = append(misses, m.Backend+" "+m.Refusal.Error())
				}
			}
			if !slices.Equal(misses, test.misses) {
				t.Errorf("misses %q, want %q", misses, test.misses)
			}
			for _, s := range plan.Segments {
				if slices.Contains(s.Ops, test.op) && s.Backend != test.backend {
					t.Errorf("operator %d is on %s, want %s", test.op, s.Backend, test.backend)
				}
			}
		})
	}
}

func TestPoliciesDecideWhatAMissMeans(t *testing.T) {
	npu := without("n", "GELU")
	plan := func(policy string) (*Plan, error) {
		return New(context.Background(), blockModel(t), 0, profileOf(t, "policy: "+policy+"\n"), both(npu, fake{}))
	}
	warned, err := plan("warn")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"backend npu refuses 2 × GELU (op: no such operator); op 4, 9"}; !slices.Equal(warned.Warnings, want) {
		t.Errorf("warnings %q, want %q", warned.Warnings, want)
	}
	quiet, err := plan("fallback")
	if err != nil {
		t.Fatal(err)
	}
	if len(quiet.Warnings) != 0 || len(quiet.Misses) != 2 {
		t.Errorf("warnings %q, misses %v", quiet.Warnings, quiet.Misses)
	}
	_, err = plan("fail")
	var failed *PolicyError
	if !errors.Is(err, ErrPolicy) || !errors.As(err, &failed) || failed.Miss.Op != 4 || failed.More != 1 {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"denoiser.tflite", "op 4 (GELU)", "npu (op: no such operator)", "1 other operator"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}

func TestARuleIsNoMissForThePolicyFail(t *testing.T) {
	p := profileOf(t, "policy: fail\nrules:\n  - {op: GELU, backend: go}\n  - {op: MEAN, avoid: npu}\n")
	if _, err := New(context.Background(), blockModel(t), 0, p, both(without("n", "GELU"), fake{})); err != nil {
		t.Error(err)
	}
}

func TestAnOperatorThatNobodyTakesIsAnErrorWithEveryReason(t *testing.T) {
	missing := fake{missing: errors.New("no library")}
	_, err := New(context.Background(), blockModel(t), 0, profileOf(t, "policy: fallback\n"), both(missing, without("g", "SUB")))
	var unplaced *UnplacedError
	if !errors.Is(err, ErrUnplaced) || !errors.As(err, &unplaced) || len(unplaced.Misses) != 2 {
		t.Fatalf("got %v", err)
	}
	want := `op 2 (SUB) → tensor "block0/sub" runs on no backend (npu: unavailable: no library; go: op: no such operator), and so does 1 other operator`
	if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(want)) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestRulesForSingleOperatorsThatMatchNothingAreReported(t *testing.T) {
	rules := "rules:\n  - {name: 'blok0/*', backend: go}\n  - {index: 99, avoid: npu}\n  - {op: SOFTMAX, backend: go}\n  - {part: decoder, index: 50, backend: go}\n"
	plan, err := New(context.Background(), blockModel(t), 0, profileOf(t, rules), both(fake{}, fake{}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"rule 1 of profile test (line 7) matches no operator of this model",
		"rule 2 of profile test (line 8) matches no operator of this model",
	}
	if !slices.Equal(plan.Warnings, want) {
		t.Errorf("got %q", plan.Warnings)
	}
}

func TestOperatorsThatNoOutputNeedsAreLeftOut(t *testing.T) {
	b := graph.NewBuilder("dead")
	x := b.Input("x", graph.Float32, 4)
	b.Neg(b.Neg(x)) // op 0, 1
	b.Output("y", b.Add(x, x))
	m := built(t, b)
	plan, err := New(context.Background(), m, 0, profileOf(t, ""), both(fake{}, fake{}))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(plan.Unused, Ops{0, 1}) || len(plan.Segments) != 1 || !slices.Equal(plan.Segments[0].Ops, Ops{2}) {
		t.Errorf("%v", plan)
	}
	if err := plan.Validate(m); err != nil {
		t.Error(err)
	}
}

func TestOperatorsThatShareStateAreNotCutApart(t *testing.T) {
	b := graph.NewBuilder("state")
	x := b.Input("x", graph.Float32, 4)
	b.Output("y", b.Neg(b.Mul(b.Neg(x), x)))
	m := built(t, b)
	// Both NEG get a second input: the same variable.
	g := &m.Subgraphs[0]
	g.Tensors = append(g.Tensors, graph.Tensor{Name: "h", Type: graph.Float32, Shape: []int{4}, IsVariable: true})
	for _, i := range []int{0, 2} {
		g.Ops[i].Inputs = append(slices.Clone(g.Ops[i].Inputs), len(g.Tensors)-1)
	}
	_, err := New(context.Background(), m, 0, profileOf(t, "rules:\n  - {op: MUL, backend: go}\n"), both(fake{}, fake{}))
	if !errors.Is(err, ErrState) || !strings.Contains(err.Error(), "op 0 (NEG)") || !strings.Contains(err.Error(), "op 2 (NEG)") {
		t.Errorf("got %v", err)
	}
	if _, err := New(context.Background(), m, 0, profileOf(t, ""), both(fake{}, fake{})); err != nil {
		t.Errorf("in one segment: %v", err)
	}
}

func TestPartsAreNamedByTheModel(t *testing.T) {
	for name, want := range map[string]string{
		"denoiser": "denoiser", "a/b.zip/denoiser.tflite": "denoiser", `C:\x\decoder.tflite`: "decoder", "": ".",
	} {
		if got := partOf(name); got != want {
			t.Errorf("partOf(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestNewNamesWhatIsMissing(t *testing.T) {
	m := blockModel(t)
	if _, err := New(context.Background(), m, 3, profileOf(t, ""), both(fake{}, fake{})); err == nil || !strings.Contains(err.Error(), "no subgraph 3") {
		t.Errorf("got %v", err)
	}
	if _, err := New(context.Background(), m, 0, profileOf(t, ""), map[string]delegate.Backend{"npu": fake{}}); err == nil || !strings.Contains(err.Error(), `"go" was not opened`) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := New(ctx, m, 0, profileOf(t, ""), both(fake{}, fake{})); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
