package exec

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// maxRounds bounds how often Settle asks. A delegate's answer may change with
// what else is in the segment; what it still leaves in the last round stays with
// it.
const maxRounds = 8

// Settle plans subgraph sub and makes the plan ready to run. Where a delegate
// leaves operators that its table promised, and the policy is fallback, it plans
// again with these operators elsewhere: what the device says overrides the table.
// What backends remember of former starts is used before they are asked, as
// Foresee does. Backends that are lost are planned without. The plan that runs is
// returned.
func Settle(ctx context.Context, m *graph.Model, sub int, p *profiles.Profile, backends map[string]delegate.Backend, o Options) (runner *Runner, plan *partition.Plan, err error) {
	if o.Health == nil {
		o.Health = NewHealth()
	}
	known := maps.Clone(backends)
	for name, b := range known {
		if why := o.Health.Lost(name); why != "" && b != nil {
			known[name] = &gone{b, &delegate.LostError{Backend: b.Name(), Cause: why}}
		}
	}
	spare := &spares{list: map[string]*placement{}}
	defer func() {
		if e := spare.close(); e != nil && runner != nil {
			runner.notice(e.Error())
		}
	}()
	var notices []string
	for round := 1; ; round++ {
		if plan, err = partition.New(ctx, m, sub, p, known); err != nil {
			return nil, nil, err
		}
		if round < maxRounds {
			again, err := remember(m, plan, known, &notices)
			if err != nil {
				return nil, nil, err
			}
			if again {
				continue
			}
		}
		o.takeWhatIsLeft = round == maxRounds
		runner, err = newRunner(ctx, m, plan, known, o, spare)
		left := allLeft(err)
		anew := len(left) > 0 && !slices.ContainsFunc(left, func(l *LeftError) bool { return !l.plannedAnew(p.Policy) })
		if err == nil || !anew || round == maxRounds {
			if err == nil {
				for _, n := range notices {
					runner.notice(n)
				}
			}
			return runner, plan, err
		}
		for _, l := range left {
			for _, op := range l.Ops {
				why := leftRefusal
				if l.Refused != nil {
					why = l.Refused[op] // the plan tells it
				}
				known[l.Backend] = refuse(known[l.Backend], m, sub, []int{op}, why)
			}
		}
	}
}

// allLeft are all LeftErrors that an error wraps.
func allLeft(err error) (list []*LeftError) {
	switch e := err.(type) {
	case *LeftError:
		return []*LeftError{e}
	case interface{ Unwrap() error }:
		return allLeft(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, below := range e.Unwrap() {
			list = append(list, allLeft(below)...)
		}
	}
	return list
}

// gone is a backend that was lost.
type gone struct {
	delegate.Backend
	lost *delegate.LostError
}

// Probe implements delegate.Backend.
func (g *gone) Probe(context.Context) (delegate.Device, error) {
	return delegate.Device{}, fmt.Errorf("%s: %w: it was lost before: %s", g.Name(), delegate.ErrUnavailable, g.lost.Cause)
}

// Supports implements delegate.Backend.
func (g *gone) Supports(*graph.Model, int, int) *delegate.Refusal {
	return delegate.Refuse(delegate.ReasonLost, "%s", g.lost.Cause)
}

// Compile implements delegate.Backend.
func (g *gone) Compile(context.Context, *graph.Model) (delegate.Executable, error) {
	return nil, g.lost
}

// Unwrap is the backend below.
func (g *gone) Unwrap() delegate.Backend { return g.Backend }

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

// refusing is a backend that refuses operators of one subgraph besides its own
// refusals.
type refusing struct {
	delegate.Backend
	model *graph.Model
	sub   int
	ops   map[int]*delegate.Refusal
}

// leftRefusal is of an operator that a delegate left when its segment was
// compiled.
var leftRefusal = delegate.Refuse(delegate.ReasonDevice, "the delegate left it when it was asked")

// refuse adds operators to what a backend refuses.
func refuse(b delegate.Backend, m *graph.Model, sub int, ops []int, why *delegate.Refusal) delegate.Backend {
	r := &refusing{Backend: b, model: m, sub: sub, ops: map[int]*delegate.Refusal{}}
	if before, ok := b.(*refusing); ok {
		r.Backend = before.Backend
		maps.Copy(r.ops, before.ops)
	}
	for _, op := range ops {
		r.ops[op] = why
	}
	return r
}

// Unwrap is the backend below.
func (r *refusing) Unwrap() delegate.Backend { return r.Backend }

// Supports implements delegate.Backend.
func (r *refusing) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	if m == r.model && sub == r.sub && r.ops[op] != nil {
		return r.ops[op]
	}
	return r.Backend.Supports(m, sub, op)
}
