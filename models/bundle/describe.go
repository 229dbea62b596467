package bundle

import (
	"fmt"
	"slices"

	"nanoflux/graph"
)

// Describe is the manifest's entry for a model that is stored in file.
func Describe(file string, m *graph.Model) Part {
	g := &m.Subgraphs[0]
	inputs, outputs := map[int]string{}, map[int]string{}
	for _, s := range m.Signatures {
		if s.Subgraph == 0 {
			name(inputs, s.Inputs)
			name(outputs, s.Outputs)
		}
	}
	return Part{File: file, Inputs: lines(g, g.Inputs, inputs), Outputs: lines(g, g.Outputs, outputs)}
}

// name keeps the first name that a signature gives to a tensor.
func name(names map[int]string, list []graph.NamedTensor) {
	for _, n := range list {
		if _, given := names[n.Tensor]; !given {
			names[n.Tensor] = n.Name
		}
	}
}

// lines describes tensors, by their signature's names or their own.
func lines(g *graph.Subgraph, tensors []int, names map[int]string) []string {
	list := make([]string, len(tensors))
	for i, at := range tensors {
		t := &g.Tensors[at]
		name, given := names[at]
		if !given {
			name = t.Name
		}
		list[i] = fmt.Sprintf("%s: %v %v", name, t.Type, t.Shape)
	}
	return list
}

// fits compares a part with its model.
func (p Part) fits(m *graph.Model) error {
	is := Describe(p.File, m)
	if !slices.Equal(is.Inputs, p.Inputs) {
		return fmt.Errorf("%s takes %q, the manifest says %q", p.File, is.Inputs, p.Inputs)
	}
	if !slices.Equal(is.Outputs, p.Outputs) {
		return fmt.Errorf("%s gives %q, the manifest says %q", p.File, is.Outputs, p.Outputs)
	}
	return nil
}
