package partition

import (
	"fmt"
	"slices"
	"strings"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/profiles"
)

// PlanVersion is the version of a plan's stored form.
const PlanVersion = 1

// Plan says how a subgraph is run: segments in order, each on one backend.
// A Plan is not changed after New or ReadPlan made it.
type Plan struct {
	Version int `yaml:"version" json:"version"`
	// Model is where the model came from, for people.
	Model string `yaml:"model" json:"model"`
	// Fingerprint is graph.Model.Fingerprint of the planned model. New leaves
	// it empty, as it costs reading all weights; YAML and JSON fill it in.
	Fingerprint string `yaml:"fingerprint" json:"fingerprint,omitempty"`
	Subgraph    int    `yaml:"subgraph" json:"subgraph"`
	// Operators is how many the subgraph has.
	Operators int             `yaml:"operators" json:"operators"`
	Profile   string          `yaml:"profile" json:"profile"`
	Policy    profiles.Policy `yaml:"policy" json:"policy"`
	// Backends are the profile's, in its order, also those without segments.
	Backends []BackendSummary `yaml:"backends" json:"backends"`
	Segments []Segment        `yaml:"segments" json:"segments"`
	// Unused are operators that no output depends on; they are not run.
	Unused Ops `yaml:"unused,omitempty" json:"unused,omitempty"`
	// Misses are the operators that do not run where they would best, with
	// the reason; an operator stands once for each backend it missed.
	Misses []Miss `yaml:"misses,omitempty" json:"misses,omitempty"`
	// Warnings are for people, one line each.
	Warnings []string `yaml:"warnings,omitempty" json:"warnings,omitempty"`

	// of is the model that New planned; nil for a plan that was read.
	of *graph.Model
}

// BackendSummary is a backend of the profile and what the plan gives it.
type BackendSummary struct {
	Name string `yaml:"name" json:"name"`
	Kind string `yaml:"kind" json:"kind"`
	// Device is what was found; empty when Unavailable says why there is none.
	Device      string `yaml:"device,omitempty" json:"device,omitempty"`
	Unavailable string `yaml:"unavailable,omitempty" json:"unavailable,omitempty"`
	// Segments and Operators count what the plan gives it; operators that are
	// repeated in several segments count each time.
	Segments  int `yaml:"segments" json:"segments"`
	Operators int `yaml:"operators" json:"operators"`
	// MACs are multiply-accumulate operations of one run, see MACs.
	MACs int64 `yaml:"macs" json:"macs"`
	// Avoided are operators that rules keep from it; a segment with one of them
	// does not move here either, when the backend that it is on fails.
	Avoided Ops `yaml:"avoided,omitempty" json:"avoided,omitempty"`
	// Answers says who answered for it, its device or its table; nil where there is
	// only a table.
	Answers *Answers `yaml:"answers,omitempty" json:"answers,omitempty"`
}

// Segment is a set of operators that one backend runs in one go.
type Segment struct {
	// ID is the segment's place in Plan.Segments.
	ID int `yaml:"id" json:"id"`
	// Backend is a name of the profile's.
	Backend string `yaml:"backend" json:"backend"`
	// Ops are indices of the source subgraph, ascending. Operators with only
	// constant inputs may be in several segments.
	Ops Ops `yaml:"ops" json:"ops"`
	// Inputs and Outputs are tensor indices of the source subgraph, ascending.
	// Constants are not among them.
	Inputs  []int `yaml:"inputs,flow" json:"inputs"`
	Outputs []int `yaml:"outputs,flow" json:"outputs"`
	// BytesIn and BytesOut are the sizes of Inputs and Outputs as the file
	// declares them.
	BytesIn  int64 `yaml:"bytes_in" json:"bytes_in"`
	BytesOut int64 `yaml:"bytes_out" json:"bytes_out"`
	MACs     int64 `yaml:"macs" json:"macs"`
	// Reason says what led the operators to this backend.
	Reason string `yaml:"reason" json:"reason"`
}

// Ops is a list of operator indices. As YAML it is short: "0-5, 9".
type Ops []int

// String is the list as ranges: "0-5, 9".
func (o Ops) String() string { return compress(o) }

// Miss is an operator that does not run on a backend where it would have come
// first, and why.
type Miss struct {
	Op int `yaml:"op" json:"op"`
	// Name is the operator's type.
	Name    string           `yaml:"name" json:"name"`
	Backend string           `yaml:"backend" json:"backend"`
	Refusal delegate.Refusal `yaml:",inline" json:"refusal"`
}

