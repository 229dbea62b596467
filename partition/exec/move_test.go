package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/profiles"
)

// lostAfter is a toy whose process is gone after some runs; 0 for at once, -1
// for already at Compile.
type lostAfter struct {
	toy
	runs int
	ran  atomic.Int32
}

func (b *lostAfter) lost() error {
	return &delegate.LostError{Backend: b.name, Cause: "killed by SIGSEGV"}
}

func (b *lostAfter) Compile(ctx context.Context, m *graph.Model) (delegate.Executable, error) {
	if b.runs < 0 || int(b.ran.Load()) > b.runs {
		return nil, b.lost()
	}
	e, err := b.toy.Compile(ctx, m)
	return &lostRun{e, b}, err
}

type lostRun struct {
	delegate.Executable
	b *lostAfter
}

func (r *lostRun) Run(ctx context.Context, in, out []graph.Array) error {
	if int(r.b.ran.Add(1)) > r.b.runs {
		return r.b.lost()
	}
	return r.Executable.Run(ctx, in, out)
}

// over plans m over backends in this order and opens a runner.
func over(t *testing.T, m *graph.Model, rules string, o Options, backends ...delegate.Backend) (*Runner, error) {
	t.Helper()
	byName, names := map[string]delegate.Backend{}, []string{}
	for _, b := range backends {
		byName[b.Name()] = b
		names = append(names, b.Name())
	}
	r, _, err := Settle(context.Background(), m, 0, profileOf(t, rules, names...), byName, o)
	if err == nil {
		t.Cleanup(func() { r.Close() })
	}
	return r, err
}

