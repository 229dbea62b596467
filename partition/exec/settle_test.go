package exec

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/guarded"
	"nanoflux/delegate/journal"
	"nanoflux/graph"
	"nanoflux/graph/schema"
	"nanoflux/profiles"
)

func once(t *testing.T, r *Runner) []int32 {
	t.Helper()
	out := make([]graph.Array, 1)
	if err := r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, out); err != nil {
		t.Fatal(err)
	}
	return numbers(out[0])
}

func TestRulesHoldForSegmentsThatMove(t *testing.T) {
	m := chain(t, 6, 4)
	rules := "rules:\n  - {op: ADD, backend: b}\n  - {op: ADD, avoid: c}\n"
	r, err := over(t, m, rules, Options{}, &toy{name: "a"}, &lostAfter{toy: toy{name: "b"}}, &toy{name: "c"}, &toy{name: "d"})
	if err != nil {
		t.Fatal(err)
	}
	once(t, r)
	for _, s := range r.Report() {
		if s.Planned == "b" && (s.Backend != "d" || s.Reason != delegate.ReasonLost) {
			t.Errorf("segment %d moved to %s (%s)", s.Segment, s.Backend, s.Reason)
		}
	}
}

// broken fails in each run, without being lost.
func broken(name string) *toy {
	return &toy{name: name, fail: func() error { return errBroken }}
}

func TestASegmentGoesOnUntilABackendCan(t *testing.T) {
	r, err := over(t, chain(t, 4, 4), "", Options{}, broken("a"), &toy{name: "b", takes: func(op int) bool { return op != 3 }},
		&lostAfter{toy: toy{name: "c"}, runs: -1}, broken("d"), &toy{name: "e"})
	if err != nil {
		t.Fatal(err)
	}
	once(t, r)
	s := r.Report()[0]
	if s.Backend != "e" || s.Planned != "a" || s.Reason != delegate.ReasonFailed || !strings.Contains(s.Moved, errBroken.Error()) || !strings.Contains(s.Moved, "SIGSEGV") {
		t.Errorf("%+v", s)
	}
	for _, n := range r.Notices() {
		if strings.Contains(n, "\n") {
			t.Errorf("a notice has two lines: %q", n)
		}
	}
	if n := len(r.Notices()); n != 2 {
		t.Errorf("%d notices: %q", n, r.Notices())
	}
}

func TestWrongInputsMoveNothing(t *testing.T) {
	bad := &toy{name: "a", fail: func() error { return fmt.Errorf("%w: odd", delegate.ErrInput) }}
	r, err := over(t, chain(t, 2, 4), "", Options{}, bad, &toy{name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1))
	if !errors.Is(err, delegate.ErrInput) || r.Report()[0].Planned != "" {
		t.Errorf("%v, %+v", err, r.Report()[0])
	}
}

func TestACancelledRunMovesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	slow := &toy{name: "a", fail: func() error { cancel(); return ctx.Err() }}
	r, err := over(t, chain(t, 2, 4), "", Options{}, slow, &toy{name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Run(ctx, []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1))
	if !errors.Is(err, context.Canceled) || r.Report()[0].Planned != "" {
		t.Errorf("%v, %+v", err, r.Report()[0])
	}
}

// waits is a toy whose second Compile waits.
type waits struct {
	toy
	waiting, release chan struct{}
}

func (b *waits) Compile(ctx context.Context, m *graph.Model) (delegate.Executable, error) {
	close(b.waiting)
	<-b.release
	return b.toy.Compile(ctx, m)
}

