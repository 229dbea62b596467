package main

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// coverage is what a delegate takes of a model.
type coverage struct {
	// all is the delegate's share of the multiply-accumulates, from 0 to 1;
	// outside that of those outside attention; ops that of the operators of a
	// run (those whose results are constant do not count).
	all, outside, ops float64
	// segments counts the delegate's; perBlock is the most that one block is
	// spread over.
	segments, perBlock int
	// macs counts the multiply-accumulates, linear those outside attention.
	macs, linear float64
	// refused are the reasons for the rest, the most frequent first.
	refused []refusal
}

// refusal is why the delegate left operators of one type.
type refusal struct {
	name  string
	why   delegate.Refusal
	count int
	macs  int64
}

// measure plans m by a profile whose backends are all there, and take what the
// tables of their kinds say; one without a table takes everything. The device is
// the profile's first backend.
func measure(ctx context.Context, m *graph.Model, p *profiles.Profile, blocks []string) (coverage, error) {
	backends := map[string]delegate.Backend{}
	for _, b := range p.Backends {
		table, err := delegate.TableOf(b.Kind, b.Options)
		if err != nil {
			return coverage{}, err
		}
		if table == nil {
			table = everything{}
		}
		backends[b.Name] = device{b.Kind, table}
	}
	plan, err := partition.New(ctx, m, 0, p, backends)
	if err != nil {
		return coverage{}, err
	}
	t := newTally(m)
	for _, s := range plan.Segments {
		t.add(s, s.Backend == p.Backends[0].Name)
	}
	c := t.coverage(blocks)
	c.refused = refusals(m, plan)
	return c, nil
}

// device is a backend that plans by a table and runs nothing.
type device struct {
	kind  string
	table delegate.Table
}

func (d device) Name() string { return d.kind }

func (d device) Probe(context.Context) (delegate.Device, error) { return delegate.Device{}, nil }

func (d device) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	return d.table.Check(m, sub, op)
}

func (d device) Compile(context.Context, *graph.Model) (delegate.Executable, error) {
	return nil, delegate.ErrUnavailable
}

// everything is the table of a backend that takes all operators.
type everything struct{}

func (everything) Check(*graph.Model, int, int) *delegate.Refusal { return nil }

// tally counts what a plan gives to whom.
type tally struct {
	m *graph.Model
	g *graph.Subgraph
	// constant says for each tensor whether it is the same in every run.
	constant []bool
	segments int

	ops, taken          int
	macs, macsTaken     float64
	linear, linearTaken float64
	blocks              []blockUse
}

// blockUse is an operator of one of the device's segments.
type blockUse struct {
	name    string // of its output
	segment int
}

func newTally(m *graph.Model) *tally {
	t := &tally{m: m, g: &m.Subgraphs[0]}
	t.constant = make([]bool, len(t.g.Tensors))
	for i := range t.constant {
		t.constant[i] = m.IsConstant(0, i)
	}
	for o := range t.g.Ops {
		if op := &t.g.Ops[o]; t.onConstants(op) {
			for _, out := range op.Outputs {
				t.constant[out] = true
			}
		}
	}
	return t
}

func (t *tally) onConstants(op *graph.Op) bool {
	return len(op.Inputs) > 0 && !slices.ContainsFunc(op.Inputs, func(i int) bool { return i != graph.NoTensor && !t.constant[i] })
}

// add counts a segment, which is on the device or not.
func (t *tally) add(s partition.Segment, onDevice bool) {
	if onDevice {
		t.segments++
	}
	for _, o := range s.Ops {
		op := &t.g.Ops[o]
		if t.onConstants(op) {
			continue
		}
		macs := float64(partition.MACs(t.m, 0, o))
		t.ops++
		t.macs += macs
		attention := t.isAttention(op)
		if !attention {
			t.linear += macs
		}
		if !onDevice {
			continue
		}
		t.taken++
		t.macsTaken += macs
		if !attention {
			t.linearTaken += macs
		}
		t.blocks = append(t.blocks, blockUse{t.g.Tensors[op.Outputs[0]].Name, t.segments})
	}
}

// isAttention: the operator multiplies two matrices that are both computed.
// Weights are constants, so nothing else in these models does; it also finds
// attention that was written as FULLY_CONNECTED, head by head.
func (t *tally) isAttention(op *graph.Op) bool {
	switch op.Code {
	case schema.BuiltinOperatorBATCH_MATMUL, schema.BuiltinOperatorFULLY_CONNECTED, schema.BuiltinOperatorCONV_2D:
		return !t.constant[op.Inputs[0]] && !t.constant[op.Inputs[1]]
	}
	return false
}

func (t *tally) coverage(blocks []string) coverage {
	c := coverage{
		all: t.macsTaken / t.macs, outside: t.linearTaken / t.linear, ops: float64(t.taken) / float64(t.ops),
		segments: t.segments, macs: t.macs, linear: t.linear,
	}
	for _, scope := range blocks {
		in := map[int]bool{}
		for _, u := range t.blocks {
			if strings.HasPrefix(u.name, scope) {
				in[u.segment] = true
			}
		}
		c.perBlock = max(c.perBlock, len(in))
	}
	return c
}

// refusals sums up why operators are not on the device.
func refusals(m *graph.Model, plan *partition.Plan) (list []refusal) {
	index := map[refusal]int{}
	for _, miss := range plan.Misses {
		key := refusal{name: miss.Name, why: miss.Refusal}
		i, ok := index[key]
		if !ok {
			i = len(list)
			index[key] = i
			list = append(list, key)
		}
		list[i].count++
		list[i].macs += partition.MACs(m, 0, miss.Op)
	}
	slices.SortStableFunc(list, func(a, b refusal) int { return cmp.Or(cmp.Compare(b.macs, a.macs), b.count-a.count) })
	return list
}
