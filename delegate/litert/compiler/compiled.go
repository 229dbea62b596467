package compiler

import (
	"bytes"
	"fmt"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// Compiled is what a compiled file says of itself.
type Compiled struct {
	// Target is the chip that it is for.
	Target Target
	// Partitions is in how many pieces the NPU runs its part.
	Partitions int
	// Left are the segment's operators that run on the CPU, by index.
	Left []int
}

// stampMetadata is the metadata in which LiteRT writes the chip: its maker and its
// model, each in half of the bytes, with zeros behind.
const stampMetadata = "LiteRtStamp"

// Read looks into a compiled file, and checks that it was made from the segment:
// the same inputs and outputs, and nothing in it but NPU code and operators of
// the segment.
func Read(code []byte, segment *graph.Model) (*Compiled, error) {
	m, err := graph.Read(code, "compiled segment")
	if err != nil {
		return nil, fmt.Errorf("what was compiled cannot be read: %w", err)
	}
	if len(m.Subgraphs) != 1 {
		return nil, fmt.Errorf("what was compiled has %d subgraphs: %w", len(m.Subgraphs), delegate.ErrUnsupported)
	}
	g, of := &m.Subgraphs[0], &segment.Subgraphs[0]
	named := names(of)
	for _, x := range []struct {
		what     string
		got, was []int
	}{{"input", g.Inputs, of.Inputs}, {"output", g.Outputs, of.Outputs}} {
		if len(x.got) != len(x.was) {
			return nil, fmt.Errorf("what was compiled has %d %ss, the segment %d", len(x.got), x.what, len(x.was))
		}
		for i := range x.got {
			a, b := &g.Tensors[x.got[i]], &of.Tensors[x.was[i]]
			if a.Name != named[x.was[i]] || a.Type != b.Type || !slices.Equal(a.Shape, b.Shape) {
				return nil, fmt.Errorf("%s %d of what was compiled is %q, %v %v; the segment has %q, %v %v", x.what, i, a.Name, a.Type, a.Shape, named[x.was[i]], b.Type, b.Shape)
			}
		}
	}
	c := &Compiled{}
	for i := range g.Ops {
		if g.Ops[i].Compiled() {
			c.Partitions++
			continue
		}
		op := slices.IndexFunc(of.Ops, func(o graph.Op) bool { return same(g, &g.Ops[i], named, &o) })
		if op < 0 {
			return nil, fmt.Errorf("what was compiled has %s, which the segment has not", m.OpLabel(0, i))
		}
		c.Left = append(c.Left, op)
	}
	slices.Sort(c.Left)
	for _, x := range m.Metadata {
		if x.Name == stampMetadata {
			stamp := m.Buffers[x.Buffer]
			half := len(stamp) / 2
			c.Target = Target{text(stamp[:half]), text(stamp[half:])}
		}
	}
	return c, nil
}

// same says whether operator a of a compiled file is operator b of the segment,
// whose tensors are named so: they have the same code and make the same tensors.
func same(g *graph.Subgraph, a *graph.Op, named []string, b *graph.Op) bool {
	if a.Code != b.Code || a.CustomCode != b.CustomCode || len(a.Outputs) != len(b.Outputs) || len(a.Outputs) == 0 {
		return false
	}
	for i, t := range a.Outputs {
		u := b.Outputs[i]
		if (t == graph.NoTensor) != (u == graph.NoTensor) || t != graph.NoTensor && g.Tensors[t].Name != named[u] {
			return false
		}
	}
	return true
}

// text is what stands before the first zero.
func text(b []byte) string {
	before, _, _ := bytes.Cut(b, []byte{0})
	return string(before)
}
