package partition

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
	"nanoflux/profiles"
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

func TestOperatorRangesAreWrittenShort(t *testing.T) {
	tests := []struct {
		ops  Ops
		want string
	}{
		{nil, ""}, {Ops{3}, "3"}, {Ops{3, 4}, "3-4"}, {Ops{0, 1, 2, 5, 7, 8}, "0-2, 5, 7-8"},
	}
	for _, test := range tests {
		if got := test.ops.String(); got != test.want {
			t.Errorf("%v: %q, want %q", []int(test.ops), got, test.want)
		}
	}
}

func TestMACsAreThoseOfTheFormulas(t *testing.T) {
	b := graph.NewBuilder("cost")
	constant := func(shape ...int) graph.T { return b.Const("c", graph.NewArray(graph.Float32, shape...)) }
	image := b.Input("image", graph.Float32, 1, 8, 6, 4)
	rows := b.Input("rows", graph.Float32, 1, 10, 16)
	b.Output("conv", b.Conv2D(image, constant(5, 3, 3, 4), graph.None, 2, graph.Same, graph.ActNone))
	b.Output("depthwise", b.DepthwiseConv2D(image, constant(1, 3, 3, 4), graph.None, 1, graph.Same, graph.ActNone))
	b.Output("linear", b.FullyConnected(rows, constant(7, 16), graph.None, graph.ActNone))
	b.Output("matmul", b.BatchMatMul(rows, rows, false, true))
	b.Output("adjoint", b.BatchMatMul(rows, rows, true, false))
	b.Output("add", b.Add(rows, rows))
	m := built(t, b)
	want := map[string]int64{
		"conv": 4 * 3 * 5 * 3 * 3 * 4, "depthwise": 8 * 6 * 4 * 3 * 3, "linear": 10 * 7 * 16,
		"matmul": 10 * 10 * 16, "adjoint": 16 * 16 * 10, "add": 0,
	}
	for i := range m.Subgraphs[0].Ops {
		name := m.Subgraphs[0].Tensors[m.Subgraphs[0].Ops[i].Outputs[0]].Name
		if w, listed := want[name]; listed && MACs(m, 0, i) != w {
			t.Errorf("%s: %d, want %d", name, MACs(m, 0, i), w)
		}
	}
}

func TestMACsOfAbsurdShapesDoNotOverflow(t *testing.T) {
	huge := graph.Tensor{Shape: []int{1 << 40, 1 << 40}}
	m := &graph.Model{Buffers: []graph.Buffer{{}}, Subgraphs: []graph.Subgraph{{
		Tensors: []graph.Tensor{huge, huge, huge},
		Ops: []graph.Op{
			{Code: schema.BuiltinOperatorFULLY_CONNECTED, Inputs: []int{0, 1}, Outputs: []int{2}},
			{Code: schema.BuiltinOperatorFULLY_CONNECTED},
			{Code: schema.BuiltinOperatorBATCH_MATMUL, Inputs: []int{0, 1}, Outputs: []int{2}, Options: (*schema.BatchMatMulOptionsT)(nil)},
			{Code: schema.BuiltinOperatorTRANSPOSE_CONV, Inputs: []int{0}, Outputs: []int{2}},
			{Code: schema.BuiltinOperatorSVDF, Inputs: []int{0, 1}, Outputs: []int{2}},
		},
	}}}
	if got := MACs(m, 0, 0); got != math.MaxInt64 {
		t.Errorf("%d", got)
	}
	for i := range m.Subgraphs[0].Ops {
		if MACs(m, 0, i) < 0 {
			t.Errorf("operator %d: negative", i)
		}
	}
}

