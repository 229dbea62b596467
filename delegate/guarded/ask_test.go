package guarded

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/journal"
	"nanoflux/graph"
)

// answers is an asker that answers by the type of the last operator.
type answers struct {
	asked int
	says  map[string]error
}

func (a *answers) Ask(_ context.Context, m *graph.Model) (bool, string, error) {
	a.asked++
	ops := m.Subgraphs[0].Ops
	err, left := a.says[ops[len(ops)-1].Name()]
	switch {
	case !left:
		return true, "", nil
	case errors.Is(err, errNo):
		return false, err.Error(), nil
	}
	return false, "", err
}

var errNo = errors.New("no room")

// refusing is a fake whose table refuses what is named.
type refusing struct {
	*fake
	table string
}

func (r refusing) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	return refuses(r.table)(m, sub, op)
}

func refuses(name string) func(m *graph.Model, sub, op int) *delegate.Refusal {
	return func(m *graph.Model, sub, op int) *delegate.Refusal {
		if m.Subgraphs[sub].Ops[op].Name() == name {
			return delegate.Refuse(delegate.ReasonOp, "no %s", name)
		}
		return nil
	}
}

// three is y = exp(tanh(-x)) of n floats.
func three(t *testing.T, n int) *graph.Model {
	t.Helper()
	b := graph.NewBuilder("three")
	b.Output("y", b.Exp(b.Tanh(b.Neg(b.Input("x", graph.Float32, n)))))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAnAnswerOverridesTheTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	asker := &answers{says: map[string]error{"NEG": errNo, "EXP": &delegate.LostError{Backend: "fake", Cause: "killed by SIGBUS"}}}
	open := func(options map[string]any) *Backend {
		t.Helper()
		b := New(refusing{&fake{}, "TANH"}, Options{Kind: "fake", Options: options, Journal: journal.Open(path), Asker: asker, Reads: refuses("FLOOR")}).(*Backend)
		if _, err := b.Probe(t.Context()); err != nil {
			t.Fatal(err)
		}
		return b
	}
	says := func(b *Backend, m *graph.Model) (list []string) {
		for op := range m.Subgraphs[0].Ops {
			list = append(list, fmt.Sprint(b.Supports(m, 0, op)))
		}
		return list
	}
	table := "[<nil> op: no TANH <nil>]"
	if got := fmt.Sprint(says(open(nil), three(t, 4))); got != table {
		t.Errorf("before it is asked: %s", got)
	}
	for start := range 2 {
		b := open(nil)
		for op := range 3 {
			v, err := b.Ask(t.Context(), three(t, 4), 0, op)
			if err != nil || v.Known != (start > 0) {
				t.Errorf("start %d: %+v, %v", start, v, err)
			}
		}
		got := says(b, three(t, 4))
		if got[0] != "device: asked, it says: no room" || got[1] != "<nil>" || !strings.HasPrefix(got[2], "lost: ") || !strings.Contains(got[2], "SIGBUS") {
			t.Errorf("start %d: %q", start, got)
		}
		if b.lost.Load() {
			t.Error("a question that crashed counts as the backend's own loss")
		}
	}
	if asker.asked != 3 {
		t.Errorf("asked %d times", asker.asked)
	}
	if got := fmt.Sprint(says(open(nil), three(t, 5))); got != table {
		t.Errorf("of another size: %s", got)
	}
	if got := fmt.Sprint(says(open(map[string]any{"fp16": true}), three(t, 4))); got != table {
		t.Errorf("with other options: %s", got)
	}
}

func TestWhatCannotBeReadIsNotTakenWhateverTheDeviceSays(t *testing.T) {
	b := New(&fake{}, Options{Kind: "fake", Journal: journal.Open(filepath.Join(t.TempDir(), "journal")), Asker: &answers{}, Reads: refuses("NEG")}).(*Backend)
	m := three(t, 4)
	if v, err := b.Ask(t.Context(), m, 0, 0); err != nil || !v.Taken {
		t.Fatal(v, err)
	}
	if r := b.Supports(m, 0, 0); r == nil || r.Reason != delegate.ReasonOp {
		t.Errorf("got %v", r)
	}
	if b.Askable(m, 0, 0) == nil || b.Askable(m, 0, 1) != nil {
		t.Error("Askable is wrong")
	}
}

func TestWhatIsNoAnswerIsNotRemembered(t *testing.T) {
	j := journal.Open(filepath.Join(t.TempDir(), "journal"))
	asker := &answers{says: map[string]error{"NEG": fmt.Errorf("fake: %w", delegate.ErrUnavailable)}}
	for n := range 2 {
		_, err := New(&fake{}, Options{Kind: "fake", Journal: j, Asker: asker}).(*Backend).Ask(t.Context(), three(t, 4), 0, 0)
		if !errors.Is(err, delegate.ErrUnavailable) || asker.asked != n+1 {
			t.Errorf("%v, asked %d times", err, asker.asked)
		}
	}
	if _, err := New(&fake{}, Options{Kind: "fake", Journal: j}).(*Backend).Ask(t.Context(), three(t, 4), 0, 0); !errors.Is(err, ErrNoAsker) {
		t.Errorf("without an asker: %v", err)
	}
	if j.Knows() {
		t.Error("something is remembered")
	}
}

// scripted is a backend whose Compile gives one result after the other.
type scripted struct {
	*fake
	results *[]result
	closed  *int
}

type result struct {
	compile error
	left    []int
}

func (b scripted) Compile(context.Context, *graph.Model) (delegate.Executable, error) {
	r := (*b.results)[0]
	*b.results = (*b.results)[1:]
	if r.compile != nil {
		return nil, r.compile
	}
	return &partly{&fake{}, r.left}, nil
}

func (b scripted) Close() error { *b.closed++; return nil }

func TestATrialIsMadeAnewAfterItWasLost(t *testing.T) {
	opened, closed := 0, 0
	results := []result{{}, {left: []int{0}}, {compile: errNo}, {compile: &delegate.LostError{Cause: "gone"}}, {}}
	trial := NewTrial(func() (delegate.Backend, error) {
		opened++
		return scripted{&fake{}, &results, &closed}, nil
	}, true)
	for _, want := range []string{"taken=true reason= lost=false", "taken=false reason= lost=false", "taken=false reason=no room lost=false", "taken=false reason= lost=true", "taken=true reason= lost=false"} {
		taken, reason, err := trial.Ask(t.Context(), segment(t, 4))
		if got := fmt.Sprintf("taken=%v reason=%s lost=%v", taken, reason, errors.Is(err, delegate.ErrLost)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if err := trial.Close(); err != nil || opened != 2 || closed != 2 {
		t.Errorf("%v, opened %d times, closed %d times", err, opened, closed)
	}
}
