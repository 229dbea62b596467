package exec

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/profiles"
)

func TestTheReportSaysWhatADelegateTookAndLeft(t *testing.T) {
	m := chain(t, 5, 4)
	r, err := over(t, m, "policy: "+string(profiles.Warn)+"\n", Options{}, &modest{toy: toy{name: "npu"}, left: leavesNeg}, &toy{name: "go"})
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for i := range m.Subgraphs[0].Ops {
		if m.Subgraphs[0].Ops[i].Name() == "NEG" {
			want++
		}
	}
	report := r.Report()
	if want == 0 || len(report) != 1 || report[0].Taken == nil {
		t.Fatalf("%d NEG, report %+v", want, report)
	}
	taken := report[0].Taken
	if len(taken.Left) != want || taken.Operators != len(report[0].Ops)-want {
		t.Errorf("took %d, left %+v", taken.Operators, taken.Left)
	}
	for _, l := range taken.Left {
		if l.Name != "NEG" || m.Subgraphs[0].Ops[l.Op].Name() != "NEG" || l.Refusal.Reason != delegate.ReasonDevice {
			t.Errorf("left %+v", l)
		}
	}
	text, err := json.Marshal(report[0])
	if err != nil || !strings.Contains(string(text), `"taken":{"operators":`) || !strings.Contains(string(text), `"reason":"device"`) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestOperatorsOfConstantsCountNowhere(t *testing.T) {
	b := graph.NewBuilder("constant")
	w := b.Add(b.Const("a", ints(1)), b.Const("b", ints(2)))
	b.Output("y", b.Add(b.Input("x", graph.Int32, 4), w))
	m := built(t, b)
	for name, left := range map[string]func(*graph.Model) []int{
		"a delegate that takes the constant": func(*graph.Model) []int { return nil },
		"a delegate that leaves it":          func(*graph.Model) []int { return []int{0} },
	} {
		r, err := over(t, m, "", Options{}, &modest{toy: toy{name: "npu"}, left: left}, &toy{name: "go"})
		if err != nil {
			t.Fatal(err)
		}
		s := r.Report()[0]
		if len(s.Ops) != 2 || s.Constant != 1 || s.Taken == nil || s.Taken.Operators != 1 || len(s.Taken.Left) != 0 {
			t.Errorf("%s: %+v, taken %+v", name, s, s.Taken)
		}
		if got := Shares(r.Report())[0].String(); got != "npu: 1 operator in 1 segment" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestTheReportOfABackendWithoutADelegateSaysNothingOfTaking(t *testing.T) {
	r := runner(t, chain(t, 3, 4), "", &toy{name: "a"})
	if taken := r.Report()[0].Taken; taken != nil {
		t.Errorf("%+v", taken)
	}
}

func TestWhatASegmentLeftIsForgottenWhenItMoves(t *testing.T) {
	npu := &modest{toy: toy{name: "npu", fail: func() error { return delegate.ErrLost }}, left: leavesNeg}
	r, err := over(t, chain(t, 5, 4), "policy: warn\n", Options{}, npu, &toy{name: "go"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Report()[0].Taken == nil {
		t.Fatal("nothing taken")
	}
	if err := r.Run(t.Context(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1)); err != nil {
		t.Fatal(err)
	}
	if s := r.Report()[0]; s.Backend != "go" || s.Taken != nil {
		t.Errorf("%+v", s)
	}
}

func TestSharesCountWhatIsLeftToTheCPUApart(t *testing.T) {
	add, softmax := Left{Op: 2, Name: "ADD"}, Left{Op: 3, Name: "SOFTMAX"}
	shares := Shares([]SegmentReport{
		{Backend: "npu", Kind: "external", Ops: []int{0, 1, 2, 3}, MACs: 100, Taken: &Taken{Operators: 2, MACs: 75, Left: []Left{add, softmax}, LeftMACs: 25}},
		{Backend: "go", Kind: "fallback", Ops: []int{4}, MACs: 7},
		{Backend: "npu", Kind: "external", Ops: []int{5, 6}, MACs: 100, Taken: &Taken{Operators: 1, MACs: 100, Left: []Left{{Op: 6, Name: "ADD"}}}},
		{Backend: "go", Kind: "fallback", Ops: []int{7, 8, 9}, Constant: 1},
	})
	var lines []string
	for _, s := range shares {
		lines = append(lines, s.String())
	}
	want := []string{
		"npu: 3 of 6 operators in 2 segments (87 % of the MACs), 3 left to the CPU: 2 × ADD, SOFTMAX",
		"go: 3 operators in 2 segments",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got  %q\nwant %q", lines, want)
	}
	if shares[0].MACs != 175 || shares[0].LeftMACs != 25 || shares[1].MACs != 7 {
		t.Errorf("%+v", shares)
	}
}

func TestManySortsOfLeftOperatorsAreCutShort(t *testing.T) {
	var left []Left
	for _, n := range []string{"A", "B", "C", "D", "E", "F"} {
		left = append(left, Left{Name: n})
	}
	if got := names(left); got != "A, B, C, D, E, …" {
		t.Error(got)
	}
}
