package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// placement is where a segment runs.
type placement struct {
	backend    string
	kind       string
	executable delegate.Executable
	// taken is what its delegate took; nil without a delegate.
	taken *Taken
}

// spares are compiled segments of plans that were given up, for the next plan:
// compiling for an NPU may take minutes.
type spares struct{ list map[string]*placement }

// spareKey is the same for segments that are the same model on one backend.
func spareKey(seg *partition.Segment, backend string) string {
	return fmt.Sprintf("%s %v %v %v", backend, seg.Ops, seg.Inputs, seg.Outputs)
}

func (s *spares) take(seg *partition.Segment, backend string) *placement {
	if s == nil {
		return nil
	}
	key := spareKey(seg, backend)
	at := s.list[key]
	delete(s.list, key)
	return at
}

// keep takes a runner's segments over; the runner is closed without them.
func (s *spares) keep(r *Runner) {
	if s == nil {
		return
	}
	for _, seg := range r.segments {
		if seg.at != nil && seg.at.backend == seg.Backend {
			s.list[spareKey(seg.Segment, seg.Backend)] = seg.at
			seg.at = nil
		}
	}
}

func (s *spares) close() error {
	var errs []error
	for _, at := range s.list {
		errs = append(errs, at.executable.Close())
	}
	s.list = nil
	return errors.Join(errs...)
}

// start puts each segment on its planned backend, or on the next one that can.
// Under the policy fallback every delegate is asked before the first LeftError
// is returned; the error then wraps all of them.
func (r *Runner) start(ctx context.Context, spare *spares) error {
	var all []error
	for _, seg := range r.segments {
		if at := spare.take(seg.Segment, seg.Backend); at != nil && r.options.Health.Lost(at.backend) == "" {
			r.settleAt(seg, at, nil)
			continue
		} else if at != nil {
			seg.behind = append(seg.behind, at.executable)
		}
		at, err := r.place(ctx, seg, seg.Backend)
		var left *LeftError
		switch {
		case err == nil:
			r.settleAt(seg, at, nil)
			continue
		case errors.As(err, &left):
			err = seg.failed("compile", seg.Backend, err)
			if left.plannedAnew(r.plan.Policy) {
				all = append(all, err)
				continue
			}
		case !movable(ctx, err):
			err = seg.failed("compile", seg.Backend, err)
		default:
			err = r.move(ctx, seg, seg.Backend, "compile", err)
		}
		if err != nil {
			return err
		}
	}
	if len(all) > 0 {
		spare.keep(r)
	}
	return errors.Join(all...)
}

