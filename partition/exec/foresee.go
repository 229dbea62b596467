package exec

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// Foresee plans subgraph sub as Settle would, as far as that is known without
// compiling anything: where backends remember (package guarded) that a segment
// took them down, or that their delegate left operators of it and the policy is
// fallback, it plans again with these operators elsewhere. By the policy fail
// such a segment is the error that Settle gives.
func Foresee(ctx context.Context, m *graph.Model, sub int, p *profiles.Profile, backends map[string]delegate.Backend) (*partition.Plan, error) {
	known := maps.Clone(backends)
	for round := 1; ; round++ {
		plan, err := partition.New(ctx, m, sub, p, known)
		if err != nil || round == maxRounds {
			return plan, err
		}
		again, err := remember(m, plan, known, nil)
		if err != nil {
			return nil, err
		}
		if !again {
			return plan, nil
		}
	}
}

// remember has backends refuse what they are known not to do of a plan, and says
// whether there was anything, so that the plan must be made again. Notices, if
// wanted, are for people who are not told otherwise, by the policy fallback.
func remember(m *graph.Model, plan *partition.Plan, known map[string]delegate.Backend, notices *[]string) (again bool, err error) {
	r := &Runner{model: m, graph: &m.Subgraphs[plan.Subgraph], plan: plan}
	for i := range plan.Segments {
		seg := &segment{Segment: &plan.Segments[i]}
		b := known[seg.Backend]
		before := memoryOf(b)
		if before == nil {
			continue
		}
		x, err := plan.Extract(m, seg.ID)
		if err != nil {
			return false, fmt.Errorf("%s: %w", m.Name, err)
		}
		if crash := before.CrashedBefore(x); crash != nil {
			if plan.Policy == profiles.Fail {
				return false, fmt.Errorf("%s: %w", m.Name, seg.failed("compile", seg.Backend, crash))
			}
			if notices != nil && plan.Policy == profiles.Fallback {
				*notices = append(*notices, fmt.Sprintf("op %s not on %s: %v", seg.Ops, seg.Backend, crash))
			}
			// Operators with only constant inputs may go there with others.
			ops, constant := []int(nil), r.constants(seg.Ops)
			for _, op := range seg.Ops {
				if !constant[op] {
					ops = append(ops, op)
				}
			}
			if len(ops) == 0 {
				ops = seg.Ops
			}
			known[seg.Backend] = refuse(b, m, plan.Subgraph, ops, delegate.Refuse(delegate.ReasonLost, "%s", strings.TrimPrefix(crash.Error(), b.Name()+": ")))
			again = true
			continue
		}
		left := r.leftOf(seg, seg.Backend, before.LeftBefore(x))
		if left == nil {
			continue
		}
		switch plan.Policy {
		case profiles.Fail:
			if notices != nil { // whoever compiles hears it from the device itself
				continue
			}
			return false, fmt.Errorf("%s: %w", m.Name, seg.failed("compile", seg.Backend, left))
		case profiles.Fallback:
			known[seg.Backend] = refuse(b, m, plan.Subgraph, left.Ops, leftRefusal)
			again = true
		}
	}
	return again, nil
}

// memoryOfStarts is a backend that remembers former starts.
type memoryOfStarts interface {
	LeftBefore(segment *graph.Model) []int
	CrashedBefore(segment *graph.Model) error
}

// memoryOf is the backend that remembers, b or one that it wraps; nil for none.
func memoryOf(b delegate.Backend) memoryOfStarts {
	for {
		if r, ok := b.(memoryOfStarts); ok {
			return r
		}
		u, ok := b.(interface{ Unwrap() delegate.Backend })
		if !ok {
			return nil
		}
		b = u.Unwrap()
	}
}
