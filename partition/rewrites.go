package partition

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/rewrite"
	"nanoflux/profiles"
)

// Rewritten is m as the profile's rewrites write it, and what each of them did,
// in the order in which they ran. It is the model to plan and to run; names,
// order, types and shapes of its inputs and outputs are m's. It shares m's
// buffers, so m must stay open; without rewrites it is m itself.
func Rewritten(m *graph.Model, p *profiles.Profile) (*graph.Model, []rewrite.Win, error) {
	if len(p.Rewrites) == 0 {
		return m, nil, nil
	}
	passes, err := rewrite.ByName(p.Rewrites)
	if err != nil {
		return nil, nil, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	out, wins, err := rewrite.Apply(m, passes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: profile %s: %w; change the profile's rewrites", m.Name, p.Name, err)
	}
	return out, wins, nil
}

// Gain is what one rewrite won for the profile's first backend.
type Gain struct {
	rewrite.Win
	// Backend is the profile's first. Table says that it is not on this device,
	// and was asked by the table of its kind.
	Backend string `json:"backend"`
	Table   bool   `json:"by_table,omitempty"`
	// Before and After are what a plan gives to that backend.
	Before Given `json:"before"`
	After  Given `json:"after"`
}

// Given is what a plan gives to a backend.
type Given struct {
	MACs      int64 `json:"macs"`
	Operators int   `json:"operators"`
	Segments  int   `json:"segments"`
}

// Gains is what each rewrite of a profile won, in the order in which they ran.
type Gains []Gain

// Explain applies the profile's rewrites to m one by one, plans subgraph sub after
// each, and says what each won. Backends that are not on this device stand in by
// the table of their kind, where there is one, so that this can be asked
// anywhere. A profile without rewrites has no gains.
func Explain(ctx context.Context, m *graph.Model, sub int, p *profiles.Profile, backends map[string]delegate.Backend) (Gains, error) {
	passes, err := rewrite.ByName(p.Rewrites)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", p.Name, err)
	}
	if len(passes) == 0 {
		return nil, nil
	}
	present, byTable, err := withTables(ctx, p, backends)
	if err != nil {
		return nil, err
	}
	lenient := *p
	lenient.Policy = profiles.Fallback // a pass may only help the one after it
	given := func(m *graph.Model) (Given, error) {
		plan, err := New(ctx, m, sub, &lenient, present)
		if err != nil {
			return Given{}, err
		}
		first := plan.Backends[0]
		return Given{MACs: first.MACs, Operators: first.Operators, Segments: first.Segments}, nil
	}
	before, err := given(m)
	if err != nil {
		return nil, err
	}
	gains := make(Gains, 0, len(passes))
	for _, pass := range passes {
		next, wins, err := rewrite.Apply(m, []rewrite.Pass{pass})
		if err != nil {
			return nil, fmt.Errorf("%s: profile %s: %w", m.Name, p.Name, err)
		}
		after, err := given(next)
		if err != nil {
			return nil, err
		}
		gains = append(gains, Gain{Win: wins[0], Backend: p.Backends[0].Name, Table: byTable[p.Backends[0].Name], Before: before, After: after})
		m, before = next, after
	}
	return gains, nil
}

// String is the gains as a table for people; empty without rewrites.
func (g Gains) String() string {
	if len(g) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "what each rewrite won on backend %s", g[0].Backend)
	if g[0].Table {
		b.WriteString(", which is not here: by the table of its kind")
	}
	b.WriteString("\n")
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nrewrite\tplaces\tops\tMACs there\tops there\tsegments there\n")
	for _, x := range g {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", x.Pass, x.Changed, change(x.OpsBefore, x.OpsAfter, strconv.Itoa),
			change(x.Before.MACs, x.After.MACs, count), change(x.Before.Operators, x.After.Operators, strconv.Itoa),
			change(x.Before.Segments, x.After.Segments, strconv.Itoa))
	}
	w.Flush()
	return trimLines(b.String())
}

// change is "3 → 5", or "3" when nothing changed.
func change[N int | int64](before, after N, text func(N) string) string {
	if before == after {
		return text(after)
	}
	return text(before) + " → " + text(after)
}

// withTables is backends with those replaced by the table of their kind that
// are not here, and their names.
func withTables(ctx context.Context, p *profiles.Profile, backends map[string]delegate.Backend) (map[string]delegate.Backend, map[string]bool, error) {
	present, byTable := map[string]delegate.Backend{}, map[string]bool{}
	for _, b := range p.Backends {
		backend := backends[b.Name]
		if backend == nil {
			return nil, nil, fmt.Errorf("profile %s: backend %q was not opened", p.Name, b.Name)
		}
		present[b.Name] = backend
		_, err := backend.Probe(ctx)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		if !errors.Is(err, delegate.ErrUnavailable) {
			continue
		}
		table, err := delegate.TableOf(b.Kind, b.Options)
		if err != nil {
			return nil, nil, fmt.Errorf("profile %s: %w", p.Name, err)
		}
		if table != nil {
			present[b.Name], byTable[b.Name] = tabled{b.Kind, table}, true
		}
	}
	return present, byTable, nil
}

// tabled plans by a table and runs nothing.
type tabled struct {
	kind  string
	table delegate.Table
}

func (t tabled) Name() string { return t.kind }

func (t tabled) Probe(context.Context) (delegate.Device, error) {
	return delegate.Device{Description: "by its table"}, nil
}

func (t tabled) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	return t.table.Check(m, sub, op)
}

func (t tabled) Compile(context.Context, *graph.Model) (delegate.Executable, error) {
	return nil, fmt.Errorf("%s: %w: a table runs nothing", t.kind, delegate.ErrUnavailable)
}
