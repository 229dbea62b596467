package selftest

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/fallback"
	"nanoflux/graph"
)

func TestTheGoKernelsPass(t *testing.T) {
	b := fallback.New(fallback.Options{})
	r, err := Run(t.Context(), b, fallback.New(fallback.Options{Threads: 1}))
	if err != nil || !r.Usable() || len(r.Passed) != len(cases()) {
		t.Errorf("%+v, %v", r, err)
	}
}

// spoilt is a backend whose results go through a function.
type spoilt struct {
	delegate.Backend
	change func(a *graph.Array) error
}

func (s *spoilt) Compile(ctx context.Context, m *graph.Model) (delegate.Executable, error) {
	e, err := s.Backend.Compile(ctx, m)
	return &spoiltRun{e, s.change}, err
}

type spoiltRun struct {
	delegate.Executable
	change func(a *graph.Array) error
}

func (s *spoiltRun) Run(ctx context.Context, in, out []graph.Array) error {
	if err := s.Executable.Run(ctx, in, out); err != nil {
		return err
	}
	return s.change(&out[0])
}

func TestWrongResultsAreFound(t *testing.T) {
	right := fallback.New(fallback.Options{})
	tests := map[string]struct {
		change func(a *graph.Array) error
		want   string
		wrong  int
	}{
		"a NaN": {func(a *graph.Array) error {
			if a.Type == graph.Float32 {
				graph.View[float32](a.Data)[3] = float32(math.NaN())
			}
			return nil
		}, "value 3 is no number", 7},
		"wrong numbers": {func(a *graph.Array) error { a.Data[3] ^= 0x40; return nil }, "", 8},
		"an error":      {func(*graph.Array) error { return errors.New("out of luck") }, "out of luck", 8},
		"a lost device": {func(*graph.Array) error { return &delegate.LostError{Backend: "x", Cause: "hung"} }, "hung", 1},
	}
	for name, test := range tests {
		r, err := Run(t.Context(), &spoilt{right, test.change}, right)
		if err != nil || r.Usable() || len(r.Wrong) != test.wrong || !strings.Contains(r.Wrong[0].Text, test.want) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// choosy takes one operator only.
type choosy struct{ delegate.Backend }

func (choosy) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	if m.Subgraphs[sub].Ops[op].Name() != "SOFTMAX" {
		return delegate.Refuse(delegate.ReasonOp, "only softmax")
	}
	return nil
}

func TestWhatIsRefusedIsSaidAndNotWrong(t *testing.T) {
	right := fallback.New(fallback.Options{})
	r, err := Run(t.Context(), choosy{right}, right)
	if err != nil || !r.Usable() || len(r.Passed) != 1 || len(r.Refused) != len(cases())-1 || !strings.Contains(r.Refused[0].Text, "only softmax") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAnEndedContextEndsIt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, fallback.New(fallback.Options{}), fallback.New(fallback.Options{})); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
