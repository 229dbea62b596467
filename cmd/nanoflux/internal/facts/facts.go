// Package facts sums up a model for people: what goes in, what comes out, which
// operators there are and what the constants weigh.
package facts

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"nanoflux/graph"
)

// Model is what there is to say about a model.
type Model struct {
	Name          string      `json:"name"`
	Description   string      `json:"description,omitempty"`
	ConstantBytes int         `json:"constant_bytes"`
	Subgraphs     []Subgraph  `json:"subgraphs"`
	Signatures    []Signature `json:"signatures,omitempty"`
	Metadata      []Metadata  `json:"metadata,omitempty"`
}

// Subgraph is one of a model's subgraphs.
type Subgraph struct {
	Name    string   `json:"name,omitempty"`
	Inputs  []Tensor `json:"inputs"`
	Outputs []Tensor `json:"outputs"`
	Tensors int      `json:"tensors"`
	Ops     int      `json:"ops"`
	// Kinds counts operators by name and version, most frequent first.
	Kinds []Kind `json:"kinds"`
	// Constants counts constant tensors by element type, heaviest first.
	Constants []Constants `json:"constants"`
}

// Tensor is an input or an output.
type Tensor struct {
	Index int    `json:"index"`
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
	// Signature is Shape with -1 for sizes that the caller chooses.
	Signature []int     `json:"shape_signature,omitempty"`
	Scale     []float32 `json:"scale,omitempty"`
	ZeroPoint []int64   `json:"zero_point,omitempty"`
}

// Kind is how often an operator occurs.
type Kind struct {
	Op      string `json:"op"`
	Version int    `json:"version"`
	Count   int    `json:"count"`
}

// Constants is how many constant tensors have one element type.
type Constants struct {
	Type  string `json:"type"`
	Count int    `json:"count"`
	Bytes int    `json:"bytes"`
}

// Signature names inputs and outputs.
type Signature struct {
	Key      string   `json:"key"`
	Subgraph int      `json:"subgraph"`
	Inputs   []string `json:"inputs"`
	Outputs  []string `json:"outputs"`
}

// Metadata is a named buffer.
type Metadata struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
}

// Of sums up a model.
func Of(m *graph.Model) Model {
	f := Model{Name: m.Name, Description: m.Description, Subgraphs: []Subgraph{}}
	for _, b := range m.Buffers {
		f.ConstantBytes += len(b)
	}
	for i := range m.Subgraphs {
		f.Subgraphs = append(f.Subgraphs, subgraph(m, i))
	}
	for _, s := range m.Signatures {
		f.Signatures = append(f.Signatures, Signature{s.Key, s.Subgraph, tensorNames(s.Inputs), tensorNames(s.Outputs)})
	}
	for _, d := range m.Metadata {
		f.Metadata = append(f.Metadata, Metadata{d.Name, len(m.Buffers[d.Buffer])})
	}
	return f
}

func subgraph(m *graph.Model, index int) Subgraph {
	g := &m.Subgraphs[index]
	f := Subgraph{Name: g.Name, Tensors: len(g.Tensors), Ops: len(g.Ops), Inputs: tensors(g, g.Inputs), Outputs: tensors(g, g.Outputs), Kinds: []Kind{}, Constants: []Constants{}}
	type opKey struct {
		name    string
		version int
	}
	counts := map[opKey]int{}
	for i := range g.Ops {
		counts[opKey{g.Ops[i].Name(), g.Ops[i].Version}]++
	}
	for key, n := range counts {
		f.Kinds = append(f.Kinds, Kind{key.name, key.version, n})
	}
	slices.SortFunc(f.Kinds, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Op, b.Op), cmp.Compare(a.Version, b.Version))
	})
	types := map[string]*Constants{}
	for t := range g.Tensors {
		if value, ok := m.Constant(index, t); ok {
			name := value.Type.String()
			if types[name] == nil {
				types[name] = &Constants{Type: name}
			}
			types[name].Count++
			types[name].Bytes += len(value.Data)
		}
	}
	for _, c := range types {
		f.Constants = append(f.Constants, *c)
	}
	slices.SortFunc(f.Constants, func(a, b Constants) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Type, b.Type))
	})
	return f
}

func tensors(g *graph.Subgraph, indices []int) []Tensor {
	list := []Tensor{}
	for _, i := range indices {
		if i < 0 {
			continue
		}
		t := &g.Tensors[i]
		f := Tensor{Index: i, Name: t.Name, Type: t.Type.String(), Shape: t.Shape, Signature: t.ShapeSignature}
		if f.Shape == nil {
			f.Shape = []int{}
		}
		if t.Quantization != nil {
			f.Scale, f.ZeroPoint = t.Quantization.Scale, t.Quantization.ZeroPoint
		}
		list = append(list, f)
	}
	return list
}

func tensorNames(list []graph.NamedTensor) []string {
	names := []string{}
	for _, n := range list {
		names = append(names, n.Name)
	}
	return names
}

// Print writes the facts as text. Names from the file are quoted where they
// could steer a terminal.
func (f Model) Print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }
	line("%s: %s, %s of constants", plain(f.Name), Count(len(f.Subgraphs), "subgraph"), Size(f.ConstantBytes))
	if f.Description != "" {
		line("%s", plain(f.Description))
	}
	for i, g := range f.Subgraphs {
		name := ""
		if g.Name != "" {
			name = " " + plain(g.Name)
		}
		line("\nsubgraph %d%s: %s, %s", i, name, Count(g.Ops, "op"), Count(g.Tensors, "tensor"))
		for _, group := range []struct {
			what string
			list []Tensor
		}{{"input", g.Inputs}, {"output", g.Outputs}} {
			for _, x := range group.list {
				line("  %s\t%s\t%s\t%v%s", group.what, plain(x.Name), x.Type, shapeOf(x), quantizationOf(x))
			}
		}
		for _, c := range g.Constants {
			line("  constants\t%d\t%s\t%s", c.Count, c.Type, Size(c.Bytes))
		}
		for _, k := range g.Kinds {
			line("  %d\t%s\tv%d", k.Count, plain(k.Op), k.Version)
		}
	}
	for _, s := range f.Signatures {
		line("\nsignature %s of subgraph %d: %s → %s", plain(s.Key), s.Subgraph, plain(strings.Join(s.Inputs, ", ")), plain(strings.Join(s.Outputs, ", ")))
	}
	for _, d := range f.Metadata {
		line("\nmetadata %s: %s", plain(d.Name), Size(d.Bytes))
	}
	t.Flush()
}

func shapeOf(t Tensor) []int {
	if len(t.Signature) == len(t.Shape) && len(t.Shape) > 0 {
		return t.Signature
	}
	return t.Shape
}

func quantizationOf(t Tensor) string {
	switch {
	case len(t.Scale) == 1 && len(t.ZeroPoint) == 1:
		return fmt.Sprintf("\tscale %g, zero point %d", t.Scale[0], t.ZeroPoint[0])
	case len(t.Scale) > 1:
		return fmt.Sprintf("\t%d scales", len(t.Scale))
	}
	return ""
}

// Size is a number of bytes for people.
func Size(n int) string {
	switch {
	case n < 1000:
		return strconv.Itoa(n) + " B"
	case n < 999_500:
		return fmt.Sprintf("%.3g kB", float64(n)/1e3)
	case n < 999_500_000:
		return fmt.Sprintf("%.3g MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.4g GB", float64(n)/1e9)
}

// plain is s when all of it prints, and quoted otherwise.
func plain(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

// Count is a number of things: "1 step", "10 steps".
func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
