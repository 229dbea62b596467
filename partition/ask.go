package partition

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"nanoflux/delegate"
	"nanoflux/delegate/guarded"
	"nanoflux/graph"
	"nanoflux/profiles"
)

// Asked is what asking a backend's device about a model gave.
type Asked struct {
	// Backend is the profile's name.
	Backend string `json:"backend"`
	// Unavailable says why there was nobody to ask; the rest is empty then.
	Unavailable string `json:"unavailable,omitempty"`
	// Operators of the model may go to the backend by the profile's rules.
	// Different are they to a device (delegate.Signature); of some the answer was
	// known, the others were Asked.
	Operators int `json:"operators"`
	Different int `json:"different"`
	Asked     int `json:"asked"`
	// Taken, Refused and Lost (the question took the device down) are of the
	// different ones.
	Taken   int `json:"taken"`
	Refused int `json:"refused"`
	Lost    int `json:"lost"`
	// Unasked are different ones that cannot be asked about; Why is the reason of
	// the first.
	Unasked int    `json:"unasked"`
	Why     string `json:"why_unasked,omitempty"`
	// Differences are where the device says something else than its table.
	Differences []Difference `json:"differences"`
}

// Difference is an operator about which a device and its table do not agree.
type Difference struct {
	// Ops are the model's operators of this form.
	Ops  Ops    `json:"ops"`
	Name string `json:"name"`
	// Table and Device are the refusals; nil for the one that takes it.
	Table  *delegate.Refusal `json:"table"`
	Device *delegate.Refusal `json:"device"`
}

// Ask asks the devices of the profile's vendors' backends about every different
// operator of subgraph sub of m that the profile's rules let go there, whether
// their tables take it or not. The backends must have been opened with a journal,
// which keeps the answers; New goes by them from then on. Backends that have no
// device are left out.
func Ask(ctx context.Context, m *graph.Model, sub int, p *profiles.Profile, backends map[string]delegate.Backend) ([]Asked, error) {
	candidates, err := probe(ctx, p, backends)
	if err != nil {
		return nil, err
	}
	f := newFlow(m, sub)
	pl := &placer{flow: f, profile: p, part: partOf(m.Name), candidates: candidates, used: make([]bool, len(p.Rules))}
	var list []Asked
	for c := range candidates {
		g := guarded.Of(candidates[c].backend)
		if g == nil {
			continue
		}
		a := Asked{Backend: candidates[c].Name, Differences: []Difference{}}
		if missing := candidates[c].missing; missing != nil {
			a.Unavailable = missing.Detail
		} else if err := pl.ask(ctx, c, g, &a); err != nil {
			return nil, fmt.Errorf("%s: asking %s: %w", m.Name, a.Backend, err)
		}
		list = append(list, a)
	}
	return list, nil
}

// ask asks one candidate.
func (pl *placer) ask(ctx context.Context, c int, g *guarded.Backend, a *Asked) error {
	f := pl.flow
	forms := map[string]Ops{}
	var order []string
	for i := range f.graph.Ops {
		if !f.live[i] || f.constant[i] && !pl.isOutput(i) || pl.avoids(c, i) {
			continue
		}
		a.Operators++
		signature, err := g.Signature(f.m, f.sub, i)
		if err == nil {
			if r := g.Askable(f.m, f.sub, i); r != nil {
				err, signature = r, "unreadable "+signature
			}
		} else {
			signature = fmt.Sprint("alone ", i)
		}
		if forms[signature] = append(forms[signature], i); len(forms[signature]) > 1 {
			continue
		}
		a.Different++
		if err != nil {
			a.unasked(err)
			continue
		}
		order = append(order, signature)
	}
	for _, s := range order {
		i := forms[s][0]
		table := pl.table(g, i) // before the answer, which overrides it
		v, err := g.Ask(ctx, f.m, f.sub, i)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, guarded.ErrNoAsker), errors.Is(err, delegate.ErrUnavailable):
			a.Unavailable = delegate.WhyUnavailable(err)
			return nil
		case err != nil:
			a.unasked(err)
			continue
		case v.Taken:
			a.Taken++
		case v.Lost != "":
			a.Lost++
		default:
			a.Refused++
		}
		if !v.Known {
			a.Asked++
		}
		if device := v.Refusal(); (device == nil) != (table == nil) {
			a.Differences = append(a.Differences, Difference{Ops: forms[s], Name: f.graph.Ops[i].Name(), Table: table, Device: device})
		}
	}
	return nil
}

func (a *Asked) unasked(err error) {
	if a.Unasked++; a.Why == "" {
		a.Why = err.Error()
	}
}

// avoids says whether a rule keeps operator i from candidate c.
func (pl *placer) avoids(c, i int) bool {
	list, _ := pl.choices(i)
	return slices.ContainsFunc(list, func(x choice) bool { return x.candidate == c && x.avoided >= 0 })
}

// table is what a backend says of operator i, with what makes its constant
// inputs, without its device's answers.
func (pl *placer) table(g *guarded.Backend, i int) *delegate.Refusal {
	f := pl.flow
	if r := g.Table(f.m, f.sub, i); r != nil {
		return r
	}
	for _, k := range f.withConstants([]int{i}) {
		if r := g.Table(f.m, f.sub, k); k != i && r != nil {
			return delegate.Refuse(r.Reason, "its constant input from op %d (%s): %s", k, f.graph.Ops[k].Name(), r.Detail)
		}
	}
	return nil
}

// String is for people: a line of numbers, and one for each difference.
func (a Asked) String() string {
	if a.Unavailable != "" {
		return fmt.Sprintf("%s cannot be asked: %s\n", a.Backend, a.Unavailable)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s was asked about %d of %d different operators", a.Backend, a.Asked, a.Different)
	if known := a.Different - a.Asked - a.Unasked; known > 0 {
		fmt.Fprintf(&b, " (%s known)", plural(known, "answer was", "answers were"))
	}
	fmt.Fprintf(&b, ": it takes %d and refuses %d", a.Taken, a.Refused)
	if a.Lost > 0 {
		fmt.Fprintf(&b, ", and %d took it down", a.Lost)
	}
	if a.Unasked > 0 {
		fmt.Fprintf(&b, "; about %d it cannot be asked (%s)", a.Unasked, a.Why)
	}
	if len(a.Differences) == 0 {
		b.WriteString("; its table says the same\n")
		return b.String()
	}
	fmt.Fprintf(&b, "; %s from its table\n", plural(len(a.Differences), "differs", "differ"))
	says := func(r *delegate.Refusal) string {
		if r == nil {
			return "takes it"
		}
		return "refuses it (" + r.Error() + ")"
	}
	// Operators of several forms may differ alike.
	alike := map[string]Ops{}
	var order []string
	for _, d := range a.Differences {
		text := fmt.Sprintf("%s: the table %s, the device %s", d.Name, says(d.Table), says(d.Device))
		if alike[text] == nil {
			order = append(order, text)
		}
		alike[text] = append(alike[text], d.Ops...)
	}
	for _, text := range order {
		ops := alike[text]
		slices.Sort(ops)
		fmt.Fprintf(&b, "  %d × %s (op %s)\n", len(ops), text, clipOps(compress(ops)))
	}
	return b.String()
}