func TestARunThatWaitsForAMoveCanBeCancelled(t *testing.T) {
	next := &waits{toy: toy{name: "b"}, waiting: make(chan struct{}), release: make(chan struct{})}
	r, err := over(t, chain(t, 2, 4), "", Options{}, broken("a"), next)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		done <- r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1))
	}()
	<-next.waiting
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := r.Run(ctx, []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	close(next.release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestALostBackendIsPlannedWithout(t *testing.T) {
	health := NewHealth()
	health.lose("b", &delegate.LostError{Backend: "toy", Cause: "killed by SIGSEGV"})
	b := &toy{name: "b"}
	r, err := over(t, chain(t, 6, 4), zigzag, Options{Health: health}, &toy{name: "a"}, b)
	if err != nil {
		t.Fatal(err)
	}
	if once(t, r); len(r.Report()) != 1 || r.Report()[0].Backend != "a" || b.compiled != 0 {
		t.Errorf("%+v", r.Report())
	}
	if s := r.plan.Backends[1]; !strings.Contains(s.Unavailable, "killed by SIGSEGV") {
		t.Errorf("%+v", s)
	}
}

func TestEveryDelegateIsAskedOnceBeforeThePlanIsMadeAnew(t *testing.T) {
	// NEG to a and b in turn by index, so that both leave some of theirs; ADD to
	// c, which takes all and must not be compiled twice.
	m := chain(t, 12, 4)
	rules := "policy: fallback\nrules:\n  - {op: ADD, backend: c}\n  - {index: [2, 6, 10], backend: b}\n"
	a, b := &modest{toy: toy{name: "a"}, left: leavesNeg}, &modest{toy: toy{name: "b"}, left: leavesNeg}
	c, d := &toy{name: "c"}, &toy{name: "d"}
	r, err := over(t, m, rules, Options{}, a, b, c, d)
	if err != nil {
		t.Fatal(err)
	}
	once(t, r)
	if a.compiled != 6 || a.open != 0 || b.open != 0 {
		t.Errorf("a was compiled %d times, %d and %d executables are open", a.compiled, a.open, b.open)
	}
	if adds := len(m.Subgraphs[0].Ops) / 2; c.compiled < adds || c.compiled > adds+6 {
		t.Errorf("c was compiled %d times for %d segments", c.compiled, adds)
	}
	for _, s := range r.Report() {
		if s.Backend != "c" && s.Backend != "d" {
			t.Errorf("segment %d on %s", s.Segment, s.Backend)
		}
	}
	if err := r.Close(); err != nil || c.open != 0 || d.open != 0 {
		t.Errorf("%v, %d and %d executables are open", err, c.open, d.open)
	}
}

// The first operator of any segment is left, whatever it is.
func TestADelegateThatNeverTakesAllEndsTheRounds(t *testing.T) {
	first := func(m *graph.Model) []int { return []int{0} }
	r, err := over(t, chain(t, 40, 4), "policy: fallback\n", Options{}, &modest{toy: toy{name: "npu"}, left: first}, &toy{name: "go"})
	if err != nil {
		t.Fatal(err)
	}
	once(t, r)
	onNPU := slices.ContainsFunc(r.Report(), func(s SegmentReport) bool { return s.Backend == "npu" })
	if !onNPU || len(r.Notices()) == 0 || !strings.Contains(r.Notices()[0], "left 1 operator of segment") {
		t.Errorf("%+v, %q", r.Report(), r.Notices())
	}
}

func TestConstantOperatorsMayBeLeft(t *testing.T) {
	b := graph.NewBuilder("constants")
	x := b.Input("x", graph.Int32, 4)
	b.Output("y", b.Add(x, b.Neg(b.Const("c", ints(1, 2, 3, 4)))))
	r, err := over(t, built(t, b), "policy: fail\n", Options{}, &modest{toy: toy{name: "npu"}, left: leavesNeg})
	if err != nil {
		t.Fatal(err)
	}
	once(t, r)
}

// guard has a backend's attempts written to a journal.
func guard(b delegate.Backend, j *journal.Journal) delegate.Backend {
	return &named{guarded.New(b, guarded.Options{Kind: "toy", Journal: j}), b.Name()}
}

// named keeps the name by which the test's profile knows a backend.
type named struct {
	delegate.Backend
	name string
}

func (n *named) Name() string             { return n.name }
func (n *named) Unwrap() delegate.Backend { return n.Backend }

func TestASegmentThatCrashedIsNotTriedAtTheNextStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	for _, policy := range []profiles.Policy{profiles.Warn, profiles.Fallback, profiles.Fail} {
		j := journal.Open(path)
		if _, err := j.Forget(); err != nil {
			t.Fatal(err)
		}
		rules := zigzag + "policy: " + string(policy) + "\n"
		r, err := over(t, chain(t, 3, 4), rules, Options{}, &toy{name: "a"}, guard(&lostAfter{toy: toy{name: "b"}}, j))
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1))
		// The next start.
		healthy := &toy{name: "b"}
		r, err = over(t, chain(t, 3, 4), rules, Options{}, &toy{name: "a"}, guard(healthy, journal.Open(path)))
		if healthy.compiled != 0 {
			t.Errorf("%s: it was tried again", policy)
		}
		if policy == profiles.Fail {
			if !errors.Is(err, guarded.ErrRemembered) || !strings.Contains(err.Error(), "doctor --forget") {
				t.Errorf("%s: %v", policy, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		once(t, r)
		said := r.Notices()
		if policy == profiles.Warn {
			said = r.plan.Warnings
		}
		if len(said) != 1 || !strings.Contains(said[0], "killed by") || !strings.Contains(said[0], "doctor --forget") {
			t.Errorf("%s: said %q", policy, said)
		}
		if len(r.Report()) != 1 || r.Report()[0].Backend != "a" || len(r.plan.Misses) != 1 || r.plan.Misses[0].Refusal.Reason != delegate.ReasonLost {
			t.Errorf("%s: %+v, %+v", policy, r.Report(), r.plan.Misses)
		}
	}
}

func TestWhatADelegateLeftIsKnownAtTheNextStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	start := func() (*modest, *Runner) {
		npu := &modest{toy: toy{name: "npu"}, left: leavesNeg}
		r, err := over(t, chain(t, 5, 4), "policy: fallback\n", Options{}, guard(npu, journal.Open(path)), &toy{name: "go"})
		if err != nil {
			t.Fatal(err)
		}
		once(t, r)
		return npu, r
	}
	first, before := start()
	second, after := start()
	if second.compiled != first.compiled-1 {
		t.Errorf("%d compiles, then %d; the first plan needs no asking again", first.compiled, second.compiled)
	}
	if fmt.Sprint(before.plan.Segments) != fmt.Sprint(after.plan.Segments) {
		t.Errorf("another plan: %v, %v", before.plan.Segments, after.plan.Segments)
	}
}

// branches is two branches that meet: op 0 and 1 (NEG, ADD) beside op 2 (MUL).
func branches(t *testing.T) *graph.Model {
	t.Helper()
	b := graph.NewBuilder("branches")
	x := b.Input("x", graph.Int32, 4)
	left := b.Add(b.Neg(x), x)
	right := b.Mul(x, x)
	b.Output("y", b.Mul(left, b.Neg(right)))
	return built(t, b)
}

func TestTheFirstWrongOperatorIsFoundInAnyBranch(t *testing.T) {
	for _, about := range []string{"ADD", "MUL", "NEG"} {
		m := branches(t)
		first := slices.IndexFunc(m.Subgraphs[0].Ops, func(o graph.Op) bool { return o.Name() == about })
		r, err := over(t, m, "policy: fallback\n", Options{Verify: &Verify{Reference: &toy{name: "reference"}}}, &wrongOp{toy: toy{name: "npu"}, about: about}, &toy{name: "go"})
		if err != nil {
			t.Fatal(err)
		}
		want := once(t, r)
		if n := r.Notices(); len(n) != 1 || !strings.Contains(n[0], m.OpLabel(0, first)+" is the first wrong one: ") {
			t.Errorf("%s: notices %q", about, n)
		}
		s := r.Report()[0]
		if s.Reason != delegate.ReasonWrong || s.Verified == nil || s.Verified.Wrong != 1 || s.Verified.Runs != 2 || s.Verified.Backend != "go" {
			t.Errorf("%s: %+v, %+v", about, s, s.Verified)
		}
		right := once(t, runner(t, m, "", &toy{name: "right"}))
		if !slices.Equal(want, right) {
			t.Errorf("%s: got %v, want %v", about, want, right)
		}
	}
}

// wrongOp computes one kind of operator wrong.
type wrongOp struct {
	toy
	about string
}

func (b *wrongOp) Compile(ctx context.Context, m *graph.Model) (delegate.Executable, error) {
	// NEG of what it should be is 1-x, which no test value leaves as it is.
	x := *m
	x.Subgraphs = slices.Clone(m.Subgraphs)
	g := &x.Subgraphs[0]
	g.Ops = slices.Clone(g.Ops)
	for i := range g.Ops {
		switch {
		case g.Ops[i].Name() != b.about:
		case b.about == "NEG":
			g.Ops[i].Code, g.Ops[i].Inputs = schema.BuiltinOperatorADD, []int{g.Ops[i].Inputs[0], g.Ops[i].Inputs[0]}
		case b.about == "ADD":
			g.Ops[i].Code = schema.BuiltinOperatorMUL
		case b.about == "MUL":
			g.Ops[i].Code = schema.BuiltinOperatorADD
		}
	}
	e, err := b.toy.Compile(ctx, m)
	if err != nil {
		return nil, err
	}
	e.(*toyRun).m = &x
	return e, nil
}

func TestAWrongSegmentIsAnErrorByPolicyFail(t *testing.T) {
	m := branches(t)
	r, err := over(t, m, "policy: fail\n", Options{Verify: &Verify{Reference: &toy{name: "reference"}}}, &wrongOp{toy: toy{name: "npu"}, about: "ADD"}, &toy{name: "go"})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1))
	var failed *SegmentError
	if !errors.Is(err, ErrWrong) || !errors.As(err, &failed) || failed.Backend != "npu" || !strings.Contains(err.Error(), m.OpLabel(0, 1)+" is the first wrong one") {
		t.Errorf("got %v", err)
	}
}

