package partition

import (
	"fmt"
	"slices"

	"nanoflux/graph"
)

// Validate checks that the plan is for this model and can be run: every
// operator that is needed is in a segment, once if it is not constant, after
// what it needs, and the segments' inputs and outputs are what their operators
// say. The error wraps ErrPlan. Plans may come from files.
func (p *Plan) Validate(m *graph.Model) error {
	if err := p.validate(m); err != nil {
		return fmt.Errorf("%w: %s: %w; make a new plan", ErrPlan, m.Name, err)
	}
	return nil
}

func (p *Plan) validate(m *graph.Model) error {
	if p.Version != PlanVersion {
		return fmt.Errorf("the plan has version %d, not %d", p.Version, PlanVersion)
	}
	switch {
	case p.of == m: // needs no proof, and hashing is slow
	case p.of != nil:
		return fmt.Errorf("the plan is for another opened model")
	default:
		if got := m.Fingerprint(); p.Fingerprint != got {
			return fmt.Errorf("the plan is for another model (fingerprint %.12q, this one has %.12q)", p.Fingerprint, got)
		}
	}
	if p.Subgraph < 0 || p.Subgraph >= len(m.Subgraphs) {
		return fmt.Errorf("the plan is for subgraph %d of %d", p.Subgraph, len(m.Subgraphs))
	}
	f := newFlow(m, p.Subgraph)
	// ran[i] is the first segment of operator i, or -1.
	ran := make([]int, len(f.graph.Ops))
	for i := range ran {
		ran[i] = -1
	}
	for s := range p.Segments {
		if err := f.validateSegment(&p.Segments[s], s, ran); err != nil {
			return err
		}
	}
	for i := range ran {
		if f.live[i] && !f.constant[i] && ran[i] < 0 {
			return fmt.Errorf("no segment has %s", m.OpLabel(p.Subgraph, i))
		}
	}
	for _, t := range f.graph.Outputs {
		if i := f.producer[t]; i >= 0 && ran[i] < 0 {
			return fmt.Errorf("no segment has %s, which makes an output", m.OpLabel(p.Subgraph, i))
		}
	}
	want := make([]Segment, len(p.Segments))
	for s := range want {
		want[s].Ops = p.Segments[s].Ops
	}
	f.connect(want)
	for s := range want {
		if got := &p.Segments[s]; !slices.Equal(got.Inputs, want[s].Inputs) || !slices.Equal(got.Outputs, want[s].Outputs) {
			return fmt.Errorf("segment %d has inputs %v and outputs %v; its operators have %v and %v", s, got.Inputs, got.Outputs, want[s].Inputs, want[s].Outputs)
		}
	}
	return f.checkState(p.Segments)
}

func (f *flow) validateSegment(seg *Segment, s int, ran []int) error {
	if seg.ID != s {
		return fmt.Errorf("segment %d has the number %d", s, seg.ID)
	}
	if len(seg.Ops) == 0 {
		return fmt.Errorf("segment %d has no operators", s)
	}
	here := make(map[int]bool, len(seg.Ops))
	for k, i := range seg.Ops {
		if i < 0 || i >= len(ran) {
			return fmt.Errorf("segment %d names operator %d of %d", s, i, len(ran))
		}
		if k > 0 && i <= seg.Ops[k-1] {
			return fmt.Errorf("segment %d does not list its operators in ascending order", s)
		}
		if ran[i] >= 0 && !f.constant[i] {
			return fmt.Errorf("segments %d and %d both have %s", ran[i], s, f.m.OpLabel(f.sub, i))
		}
		for _, p := range f.producers(i) {
			// A constant operator stands in each segment that needs it.
			if !here[p] && (f.constant[p] || ran[p] < 0) {
				return fmt.Errorf("segment %d has %s, but no segment before it has %s", s, f.m.OpLabel(f.sub, i), f.m.OpLabel(f.sub, p))
			}
		}
		here[i] = true
		if ran[i] < 0 {
			ran[i] = s
		}
	}
	return nil
}

// Extract cuts segment s of the plan out of m as a model of its own, whose one
// subgraph has the segment's inputs and outputs, in their order. It shares m's
// buffers. The plan must have passed Validate.
func (p *Plan) Extract(m *graph.Model, s int) (*graph.Model, error) {
	seg := &p.Segments[s]
	x, cut, err := graph.Extract(m, p.Subgraph, seg.Ops)
	if err != nil {
		return nil, fmt.Errorf("segment %d: %w", s, err)
	}
	x.Name = fmt.Sprintf("%s (segment %d)", m.Name, s)
	g := &x.Subgraphs[0]
	// Extract takes every result that is used outside for an output; a repeated
	// constant operator's is used outside, but made there too.
	if g.Inputs, err = pick(seg.Inputs, cut.Inputs, g.Inputs); err != nil {
		return nil, fmt.Errorf("segment %d: input %w", s, err)
	}
	if g.Outputs, err = pick(seg.Outputs, cut.Outputs, g.Outputs); err != nil {
		return nil, fmt.Errorf("segment %d: output %w", s, err)
	}
	x.Signatures = nil
	return x, nil
}

// pick finds each wanted source tensor in from and returns its counterpart.
func pick(wanted, from, counterpart []int) ([]int, error) {
	list := make([]int, len(wanted))
	for k, t := range wanted {
		at := slices.Index(from, t)
		if at < 0 {
			return nil, fmt.Errorf("tensor %d is not one of the cut's %v", t, from)
		}
		list[k] = counterpart[at]
	}
	return list, nil
}
