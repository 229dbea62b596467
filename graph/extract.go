package graph

import (
	"fmt"
	"slices"

	"nanoflux/graph/schema"
)

// Cut says how an extracted model is connected to the one it came from: the
// tensors, by their index in the source subgraph, that are the inputs and
// outputs of the new model, in its order.
type Cut struct {
	Inputs, Outputs []int
}

// Extract makes a model of its own of some operators of subgraph sub. Ops are
// indices, in any order; the new model has them in the order of the source.
//
// Inputs of the new model are the tensors that the operators use, that are not
// constant, and that none of them computes, in the order of first use. Outputs
// are those that they compute and that another operator of the subgraph uses,
// or that the subgraph gives out, in the order of computation. Tensors keep
// their name, quantization and shape; signatures and metadata do not come
// along.
//
// Buffers are shared, not copied: m must stay open while the new model is in
// use. Whether the operators can run as one (no path leaves them and comes
// back) is for the caller to see to; Extract only fails, with ErrExtract, on
// operators that cannot stand alone at all:
//
//   - one that runs other subgraphs, or was compiled for one NPU;
//   - one that shares a variable (state that outlives a run) or a resource
//     with an operator outside.
func Extract(m *Model, sub int, ops []int) (*Model, Cut, error) {
	if sub < 0 || sub >= len(m.Subgraphs) {
		return nil, Cut{}, fmt.Errorf("%s: %w: there is no subgraph %d", m.Name, ErrExtract, sub)
	}
	x := extraction{m: m, sub: sub, source: &m.Subgraphs[sub], moved: map[int]int{}, buffers: map[int]int{0: 0}}
	if err := x.choose(ops); err != nil {
		return nil, Cut{}, fmt.Errorf("%s: %w: %w", m.Name, ErrExtract, err)
	}
	if err := x.stateStays(); err != nil {
		return nil, Cut{}, fmt.Errorf("%s: %w: %w", m.Name, ErrExtract, err)
	}
	out := x.model()
	if err := Check(out); err != nil {
		return nil, Cut{}, fmt.Errorf("%w: %w", ErrExtract, err)
	}
	return out, x.cut, nil
}

type extraction struct {
	m      *Model
	sub    int
	source *Subgraph
	ops    []int // sorted, each once
	inside []bool
	flows  []bool // tensors whose value an operator or the caller gives

	cut     Cut
	tensors []Tensor
	moved   map[int]int // tensor of the source → tensor of the new model
	data    []Buffer
	buffers map[int]int // buffer of the source → buffer of the new model
}

// choose takes the set of operators, and refuses those that cannot be moved.
func (x *extraction) choose(ops []int) error {
	if len(ops) == 0 {
		return fmt.Errorf("no operators given")
	}
	x.inside = make([]bool, len(x.source.Ops))
	for _, o := range ops {
		if o < 0 || o >= len(x.source.Ops) {
			return fmt.Errorf("subgraph %d has no op %d", x.sub, o)
		}
		if x.inside[o] {
			return fmt.Errorf("%s is given twice", x.m.OpLabel(x.sub, o))
		}
		x.inside[o] = true
		op := &x.source.Ops[o]
		if op.Calls() {
			return fmt.Errorf("%s: it runs other subgraphs", x.m.OpLabel(x.sub, o))
		}
		if op.Compiled() {
			return fmt.Errorf("%s: it was compiled for one NPU, and its code is elsewhere in the file", x.m.OpLabel(x.sub, o))
		}
	}
	x.ops = slices.Sorted(slices.Values(ops))
	return nil
}

// stateStays checks that no variable or resource is used on both sides of the
// cut: two copies of it would drift apart.
func (x *extraction) stateStays() error {
	const nobody = -1
	named := map[string]int{}                  // an operator that uses the state of this name
	user := make([]int, len(x.source.Tensors)) // an operator on one side
	for t := range user {
		user[t] = nobody
	}
	for o := range x.source.Ops {
		op := &x.source.Ops[o]
		if name := stateName(op); name != "" {
			first, ok := named[name]
			if ok && x.inside[first] != x.inside[o] {
				return fmt.Errorf("%s and %s share %s; they must stay together", x.m.OpLabel(x.sub, first), x.m.OpLabel(x.sub, o), name)
			}
			named[name] = o
		}
		for _, t := range slices.Concat(op.Inputs, op.Outputs) {
			if t == NoTensor || !stateful(&x.source.Tensors[t]) {
				continue
			}
			if user[t] != nobody && x.inside[user[t]] != x.inside[o] {
				return fmt.Errorf("%s and %s share the state in tensor %d %s; they must stay together",
					x.m.OpLabel(x.sub, user[t]), x.m.OpLabel(x.sub, o), t, quoted(x.source.Tensors[t].Name))
			}
			user[t] = o
		}
	}
	return nil
}