func TestWhatTheReferenceCannotDoIsNotVerified(t *testing.T) {
	reference := broken("reference")
	r, err := over(t, branches(t), "", Options{Verify: &Verify{Reference: reference}}, &toy{name: "npu"})
	if err != nil {
		t.Fatal(err)
	}
	once(t, r)
	once(t, r)
	if n := r.Notices(); len(n) != 1 || !strings.Contains(n[0], "segment 0 on npu is not verified") {
		t.Errorf("notices %q", n)
	}
	if v := r.Report()[0].Verified; v == nil || v.Runs != 0 || !strings.Contains(v.Not, errBroken.Error()) {
		t.Errorf("%+v", v)
	}
	if reference.compiled != 1 {
		t.Errorf("the reference was compiled %d times", reference.compiled)
	}
	if err := r.Close(); err != nil || reference.open != 0 {
		t.Errorf("%v, %d references are open", err, reference.open)
	}
}

// halves says that it computes in float16.
type halves struct {
	toy
	probed atomic.Int32
	half   bool
}

func (b *halves) Probe(context.Context) (delegate.Device, error) {
	b.probed.Add(1)
	if b.half {
		return delegate.Device{Features: []string{"level=6", FeatureHalf}}, nil
	}
	return delegate.Device{Features: []string{"level=6"}}, nil
}

