package isolate

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"nanoflux/delegate"
)

func TestAnErrorCrossesAsTheFirstThatItWraps(t *testing.T) {
	for range 20 { // no random order
		f := toFailure(fmt.Errorf("%w: %w: %w", delegate.ErrUnavailable, delegate.ErrInput, context.Canceled))
		err := f.err()
		if !errors.Is(err, context.Canceled) || errors.Is(err, delegate.ErrInput) || err.Error() != f.Text {
			t.Fatalf("it crosses as %s: %v", f.Sentinel, err)
		}
	}
	for _, s := range sentinels {
		if err := toFailure(fmt.Errorf("the op: %w", s.err)).err(); !errors.Is(err, s.err) || err.Error() != "the op: "+s.err.Error() {
			t.Errorf("%s: %v", s.name, err)
		}
	}
	if toFailure(nil) != nil || (*failure)(nil).err() != nil {
		t.Error("nothing is an error")
	}
	if err := toFailure(errors.New("plain")).err(); err.Error() != "plain" || errors.Is(err, delegate.ErrLost) {
		t.Error(err)
	}
}

func TestRefusedOperatorsCross(t *testing.T) {
	refused := &delegate.RefusedError{Ops: []delegate.LeftOperator{{Op: 3, Reason: "no kernel"}, {Op: 5, Reason: "no memory"}}}
	err := toFailure(fmt.Errorf("the segment: %w", refused)).err()
	var got *delegate.RefusedError
	if !errors.As(err, &got) || len(got.Ops) != 2 || got.Ops[1] != refused.Ops[1] || !errors.Is(err, delegate.ErrUnsupported) {
		t.Errorf("%v, %+v", err, got)
	}
}