// stateName names the state that an operator finds by name or number and not
// by a tensor; empty for most.
func stateName(op *Op) string {
	switch o := op.Options.(type) {
	case *schema.VarHandleOptionsT:
		return "variable " + quoted(o.Container+"/"+o.SharedName)
	case *schema.HashtableOptionsT:
		return fmt.Sprintf("hash table %d", o.TableId)
	}
	return ""
}

// stateful: what the tensor stands for outlives a run, or cannot be passed
// from one interpreter to another.
func stateful(t *Tensor) bool {
	return t.IsVariable || t.Type == resourceType || t.Type == variantType
}

func (x *extraction) model() *Model {
	x.data = []Buffer{nil}
	x.findFlows()
	known := make([]bool, len(x.source.Tensors)) // computed inside, or an input already
	g := Subgraph{Name: x.source.Name, Ops: make([]Op, 0, len(x.ops))}
	for _, o := range x.ops {
		op := x.source.Ops[o] // a copy; options are shared and never changed
		for _, t := range op.Inputs {
			if t != NoTensor && !known[t] && x.flows[t] {
				known[t] = true
				x.cut.Inputs = append(x.cut.Inputs, t)
			}
		}
		for _, t := range op.Outputs {
			if t != NoTensor {
				known[t] = true
			}
		}
		op.Inputs = x.move(op.Inputs)
		op.Outputs = x.move(op.Outputs)
		op.Intermediates = x.move(op.Intermediates)
		g.Ops = append(g.Ops, op)
	}
	x.cut.Outputs = x.needed()
	g.Inputs, g.Outputs = x.move(x.cut.Inputs), x.move(x.cut.Outputs)
	g.Tensors = x.tensors
	return &Model{
		Name:        x.m.Name,
		Description: x.m.Description,
		Subgraphs:   []Subgraph{g},
		Buffers:     x.data,
		File:        x.m.File,
	}
}

// findFlows finds the tensors whose value comes from somewhere: an operator or
// the subgraph's caller. Constants, those without elements too, and variables
// have theirs.
func (x *extraction) findFlows() {
	x.flows = make([]bool, len(x.source.Tensors))
	mark := func(ids []int) {
		for _, t := range ids {
			if t != NoTensor && !x.source.Tensors[t].IsVariable && !x.m.IsConstant(x.sub, t) {
				x.flows[t] = true
			}
		}
	}
	mark(x.source.Inputs)
	for o := range x.source.Ops {
		mark(x.source.Ops[o].Outputs)
	}
}

// needed lists what the operators compute and somebody else uses.
func (x *extraction) needed() []int {
	used := make([]bool, len(x.source.Tensors))
	for o := range x.source.Ops {
		if x.inside[o] {
			continue
		}
		for _, t := range x.source.Ops[o].Inputs {
			if t != NoTensor {
				used[t] = true
			}
		}
	}
	for _, t := range x.source.Outputs {
		used[t] = true
	}
	var out []int
	for _, o := range x.ops {
		for _, t := range x.source.Ops[o].Outputs {
			if t != NoTensor && used[t] {
				out = append(out, t)
			}
		}
	}
	return out
}

// move gives the new indices of tensors, adding those that are not there yet.
func (x *extraction) move(ids []int) []int {
	if ids == nil {
		return nil
	}
	out := make([]int, len(ids))
	for i, t := range ids {
		out[i] = NoTensor
		if t != NoTensor {
			out[i] = x.moveTensor(t)
		}
	}
	return out
}

func (x *extraction) moveTensor(t int) int {
	if to, done := x.moved[t]; done {
		return to
	}
	tensor := x.source.Tensors[t]
	tensor.Buffer = x.moveBuffer(tensor.Buffer)
	tensor.Quantization = x.moveQuantization(tensor.Quantization)
	x.moved[t] = len(x.tensors)
	x.tensors = append(x.tensors, tensor)
	return x.moved[t]
}

// moveBuffer shares the data; all empty buffers become buffer 0.
func (x *extraction) moveBuffer(b int) int {
	to, done := x.buffers[b]
	if !done {
		if data := x.m.Buffers[b]; len(data) > 0 {
			to = len(x.data)
			x.data = append(x.data, data)
		}
		x.buffers[b] = to
	}
	return to
}

// moveQuantization renumbers the tensors that a blockwise quantization names.
func (x *extraction) moveQuantization(q *Quantization) *Quantization {
	if q == nil || q.Details == nil {
		return q
	}
	b, ok := q.Details.Value.(*schema.BlockwiseQuantizationT)
	if !ok {
		return q
	}
	moved := *b
	moved.Scales = int32(x.moveTensor(int(b.Scales)))
	if b.ZeroPoints >= 0 {
		moved.ZeroPoints = int32(x.moveTensor(int(b.ZeroPoints)))
	}
	out := *q
	out.Details = &schema.QuantizationDetailsT{Type: q.Details.Type, Value: &moved}
	return &out
}
