package main

import (
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/qnn/onnx"
	"nanoflux/delegate/support"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestEveryQuestionHasAnAnswerInTheTable(t *testing.T) {
	list, err := questions()
	if err != nil {
		t.Fatal(err)
	}
	for _, chip := range chips {
		table, err := support.HTP(support.QNNOptions{SoC: chip})
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range list {
			if r := table.Check(q.model, 0, q.op); r != nil && strings.Contains(r.Detail, "was not asked") {
				t.Errorf("%s: %v; run make htp-table", chip, r)
			}
		}
	}
}

func TestEveryOperatorThatIsWrittenIsAsked(t *testing.T) {
	for _, code := range onnx.Operators() {
		if _, known := forms[code]; !known && code != schema.BuiltinOperatorSHAPE { // a constant to the compiler
			t.Errorf("%v is not asked", code)
		}
	}
}

// TestTheCompilerAnswersAsTheTable asks again about one of the questions of each
// operator.
func TestTheCompilerAnswersAsTheTable(t *testing.T) {
	const chip = "SM8750"
	b, err := delegate.Open("qnn", map[string]any{"soc": chip})
	if err != nil {
		t.Skipf("no compiler: %v", err)
	}
	if _, err := b.Probe(t.Context()); err != nil {
		t.Skipf("no compiler: %v", err)
	}
	compiler, ok := b.(delegate.Precompiler)
	if !ok {
		t.Fatal("backend qnn does not compile ahead of time")
	}
	table, err := support.HTP(support.QNNOptions{SoC: chip})
	if err != nil {
		t.Fatal(err)
	}
	list, err := questions()
	if err != nil {
		t.Fatal(err)
	}
	last := graph.OpCode(-1)
	for _, q := range list {
		if q.code == last {
			continue
		}
		last = q.code
		a, r := ask(t.Context(), compiler, q), table.Check(q.model, 0, q.op)
		if (a.Why == "") != (r == nil) {
			t.Errorf("%v of %v: the compiler says %q, the table %v; run make htp-table", q.code, q.typ, a.Why, r)
		}
	}
}

func TestNeighboursWithTheSameAnswersAreOneRow(t *testing.T) {
	list := []question{
		{code: 0, typ: graph.Float32, rank: 1}, {code: 0, typ: graph.Float32, rank: 2}, {code: 0, typ: graph.Float32, rank: 4},
		{code: 0, typ: graph.Int8, rank: 1}, {code: 1, typ: graph.Int8, rank: 2},
	}
	answers := make([][]answer, len(chips))
	for c := range answers {
		answers[c] = make([]answer, len(list))
		answers[c][4].Why = "no"
	}
	answers[0][2].Why = "not this chip"
	answers[1][0].Library = "QNN 1"
	got := string(table(fold(list, answers), answers))
	want := []string{
		"ADD|0|F|1-2|68 69 73 75 79 81|", "ADD|0|F|4|69 73 75 79 81|not this chip", "ADD|0|I8|1|68 69 73 75 79 81|", "AVERAGE_POOL_2D|1|I8|2|-|no",
	}
	if lines := strings.Split(strings.TrimSpace(got), "\n")[2:]; !slices.Equal(lines, want) {
		t.Errorf("\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestMessagesAreTheSameInEveryRun(t *testing.T) {
	for text, want := range map[string]string{
		"in node (op0_3_Add) is invalid":      "in node () is invalid",
		"bad  node\n`op12_0_Conv_x` at 0x7ff": "bad node at",
		"a|b":                                 "a/b",
	} {
		if got := clean(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