// place compiles a segment on a backend of the profile and checks what a
// delegate made of it.
func (r *Runner) place(ctx context.Context, seg *segment, name string) (*placement, error) {
	if why := r.options.Health.Lost(name); why != "" {
		return nil, &delegate.LostError{Backend: name, Cause: why}
	}
	backend := r.backends[name]
	if backend == nil {
		return nil, errors.New("no backend of this name was opened")
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x, err := r.plan.Extract(r.model, seg.ID)
	if err != nil {
		return nil, err
	}
	if left := r.leftOf(seg, name, leftBefore(backend, x)); left != nil && r.plan.Policy == profiles.Fallback && !r.options.takeWhatIsLeft {
		return nil, left
	}
	e, err := r.compile(ctx, name, backend, x)
	if err != nil {
		if errors.Is(err, delegate.ErrLost) {
			r.options.Health.lose(name, err)
		}
		var refused *delegate.RefusedError
		if errors.As(err, &refused) && name == seg.Backend && !r.options.takeWhatIsLeft {
			left := r.leftOf(seg, name, indices(refused))
			if left != nil {
				left.Refused = map[int]*delegate.Refusal{}
				for _, op := range refused.Ops {
					if op.Op >= 0 && op.Op < len(seg.Ops) {
						left.Refused[seg.Ops[op.Op]] = delegate.Refuse(delegate.ReasonDevice, "%s", op.Reason)
					}
				}
				if left.plannedAnew(r.plan.Policy) {
					return nil, left
				}
			}
		}
		return nil, err
	}
	at := &placement{backend: name, kind: backend.Name(), executable: e}
	d, ok := e.(delegate.Delegated)
	if !ok {
		return at, nil
	}
	taken := d.Taken()
	at.taken = r.takenOf(seg, taken)
	left := r.leftOf(seg, name, taken.Left)
	switch {
	case left == nil:
		return at, nil
	case r.plan.Policy == profiles.Warn || r.options.takeWhatIsLeft && r.plan.Policy != profiles.Fail:
		r.notice(left.Error())
		return at, nil
	}
	return nil, errors.Join(left, e.Close())
}

// leftBefore is what a backend remembers that its delegate left of a segment.
func leftBefore(b delegate.Backend, segment *graph.Model) []int {
	for {
		if r, ok := b.(interface{ LeftBefore(*graph.Model) []int }); ok {
			return r.LeftBefore(segment)
		}
		u, ok := b.(interface{ Unwrap() delegate.Backend })
		if !ok {
			return nil
		}
		b = u.Unwrap()
	}
}

// ErrLeft is wrapped by a LeftError.
var ErrLeft = errors.New("left to the CPU")

// LeftError says that a delegate took less of a segment than its table
// promised. Under the policy fallback, Settle plans again without these
// operators. It wraps ErrLeft.
type LeftError struct {
	Segment int
	Backend string
	// Ops are indices of the source subgraph.
	Ops []int
	// Names are their labels, at most five.
	Names []string
	// Refused are the device's reasons by operator, where it refused the segment
	// because of these; nil where a delegate left them and took the rest.
	Refused map[int]*delegate.Refusal
}

// plannedAnew says whether Settle plans again without the operators: always where
// the segment cannot run there with them, unless the policy is to fail.
func (e *LeftError) plannedAnew(p profiles.Policy) bool {
	return p == profiles.Fallback || e.Refused != nil && p == profiles.Warn
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
	if e.Refused != nil {
		return fmt.Sprintf("%s refuses %s of segment %d: %s: %s", e.Backend, counted(len(e.Ops), "operator"), e.Segment, names, e.Refused[e.Ops[0]].Detail)
	}
	return fmt.Sprintf("the delegate left %s of segment %d on %s to the CPU: %s", counted(len(e.Ops), "operator"), e.Segment, e.Backend, names)
}

// Unwrap makes errors.Is(e, ErrLeft) hold.
func (e *LeftError) Unwrap() error { return ErrLeft }

// indices are the operators that were refused.
func indices(e *delegate.RefusedError) (list []int) {
	for _, op := range e.Ops {
		list = append(list, op.Op)
	}
	return list
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// leftOf names operators of a segment by its own indices; nil for none. Those
// with only constant inputs do not count: the interpreter computes them once.
func (r *Runner) leftOf(seg *segment, backend string, left []int) *LeftError {
	e := &LeftError{Segment: seg.ID, Backend: backend}
	constant := r.constants(seg.Ops)
	for _, i := range left {
		if i < 0 || i >= len(seg.Ops) || constant[seg.Ops[i]] {
			continue
		}
		op := seg.Ops[i]
		e.Ops = append(e.Ops, op)
		if len(e.Names) < 5 {
			e.Names = append(e.Names, r.model.OpLabel(r.plan.Subgraph, op))
		}
	}
	if len(e.Ops) == 0 {
		return nil
	}
	return e
}

// constants says which of some operators, ascending, have only constant inputs.
func (r *Runner) constants(ops []int) map[int]bool {
	constant, made := map[int]bool{}, map[int]bool{}
	for _, op := range ops {
		o := &r.graph.Ops[op]
		constant[op] = !slices.ContainsFunc(o.Inputs, func(t int) bool {
			return t != graph.NoTensor && !made[t] && !r.model.IsConstant(r.plan.Subgraph, t)
		})
		for _, t := range o.Outputs {
			if t != graph.NoTensor {
				made[t] = constant[op]
			}
		}
	}
	return constant
}
