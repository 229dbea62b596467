package exec

import (
	"context"
	"errors"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// Settle plans subgraph sub and makes the plan ready to run. Where a delegate
// leaves operators that its table promised, and the policy is fallback, it plans
// again with these operators elsewhere: what the device says overrides the table.
// The plan that runs is returned.
func Settle(ctx context.Context, m *graph.Model, sub int, p *profiles.Profile, backends map[string]delegate.Backend, o Options) (*Runner, *partition.Plan, error) {
	known := make(map[string]delegate.Backend, len(backends))
	for name, b := range backends {
		known[name] = b
	}
	for {
		plan, err := partition.New(ctx, m, sub, p, known)
		if err != nil {
			return nil, nil, err
		}
		runner, err := New(ctx, m, plan, known, o)
		var left *LeftError
		if err == nil || p.Policy != profiles.Fallback || !errors.As(err, &left) || len(left.Ops) == 0 {
			return runner, plan, err
		}
		known[left.Backend] = refuse(known[left.Backend], m, left.Ops)
	}
}

// refusing is a backend that refuses operators of one model besides its own
// refusals.
type refusing struct {
	delegate.Backend
	model *graph.Model
	ops   map[int]bool
}

// isRemote says whether a backend runs in another process.
func isRemote(b delegate.Backend) bool {
	for {
		if _, ok := b.(delegate.Remote); ok {
			return true
		}
		u, ok := b.(interface{ Unwrap() delegate.Backend })
		if !ok {
			return false
		}
		b = u.Unwrap()
	}
}

// refuse adds operators to what a backend refuses. Each round of Settle adds at
// least one, so it ends.
func refuse(b delegate.Backend, m *graph.Model, ops []int) delegate.Backend {
	r := &refusing{Backend: b, model: m, ops: map[int]bool{}}
	if before, ok := b.(*refusing); ok {
		r.Backend = before.Backend
		for op := range before.ops {
			r.ops[op] = true
		}
	}
	for _, op := range ops {
		r.ops[op] = true
	}
	return r
}

// Unwrap is the backend below.
func (r *refusing) Unwrap() delegate.Backend { return r.Backend }

// Supports implements delegate.Backend.
func (r *refusing) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	if m == r.model && r.ops[op] {
		return delegate.Refuse(delegate.ReasonDevice, "the device left it when it was asked")
	}
	return r.Backend.Supports(m, sub, op)
}