func TestNumbersForPeopleHaveThreeDigits(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1.00 k", 12345: "12.3 k", 999_400_000: "999 M", 999_600_000: "1.00 G", math.MaxInt64: "9223 P"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1.00 KiB", 512: "512 B", 1 << 20: "1.00 MiB", 1536: "1.50 KiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
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

func init() {
	delegate.Register(delegate.Kind{
		Name: "test-here", Options: []delegate.Option{{Name: "share", Default: 0.5}, {Name: "threads", Default: 1, Max: 64}},
		Open: func(options map[string]any) (delegate.Backend, error) {
			if options["share"].(float64) > 1 {
				return nil, errors.New("share is above 1")
			}
			return fake{name: "test-here"}, nil
		},
	})
	delegate.Register(delegate.Kind{Name: "test-elsewhere", Missing: "build with -tags elsewhere"})
}

func TestOpenBackendsOpensWhatTheProfileNames(t *testing.T) {
	parse := func(backends string) *profiles.Profile {
		p, err := profiles.Parse([]byte("version: 1\nname: t\nbackends:\n"+backends), "p.yaml")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	backends, err := OpenBackends(parse("  - {name: a, kind: test-here, options: {share: 1, threads: 3}}\n  - {name: b, kind: test-elsewhere}\n"), Isolation{})
	if err != nil {
		t.Fatal(err)
	}
	if backends["a"].Name() != "test-here" || backends["b"].Name() != "test-elsewhere" {
		t.Errorf("%v", backends)
	}
	if _, err := backends["b"].Probe(context.Background()); !errors.Is(err, delegate.ErrUnavailable) || !strings.Contains(err.Error(), "-tags elsewhere") {
		t.Errorf("probe: %v", err)
	}
	if r := backends["b"].Supports(nil, 0, 0); r == nil || r.Reason != delegate.ReasonUnavailable || r.Detail != "build with -tags elsewhere" {
		t.Errorf("supports: %v", r)
	}
	if _, err := backends["b"].Compile(context.Background(), nil); !errors.Is(err, delegate.ErrUnavailable) {
		t.Errorf("compile: %v", err)
	}
}

func TestMistakesInBackendsAreThoseOfAProfile(t *testing.T) {
	tests := []struct {
		name, backends string // the backends from line 4
		want           []string
	}{
		{"an unknown kind", "  - {name: a, kind: test-her}\n", []string{`4:21: backend kind "test-her" is not known; did you mean "test-here"?`}},
		{"an unknown option", "  - {kind: test-here, options: {thread: 1}}\n", []string{`4:33: backend test-here has no option "thread"; did you mean "threads"?`}},
		{"an option far from all", "  - {kind: test-here, options: {x: 1}}\n", []string{`4:33: backend test-here has no option "x"; there are share, threads`}},
		{"an option of a kind without any", "  - {kind: test-elsewhere, options: {x: 1}}\n", []string{`4:38: backend test-elsewhere has no option "x"; it has none`}},
		{"a wrong type", "  - {kind: test-here, options: {threads: 1.5}}\n", []string{`4:42: option threads of backend test-here must be a whole number from 0 to 64, not 1.5`}},
		{"a value out of bounds", "  - {kind: test-here, options: {threads: 65}}\n", []string{`4:42: option threads of backend test-here must be a whole number from 0 to 64, not 65`}},
		{"all of them in the file's order", "  - {kind: test-here, options: {threads: 65, shares: 1, share: x}}\n  - {kind: nothing}\n", []string{
			`4:42: option threads of backend test-here must be`, `4:46: backend test-here has no option "shares"`,
			`4:64: option share of backend test-here must be a number, not the text "x"`, `5:12: backend kind "nothing" is not known; there are`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			text := []byte("version: 1\nname: t\nbackends:\n" + test.backends)
			p, err := profiles.Parse(text, "p.yaml")
			if err != nil {
				t.Fatal(err)
			}
			_, opened := OpenBackends(p, Isolation{})
			_, checked := profiles.Parse(text, "p.yaml", CheckBackend)
			for what, err := range map[string]error{"opened": opened, "checked": checked} {
				var mistakes profiles.Errors
				if !errors.As(err, &mistakes) || len(mistakes) != len(test.want) {
					t.Fatalf("%s: %v", what, err)
				}
				for i, m := range mistakes {
					if !strings.HasPrefix(m.Error(), "p.yaml:"+test.want[i]) {
						t.Errorf("%s: got %v, want %s", what, m, test.want[i])
					}
				}
			}
		})
	}
	t.Run("a value that only the backend refuses", func(t *testing.T) {
		p, err := profiles.Parse([]byte("version: 1\nname: t\nbackends:\n  - {kind: test-here, options: {share: 2}}\n"), "p.yaml", CheckBackend)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenBackends(p, Isolation{}); !errors.Is(err, profiles.ErrInvalid) || err.Error() != "p.yaml:4:12: share is above 1" {
			t.Errorf("got %v", err)
		}
	})
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