func TestADeviceThatComputesInFloat16MayBeFurtherOff(t *testing.T) {
	for _, half := range []bool{true, false} {
		b := &halves{toy: toy{name: "npu"}, half: half}
		r, err := over(t, chain(t, 2, 4), "", Options{Verify: &Verify{Reference: &toy{name: "reference"}}}, b)
		if err != nil {
			t.Fatal(err)
		}
		before := b.probed.Load()
		want := map[bool]float64{true: halfTolerance, false: floatTolerance}[half]
		for range 2 {
			if got := r.tolerance(context.Background(), "npu"); got != want {
				t.Errorf("half %v: %v", half, got)
			}
		}
		if n := b.probed.Load() - before; n != 1 {
			t.Errorf("probed %d times", n)
		}
	}
}

func TestWhatCountsAsRight(t *testing.T) {
	floats := func(list ...float32) graph.Array {
		return graph.Array{Type: graph.Float32, Shape: []int{len(list)}, Data: graph.Bytes(list)}
	}
	bytes := func(list ...int8) graph.Array {
		return graph.Array{Type: graph.Int8, Shape: []int{len(list)}, Data: graph.Bytes(list)}
	}
	nan := floats(0)
	graph.View[uint32](nan.Data)[0] = 0x7fc00000
	for _, test := range []struct {
		name      string
		got, want graph.Array
		quantized bool
		right     bool
	}{
		{"floats within a thousandth of the range", floats(0, 10.009), floats(0, 10), false, true},
		{"floats beyond it", floats(0, 10.02), floats(0, 10), false, false},
		{"a NaN where a number should be", nan, floats(0), false, false},
		{"a NaN where one should be", nan, nan, false, true},
		{"quantized values one step off", bytes(1, 9), bytes(1, 10), true, true},
		{"quantized values two steps off", bytes(1, 8), bytes(1, 10), true, false},
		{"plain integers one off", bytes(1, 9), bytes(1, 10), false, false},
		{"plain integers", bytes(1, 10), bytes(1, 10), false, true},
		{"another shape", floats(1, 2), floats(1), false, false},
	} {
		if _, ok := (&Verify{}).right(test.got, test.want, test.quantized, floatTolerance); ok != test.right {
			t.Errorf("%s: %v", test.name, ok)
		}
	}
}
