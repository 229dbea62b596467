package compiler

import (
	"fmt"
	"slices"

	"nanoflux/graph"
)

// Segment is a segment as LiteRT reads it: LiteRT finds tensors by their names
// and takes inputs and outputs in the order of these, so each tensor gets a name
// of its own, in the order of the segment, and there is no signature. It shares
// the weights.
func Segment(m *graph.Model) *graph.Model {
	x := *m
	x.Signatures, x.Metadata = nil, nil
	x.Subgraphs = slices.Clone(m.Subgraphs)
	g := &x.Subgraphs[0]
	g.Tensors = slices.Clone(g.Tensors)
	for i, name := range names(g) {
		g.Tensors[i].Name = name
	}
	return &x
}

// Fixed is a segment with the sizes that its tensors' shapes have, for those that
// may have any. It shares everything else.
func Fixed(m *graph.Model) *graph.Model {
	x := *m
	x.Subgraphs = slices.Clone(m.Subgraphs)
	g := &x.Subgraphs[0]
	g.Tensors = slices.Clone(g.Tensors)
	for i := range g.Tensors {
		g.Tensors[i].ShapeSignature = nil
	}
	return &x
}

// names are the names of a segment's tensors for LiteRT. Those of inputs and of
// outputs sort as the segment lists them.
func names(g *graph.Subgraph) []string {
	list := make([]string, len(g.Tensors))
	for i := range list {
		list[i] = fmt.Sprintf("tensor%06d", i)
	}
	for i, t := range g.Inputs {
		list[t] = fmt.Sprintf("in%06d", i)
	}
	for i, t := range g.Outputs {
		list[t] = fmt.Sprintf("out%06d", i)
	}
	return list
}

// simple says why a segment's inputs and outputs cannot go by their names; nil
// when they can.
func simple(g *graph.Subgraph) error {
	seen := map[int]bool{}
	for _, t := range slices.Concat(g.Inputs, g.Outputs) {
		if seen[t] {
			return fmt.Errorf("tensor %q is an input or output twice", g.Tensors[t].Name)
		}
		seen[t] = true
	}
	return nil
}
