package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/guarded"
	"nanoflux/graph"
	"nanoflux/profiles"
)

// movable says whether another backend may do better: not when the caller gave
// up, and not when the inputs are wrong.
func movable(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !errors.Is(err, delegate.ErrInput) && !errors.Is(err, delegate.ErrClosed)
}

// reasonOf is the sort of what drove a segment from a backend.
func reasonOf(err error) delegate.Reason {
	var refusal *delegate.Refusal
	switch {
	case errors.Is(err, delegate.ErrLost), errors.Is(err, guarded.ErrRemembered):
		return delegate.ReasonLost
	case errors.Is(err, ErrWrong):
		return delegate.ReasonWrong
	case errors.Is(err, ErrLeft):
		return delegate.ReasonDevice
	case errors.Is(err, delegate.ErrUnavailable):
		return delegate.ReasonUnavailable
	case errors.As(err, &refusal):
		return refusal.Reason
	}
	return delegate.ReasonFailed
}

// move puts a segment on the next backend that takes all of it, after the one
// it was on failed. The segment's turn is held, or it is not in use yet.
func (r *Runner) move(ctx context.Context, seg *segment, from, doing string, cause error) error {
	if errors.Is(cause, delegate.ErrLost) {
		r.options.Health.lose(from, cause)
	}
	if r.plan.Policy == profiles.Fail {
		return seg.failed(doing, from, cause)
	}
	if seg.failedOn == nil {
		seg.failedOn = map[string]error{}
	}
	seg.failedOn[from] = cause
	why := cause
	for _, name := range r.others(seg, from) {
		at, err := r.place(ctx, seg, name)
		if err == nil {
			r.settleAt(seg, at, why)
			r.noticeMove(seg, from, name, cause, why)
			return nil
		}
		if !movable(ctx, err) {
			return seg.failed("compile", name, err)
		}
		seg.failedOn[name] = err
		why = fmt.Errorf("%w; then on %s: %w", why, name, err)
	}
	for _, b := range r.plan.Backends {
		if err := seg.failedOn[b.Name]; err != nil && b.Name != from && !errors.Is(why, err) {
			why = fmt.Errorf("%w; before on %s: %w", why, b.Name, err)
		}
	}
	return seg.failed(doing, from, fmt.Errorf("%w; no other backend of the profile takes the segment", why))
}

// noticeMove tells of a move where the policy wants it told. What was asked for
// (a comparison) and what goes on over many starts until somebody ends it (a
// crash that is remembered) is told in any case.
func (r *Runner) noticeMove(seg *segment, from, to string, cause, why error) {
	if r.plan.Policy == profiles.Warn || errors.Is(cause, guarded.ErrRemembered) || errors.Is(cause, ErrWrong) && r.options.Verify != nil {
		r.notice(fmt.Sprintf("segment %d (op %s) moved from %s to %s: %v", seg.ID, seg.Ops, from, to, why))
	}
}

// others are the backends that a segment may move to from one: the plan's after
// it, then those before it, without those that are lost, or missing, or that
// rules keep an operator from, or that refuse one.
func (r *Runner) others(seg *segment, from string) (names []string) {
	list := r.plan.Backends
	for i := range list {
		if list[i].Name == from {
			list = slices.Concat(list[i+1:], list[:i])
			break
		}
	}
	for _, b := range list {
		backend := r.backends[b.Name]
		// Not back and forth: what failed here once is not tried here again.
		if backend == nil || seg.failedOn[b.Name] != nil || b.Unavailable != "" || r.options.Health.Lost(b.Name) != "" {
			continue
		}
		if !slices.ContainsFunc(seg.Ops, func(op int) bool {
			return slices.Contains(b.Avoided, op) || backend.Supports(r.model, r.plan.Subgraph, op) != nil
		}) {
			names = append(names, b.Name)
		}
	}
	return names
}

// settleAt makes a placement the segment's; cause is why it moved, or nil.
func (r *Runner) settleAt(seg *segment, at *placement, cause error) {
	if seg.at != nil {
		seg.behind = append(seg.behind, seg.at.executable)
	}
	seg.at = at
	r.mutex.Lock()
	defer r.mutex.Unlock()
	st := &r.stats[seg.ID]
	st.Backend, st.Kind, st.Taken = at.backend, at.kind, at.taken
	if cause == nil {
		return
	}
	st.Planned, st.Reason = seg.Backend, reasonOf(cause)
	if st.Moved != "" {
		st.Moved += "; then: "
	}
	st.Moved += cause.Error()
}

// runWhereItCan runs a segment, and again on the next backend when one fails.
// Inputs are only read, and what a failed run left in outputs is overwritten.
func (r *Runner) runWhereItCan(ctx context.Context, seg *segment, in, out []graph.Array) (time.Duration, error) {
	for {
		at, err := r.whereNow(ctx, seg)
		if err != nil {
			return 0, err
		}
		start := time.Now()
		err = at.executable.Run(ctx, in, out)
		took := time.Since(start)
		if err == nil {
			err = r.checkResults(ctx, seg, at, in, out)
		}
		if err == nil {
			return took, nil
		}
		if !movable(ctx, err) {
			return 0, seg.failed("run", at.backend, err)
		}
		if err := r.moveFrom(ctx, seg, at, err); err != nil {
			return 0, err
		}
	}
}

// lock waits for the segment's turn, no longer than ctx.
func (s *segment) lock(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *segment) unlock() { <-s.turn }

// whereNow is where a segment is to run. It moves away from a backend that was
// lost meanwhile.
func (r *Runner) whereNow(ctx context.Context, seg *segment) (*placement, error) {
	if err := seg.lock(ctx); err != nil {
		return nil, err
	}
	defer seg.unlock()
	why := r.options.Health.Lost(seg.at.backend)
	if why == "" {
		return seg.at, nil
	}
	err := r.move(ctx, seg, seg.at.backend, "run", &delegate.LostError{Backend: seg.at.backend, Cause: why})
	return seg.at, err
}

// moveFrom moves a segment unless another run did so meanwhile.
func (r *Runner) moveFrom(ctx context.Context, seg *segment, failed *placement, cause error) error {
	if err := seg.lock(ctx); err != nil {
		return err
	}
	defer seg.unlock()
	if seg.at != failed {
		return nil
	}
	return r.move(ctx, seg, failed.backend, "run", cause)
}

// Notices are what a person should know of the runs so far, one line each: what
// moved from where to where and why, what a delegate left, what was wrong. The
// policy fallback says less.
func (r *Runner) Notices() []string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Clone(r.notices)
}

func (r *Runner) notice(text string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if !slices.Contains(r.notices, text) {
		r.notices = append(r.notices, text)
	}
}
