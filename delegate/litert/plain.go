package litert

import (
	"fmt"
	"slices"

	"nanoflux/graph"
)

// plain is a segment for LiteRT: it finds tensors by their names, so each gets
// one of its own, and inputs and outputs stand in their order, without a
// signature. The names are those of tensorName.
func plain(segment *graph.Model) *graph.Model {
	m := *segment
	m.Signatures = nil
	m.Metadata = nil
	m.Subgraphs = slices.Clone(segment.Subgraphs)
	g := &m.Subgraphs[0]
	g.Tensors = slices.Clone(g.Tensors)
	for i := range g.Tensors {
		g.Tensors[i].Name = tensorName(i)
	}
	return &m
}

// tensorName is the name of a segment's tensor by its index.
func tensorName(i int) string { return fmt.Sprintf("t%d", i) }
