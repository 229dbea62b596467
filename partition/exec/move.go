package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/profiles"
)

// LeftError says that a delegate took less of a segment than its table
// promised. Under the policy fallback, Settle plans again without these
// operators.
type LeftError struct {
	Segment int
	Backend string
	// Ops are indices of the source subgraph.
	Ops []int
	// Names are their labels, at most five.
	Names []string
}

func (e *LeftError) Error() string {
	names := ""
	for i, n := range e.Names {
		if i > 0 {
			names += ", "
		}
		names += n
	}
	if len(e.Names) < len(e.Ops) {
		names += ", …"
	}
	return fmt.Sprintf("the delegate left %d operators of segment %d on %s to the CPU: %s", len(e.Ops), e.Segment, e.Backend, names)
}

// errWrong is wrapped by errors about results that cannot be right.
var errWrong = errors.New("wrong result")

// start puts a segment on its planned backend, or on the next one that can.
func (r *Runner) start(ctx context.Context, seg *segment) error {
	at, err := r.place(ctx, seg, seg.Backend)
	if err == nil {
		r.settleAt(seg, at, nil)
		return nil
	}
	var left *LeftError
	if errors.As(err, &left) || !movable(ctx, err) {
		return seg.failed("compile", seg.Backend, err)
	}
	return r.move(ctx, seg, seg.Backend, "compile", err)
}

// place compiles a segment and checks what a delegate made of it.
func (r *Runner) place(ctx context.Context, seg *segment, backend string) (*placement, error) {
	if why := r.options.Health.Lost(backend); why != "" {
		return nil, fmt.Errorf("%w: %s", delegate.ErrLost, why)
	}
	at, err := r.compile(ctx, seg, backend)
	if err != nil {
		if errors.Is(err, delegate.ErrLost) {
			r.options.Health.lose(backend, err)
		}
		return nil, err
	}
	d, ok := at.executable.(delegate.Delegated)
	if !ok || len(d.Taken().Left) == 0 {
		return at, nil
	}
	left := r.leftOf(seg, backend, d.Taken().Left)
	if r.plan.Policy == profiles.Warn {
		r.notice(left.Error())
		return at, nil
	}
	return nil, errors.Join(left, at.executable.Close())
}

// leftOf names operators of a segment by its own indices.
func (r *Runner) leftOf(seg *segment, backend string, left []int) *LeftError {
	e := &LeftError{Segment: seg.ID, Backend: backend}
	for _, i := range left {
		if i >= len(seg.Ops) {
			continue
		}
		op := seg.Ops[i]
		e.Ops = append(e.Ops, op)
		if len(e.Names) < 5 {
			e.Names = append(e.Names, r.model.OpLabel(r.plan.Subgraph, op))
		}
	}
	return e
}

// movable says whether another backend may do better: not when the caller gave
// up, and not when the inputs are wrong.
func movable(ctx context.Context, err error) bool {
	return ctx.Err() == nil && !errors.Is(err, delegate.ErrInput) && !errors.Is(err, delegate.ErrClosed)
}

// move puts a segment on the next backend that takes all of it, after the one
// it was on failed. seg.mutex is held, or the segment is not in use yet.
func (r *Runner) move(ctx context.Context, seg *segment, from, doing string, cause error) error {
	if errors.Is(cause, delegate.ErrLost) {
		r.options.Health.lose(from, cause)
	}
	if r.plan.Policy == profiles.Fail {
		return seg.failed(doing, from, cause)
	}
	for _, name := range r.others(from) {
		if !r.takesAll(seg, name) {
			continue
		}
		at, err := r.place(ctx, seg, name)
		if err != nil {
			if !movable(ctx, err) {
				return seg.failed("compile", name, err)
			}
			cause = errors.Join(cause, err)
			continue
		}
		r.settleAt(seg, at, cause)
		if r.plan.Policy == profiles.Warn {
			r.notice(fmt.Sprintf("segment %d (op %s) moved from %s to %s: %v", seg.ID, seg.Ops, from, name, cause))
		}
		return nil
	}
	return seg.failed(doing, from, fmt.Errorf("%w; no other backend of the profile takes the segment", cause))
}

// others are the plan's backends after one, then those before it.
func (r *Runner) others(from string) (names []string) {
	for _, b := range r.plan.Backends {
		names = append(names, b.Name)
	}
	i := slices.Index(names, from)
	return append(slices.Clone(names[i+1:]), names[:max(i, 0)]...)
}

func (r *Runner) takesAll(seg *segment, name string) bool {
	backend := r.backends[name]
	if backend == nil || r.options.Health.Lost(name) != "" {
		return false
	}
	return !slices.ContainsFunc(seg.Ops, func(op int) bool { return backend.Supports(r.model, r.plan.Subgraph, op) != nil })
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
	st.Backend, st.Kind = at.backend, at.kind
	if cause != nil {
		st.Planned, st.Moved = seg.Backend, cause.Error()
	}
}

// runWhereItCan runs a segment, and again on the next backend when one fails.
// Inputs are only read, and what a failed run left in outputs is overwritten.
func (r *Runner) runWhereItCan(ctx context.Context, seg *segment, in, out []graph.Array) (time.Duration, error) {
	for {
		seg.mutex.Lock()
		at := seg.at
		if why := r.options.Health.Lost(at.backend); why != "" {
			if err := r.move(ctx, seg, at.backend, "run", fmt.Errorf("%w: %s", delegate.ErrLost, why)); err != nil {
				seg.mutex.Unlock()
				return 0, err
			}
			at = seg.at
		}
		seg.mutex.Unlock()
		start := time.Now()
		err := at.executable.Run(ctx, in, out)
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

// moveFrom moves a segment unless another run did so meanwhile.
func (r *Runner) moveFrom(ctx context.Context, seg *segment, failed *placement, cause error) error {
	seg.mutex.Lock()
	defer seg.mutex.Unlock()
	if seg.at != failed {
		return nil
	}
	return r.move(ctx, seg, failed.backend, "run", cause)
}

// checkResults checks what a backend made: the next segment, or the caller,
// trusts it.
func (r *Runner) checkResults(ctx context.Context, seg *segment, at *placement, in, out []graph.Array) error {
	for k, t := range seg.Outputs {
		if err := r.checkResult(t, out[k]); err != nil {
			return err
		}
	}
	if delegate.IsVendor(at.kind) {
		if err := r.checkFinite(seg, in, out); err != nil {
			return err
		}
	}
	if r.options.Verify == nil || at.kind == r.options.Verify.Reference.Name() {
		return nil
	}
	return r.verify(ctx, seg, at, in, out)
}

// checkFinite is an error when a device made infinities or NaNs of numbers that
// were none. Should they be right, the backend that the segment moves to makes
// them too.
func (r *Runner) checkFinite(seg *segment, in, out []graph.Array) error {
	for _, a := range in {
		if !allFinite(a) {
			return nil
		}
	}
	for k, t := range seg.Outputs {
		if !allFinite(out[k]) {
			return fmt.Errorf("%w: %s has values that are no numbers", errWrong, r.model.TensorLabel(r.plan.Subgraph, t))
		}
	}
	return nil
}

// allFinite looks at the exponents of float32 values; other types pass.
func allFinite(a graph.Array) bool {
	if a.Type != graph.Float32 {
		return true
	}
	const exponent = 0x7f800000
	for _, bits := range graph.View[uint32](a.Data) {
		if bits&exponent == exponent {
			return false
		}
	}
	return true
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