// plan puts the placed and cut operators into the form that is kept.
func (pl *placer) plan(sets [][]int) *Plan {
	f := pl.flow
	p := &Plan{
		Version: PlanVersion, Model: f.m.Name, of: f.m, Subgraph: f.sub,
		Operators: len(f.graph.Ops), Profile: pl.profile.Name, Policy: pl.profile.Policy,
		Segments: make([]Segment, len(sets)), Misses: pl.misses,
	}
	for s, ops := range sets {
		p.Segments[s] = Segment{
			ID: s, Backend: pl.candidates[pl.chosen[ops[0]]].Name,
			Ops: f.withConstants(ops), Reason: pl.reason(ops),
		}
	}
	f.connect(p.Segments)
	for s := range p.Segments {
		seg := &p.Segments[s]
		seg.BytesIn, seg.BytesOut = f.bytes(seg.Inputs), f.bytes(seg.Outputs)
		for _, i := range seg.Ops {
			seg.MACs = addSaturated(seg.MACs, MACs(f.m, f.sub, i))
		}
	}
	p.Unused = f.unused(p.Segments)
	for i, c := range pl.candidates {
		b := BackendSummary{Name: c.Name, Kind: c.Kind, Device: c.device.Description, Avoided: pl.avoided[i], Answers: pl.answers[i]}
		if c.missing != nil {
			b.Unavailable = c.missing.Detail
		}
		for s := range p.Segments {
			if seg := &p.Segments[s]; seg.Backend == c.Name {
				b.Segments++
				b.Operators += len(seg.Ops)
				b.MACs = addSaturated(b.MACs, seg.MACs)
			}
		}
		p.Backends = append(p.Backends, b)
	}
	p.Warnings = pl.warnings()
	return p
}

// bytes is the size of tensors as the file declares them; those without a fixed
// element size count nothing.
func (f *flow) bytes(tensors []int) (n int64) {
	for _, t := range tensors {
		x := &f.graph.Tensors[t]
		if size, err := graph.ByteSize(x.Type, x.Shape); err == nil {
			n = addSaturated(n, int64(size))
		}
	}
	return n
}

// unused are the operators that no segment has.
func (f *flow) unused(segments []Segment) (ops Ops) {
	in := make([]bool, len(f.graph.Ops))
	for s := range segments {
		for _, i := range segments[s].Ops {
			in[i] = true
		}
	}
	for i := range in {
		if !in[i] {
			ops = append(ops, i)
		}
	}
	return ops
}

// reason sums up why ops are where they are, the most frequent reason first.
func (pl *placer) reason(ops []int) string {
	counts := map[string]int{}
	var order []string
	for _, i := range ops {
		if counts[pl.why[i]] == 0 {
			order = append(order, pl.why[i])
		}
		counts[pl.why[i]]++
	}
	slices.SortStableFunc(order, func(a, b string) int { return counts[b] - counts[a] })
	if len(order) == 1 {
		return order[0]
	}
	for k, why := range order {
		order[k] = fmt.Sprintf("%d: %s", counts[why], why)
	}
	return strings.Join(order, "; ")
}

// warnings are what the policy wants said.
func (pl *placer) warnings() (list []string) {
	if pl.profile.Policy == profiles.Warn {
		for _, g := range groupMisses(pl.misses) {
			if g.refusal.Reason == delegate.ReasonRule {
				continue
			}
			if g.refusal.Reason == delegate.ReasonUnavailable {
				list = append(list, fmt.Sprintf("backend %s cannot be used here (%s); %s elsewhere", g.backend, g.refusal.Detail, plural(len(g.ops), "operator runs", "operators run")))
				continue
			}
			list = append(list, fmt.Sprintf("backend %s refuses %s (%v); op %s", g.backend, g.what(), &g.refusal, compress(g.ops)))
		}
	}
	for k := range pl.profile.Rules {
		if r := &pl.profile.Rules[k]; !pl.used[k] && r.Explicit() && r.AppliesTo(pl.part) {
			list = append(list, fmt.Sprintf("%s of profile %s (line %d) matches no operator of this model", pl.ruleLabel(k), pl.profile.Name, r.Line))
		}
	}
	return list
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// missGroup is misses that differ only in the operator.
type missGroup struct {
	backend, name string
	refusal       delegate.Refusal
	ops           []int
}

// what is the operators in words: "3 × ADD", "12 operators".
func (g *missGroup) what() string {
	if g.name == "" {
		return plural(len(g.ops), "operator", "operators")
	}
	return fmt.Sprintf("%d × %s", len(g.ops), g.name)
}

// groupMisses puts together misses of one backend, operator type and refusal.
// Where a backend is not available, or was lost, the operator type does not
// matter.
func groupMisses(misses []Miss) (groups []*missGroup) {
	index := map[missKey]*missGroup{}
	for _, m := range misses {
		key := missKey{m.Backend, m.Name, m.Refusal}
		switch m.Refusal.Reason {
		case delegate.ReasonUnavailable, delegate.ReasonRule, delegate.ReasonLost:
			key.name = ""
		}
		g := index[key]
		if g == nil {
			g = &missGroup{backend: m.Backend, name: key.name, refusal: m.Refusal}
			index[key] = g
			groups = append(groups, g)
		}
		g.ops = append(g.ops, m.Op)
	}
	return groups
}

type missKey struct {
	backend, name string
	refusal       delegate.Refusal
}