func TestASegmentOfALostBackendRunsOnTheNext(t *testing.T) {
	input := ints(1, 2, 3, 4)
	want := func() []int32 {
		r := runner(t, chain(t, 6, 4), "", &toy{name: "right"})
		out := make([]graph.Array, 1)
		if err := r.Run(context.Background(), []graph.Array{input}, out); err != nil {
			t.Fatal(err)
		}
		return numbers(out[0])
	}()
	for _, policy := range []profiles.Policy{profiles.Warn, profiles.Fallback, profiles.Fail} {
		for _, runs := range []int{-1, 0, 9} {
			t.Run(fmt.Sprintf("%s after %d", policy, runs), func(t *testing.T) {
				npu := &lostAfter{toy: toy{name: "b"}, runs: runs}
				r, err := over(t, chain(t, 6, 4), zigzag+"policy: "+string(policy)+"\n", Options{}, &toy{name: "a"}, npu)
				for i := 0; err == nil && i < 8; i++ {
					out := make([]graph.Array, 1)
					if err = r.Run(context.Background(), []graph.Array{input}, out); err == nil && !slices.Equal(numbers(out[0]), want) {
						t.Fatalf("run %d gives %v, want %v", i, numbers(out[0]), want)
					}
				}
				if policy == profiles.Fail {
					var failed *SegmentError
					if !errors.Is(err, delegate.ErrLost) || !errors.As(err, &failed) || failed.Backend != "b" || !strings.Contains(err.Error(), "killed by SIGSEGV") {
						t.Errorf("got %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				moved := 0
				for _, s := range r.Report() {
					if s.Planned == "b" {
						moved++
						if s.Backend != "a" || !strings.Contains(s.Moved, "killed by SIGSEGV") {
							t.Errorf("segment %d: %+v", s.Segment, s)
						}
					}
				}
				if moved != 3 {
					t.Errorf("%d segments moved, must be 3: one that failed, and those of the same backend", moved)
				}
				if told := len(r.Notices()) > 0; told != (policy == profiles.Warn) {
					t.Errorf("notices %q", r.Notices())
				}
			})
		}
	}
}

func TestRunnersWithOneHealthLearnFromEachOther(t *testing.T) {
	health := NewHealth()
	npu := &lostAfter{toy: toy{name: "b"}, runs: 0}
	first, err := over(t, chain(t, 2, 4), zigzag, Options{Health: health}, &toy{name: "a"}, npu)
	if err != nil {
		t.Fatal(err)
	}
	second, err := over(t, chain(t, 2, 4), zigzag, Options{Health: health}, &toy{name: "a"}, npu)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Runner{first, second} {
		if err := r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if n := npu.ran.Load(); n != 1 {
		t.Errorf("the lost backend was tried %d times", n)
	}
	if why := health.Lost("b"); !strings.Contains(why, "SIGSEGV") {
		t.Errorf("health says %q", why)
	}
}

func TestManyRunsSurviveTheLossTogether(t *testing.T) {
	npu := &lostAfter{toy: toy{name: "b"}, runs: 20}
	r, err := over(t, chain(t, 6, 4), zigzag, Options{}, &toy{name: "a"}, npu)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 10 {
				if err := r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1)); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
}

func TestALossWithNowhereToGoIsTheError(t *testing.T) {
	r, err := over(t, chain(t, 2, 4), "", Options{}, &lostAfter{toy: toy{name: "b"}})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1))
	if !errors.Is(err, delegate.ErrLost) || !strings.Contains(err.Error(), "no other backend of the profile takes the segment") {
		t.Errorf("got %v", err)
	}
}

// modest leaves some operators of the model when it is asked.
type modest struct {
	toy
	left func(m *graph.Model) []int
}

func (b *modest) Compile(ctx context.Context, m *graph.Model) (delegate.Executable, error) {
	e, err := b.toy.Compile(ctx, m)
	return &modestRun{e, delegate.Taken{Operators: len(m.Subgraphs[0].Ops), Left: b.left(m)}}, err
}

type modestRun struct {
	delegate.Executable
	taken delegate.Taken
}

func (r *modestRun) Taken() delegate.Taken { return r.taken }

// leavesNeg leaves every NEG.
func leavesNeg(m *graph.Model) (left []int) {
	for i := range m.Subgraphs[0].Ops {
		if m.Subgraphs[0].Ops[i].Name() == "NEG" {
			left = append(left, i)
		}
	}
	return left
}

func TestWhatADelegateLeavesIsHandledByPolicy(t *testing.T) {
	run := func(policy profiles.Policy) (*Runner, error) {
		return over(t, chain(t, 5, 4), "policy: "+string(policy)+"\n", Options{}, &modest{toy: toy{name: "npu"}, left: leavesNeg}, &toy{name: "go"})
	}
	var left *LeftError
	if _, err := run(profiles.Fail); !errors.As(err, &left) || left.Backend != "npu" || len(left.Ops) == 0 || !strings.Contains(err.Error(), "NEG") {
		t.Errorf("fail: %v", err)
	}
	r, err := run(profiles.Warn)
	if err != nil || len(r.Notices()) != 1 || !strings.Contains(r.Notices()[0], "the delegate left") {
		t.Errorf("warn: %v, %q", err, r.Notices())
	}
	r, err = run(profiles.Fallback)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Report() {
		for _, op := range s.Ops {
			if neg := r.graph.Ops[op].Name() == "NEG"; neg != (s.Backend == "go") {
				t.Errorf("op %d (%s) runs on %s", op, r.graph.Ops[op].Name(), s.Backend)
			}
		}
	}
	if reasons := r.plan.Misses; len(reasons) == 0 || reasons[0].Refusal.Reason != delegate.ReasonDevice {
		t.Errorf("misses %+v", reasons)
	}
}

// wrongIn is wrong in one kind of operator.
type wrongIn struct {
	toy
	about string
}

func (b *wrongIn) Compile(ctx context.Context, m *graph.Model) (delegate.Executable, error) {
	e, err := b.toy.Compile(ctx, m)
	return &wrongRun{e, b, m}, err
}

type wrongRun struct {
	delegate.Executable
	b *wrongIn
	m *graph.Model
}

func (r *wrongRun) Run(ctx context.Context, in, out []graph.Array) error {
	if err := r.Executable.Run(ctx, in, out); err != nil {
		return err
	}
	for i := range r.m.Subgraphs[0].Ops {
		if r.m.Subgraphs[0].Ops[i].Name() == r.b.about {
			graph.View[int32](out[0].Data)[0] += 1000
			return nil
		}
	}
	return nil
}

func TestVerifyFindsTheWrongOperatorAndMovesTheSegment(t *testing.T) {
	m := chain(t, 8, 4)
	first := slices.IndexFunc(m.Subgraphs[0].Ops, func(o graph.Op) bool { return o.Name() == "ADD" })
	verify := &Verify{Reference: &toy{name: "reference"}}
	r, err := over(t, m, "", Options{Verify: verify}, &wrongIn{toy: toy{name: "npu"}, about: "ADD"}, &toy{name: "go"})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]graph.Array, 1)
	if err := r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, out); err != nil {
		t.Fatal(err)
	}
	want := m.OpLabel(0, first) + " is the first wrong one: "
	if n := r.Notices(); len(n) != 1 || !strings.Contains(n[0], want) {
		t.Errorf("notices %q, want %q", n, want)
	}
	if got := r.Report()[0]; got.Backend != "go" || got.Planned != "npu" {
		t.Errorf("report %+v", got)
	}
	if _, err := over(t, m, "policy: fail\n", Options{Verify: verify}, &wrongIn{toy: toy{name: "npu"}, about: "ADD"}); err != nil {
		t.Fatal(err)
	}
}

func TestVerifyLetsRightResultsThrough(t *testing.T) {
	verify := &Verify{Reference: &toy{name: "reference"}}
	r, err := over(t, chain(t, 8, 4), zigzag, Options{Verify: verify}, &toy{name: "a"}, &toy{name: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1)); err != nil || len(r.Notices()) > 0 {
		t.Errorf("%v, %q", err, r.Notices())
	}
}

// What fails everywhere ends, and the next run may be better.
func TestASegmentThatFailsOnEveryBackendIsAnErrorOfAll(t *testing.T) {
	broken := true
	fail := func(text string) func() error {
		return func() error {
			if broken {
				return errors.New(text)
			}
			return nil
		}
	}
	r, err := over(t, chain(t, 4, 4), "", Options{}, &toy{name: "a", fail: fail("division by zero on a")}, &toy{name: "b", fail: fail("division by zero on b")})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1))
		if err == nil || !strings.Contains(err.Error(), "on a") || !strings.Contains(err.Error(), "on b") {
			t.Fatalf("got %v", err)
		}
	}
	broken = false
	if err := r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1)); err != nil {
		t.Errorf("the next run: %v", err)
	}
}
