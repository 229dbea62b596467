package rewrite

import (
	"fmt"
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// draft is a subgraph while a pass rewrites it. The pass sees the operators in
// their order and, for each, leaves it or writes others in its place, which
// must compute the same output tensors. What nobody uses any more is swept
// away at the end.
type draft struct {
	m   *graph.Model // the new model
	sub int
	g   *graph.Subgraph
	// ops are the operators of the new model so far.
	ops []graph.Op
	// made has, for a computed tensor, its operator in ops.
	made map[int]int
	// reshapes lists the outputs of the RESHAPEs of a tensor.
	reshapes map[int][]int
	// borders lists the QUANTIZEs and DEQUANTIZEs of a tensor.
	borders map[int][]int
	// standIn has the tensor to use in place of one that is not made any more.
	standIn map[int]int
	// users lists the operators of the source that read a tensor.
	users map[int][]*graph.Op
	// fixed: the caller cannot resize anything, so that shapes can be
	// written into constants.
	fixed bool

	isOutput  map[int]bool
	names     map[string]bool
	constants map[string]int
}

// visitor looks at an operator of the source, whose inputs are already those
// of the draft. It reports whether it wrote something in its place.
type visitor func(d *draft, op *graph.Op) bool

// rewritten runs visit over all operators of a model.
func rewritten(m *graph.Model, visit visitor) (*graph.Model, int, error) {
	out, changed := clone(m), 0
	fixed := isFixed(m)
	for s := range out.Subgraphs {
		d := newDraft(out, s, fixed)
		changed += d.rewrite(visit)
	}
	if changed == 0 {
		return clone(m), 0, nil
	}
	sweep(out)
	if err := graph.Check(out); err != nil {
		return nil, 0, fmt.Errorf("after the rewrite: %w", err)
	}
	return out, changed, nil
}

// pass makes a Pass of a visitor.
func pass(name, summary string, visit visitor) Pass {
	return Pass{Name: name, Summary: summary, Apply: func(m *graph.Model) (*graph.Model, int, error) {
		return rewritten(m, visit)
	}}
}

// approximation is pass for one that is only nearly equal.
func approximation(name, summary string, visit visitor) Pass {
	p := pass(name, summary, visit)
	p.Approximate = true
	return p
}

// isFixed: no shape depends on what a caller does.
func isFixed(m *graph.Model) bool {
	for s := range m.Subgraphs {
		for t := range m.Subgraphs[s].Tensors {
			if slices.Contains(m.Subgraphs[s].Tensors[t].ShapeSignature, -1) {
				return false
			}
		}
	}
	return true
}

func newDraft(m *graph.Model, sub int, fixed bool) *draft {
	d := &draft{
		m: m, sub: sub, g: &m.Subgraphs[sub], fixed: fixed,
		made: map[int]int{}, reshapes: map[int][]int{}, borders: map[int][]int{}, standIn: map[int]int{}, users: map[int][]*graph.Op{},
		isOutput: map[int]bool{}, names: map[string]bool{}, constants: map[string]int{},
	}
	for _, t := range d.g.Outputs {
		d.isOutput[t] = true
	}
	for t := range d.g.Tensors {
		d.names[d.g.Tensors[t].Name] = true
	}
	return d
}

// rewrite visits the operators and returns how many were replaced.
func (d *draft) rewrite(visit visitor) int {
	source := d.g.Ops
	for o := range source {
		for _, t := range source[o].Inputs {
			if t != graph.NoTensor {
				d.users[t] = append(d.users[t], &source[o])
			}
		}
	}
	d.ops = make([]graph.Op, 0, len(source))
	changed := 0
	for o := range source {
		op := source[o] // options are shared and never changed
		op.Inputs = d.resolved(op.Inputs)
		if visit(d, &op) {
			changed++
		} else {
			d.append(op)
		}
	}
	d.g.Ops = d.ops
	return changed
}

func (d *draft) resolved(ids []int) []int {
	out := slices.Clone(ids)
	for i, t := range out {
		if by, ok := d.standIn[t]; ok {
			out[i] = by
		}
	}
	return out
}

func (d *draft) append(op graph.Op) {
	for _, t := range op.Outputs {
		d.made[t] = len(d.ops)
	}
	if op.Code == schema.BuiltinOperatorRESHAPE {
		d.reshapes[op.Inputs[0]] = append(d.reshapes[op.Inputs[0]], op.Outputs[0])
	}
	d.ops = append(d.ops, op)
}

// emit writes an operator, in the lowest version that covers its operands.
func (d *draft) emit(code graph.OpCode, options any, inputs, outputs []int) {
	op := graph.Op{Code: code, Options: options, Inputs: inputs, Outputs: outputs}
	op.Version = d.g.OpVersion(&op)
	d.append(op)
}

// replace lets by stand for t in all operators that follow. It is refused for
// an output of the subgraph, which must be made.
func (d *draft) replace(t, by int) bool {
	if d.isOutput[t] {
		return false
	}
	d.standIn[t] = by
	return true
}

// maker is the operator that computes t; nil for constants and inputs. The
// pointer is good until the next operator is written.
func (d *draft) maker(t int) *graph.Op {
	if o, ok := d.made[t]; ok {
		return &d.ops[o]
	}
	return nil
}

// tensor is tensor t. The pointer is good until the next tensor is added.
func (d *draft) tensor(t int) *graph.Tensor { return &d.g.Tensors[t] }

func (d *draft) shape(t int) []int { return d.g.Tensors[t].Shape }

// add adds a tensor whose name begins with that of tensor base.
func (d *draft) add(base int, hint string, x graph.Tensor) int {
	name := d.tensor(base).Name + "/" + hint
	for n := 1; d.names[name]; n++ {
		name = fmt.Sprintf("%s/%s_%d", d.tensor(base).Name, hint, n)
	}
	d.names[name] = true
	x.Name = name
	d.g.Tensors = append(d.g.Tensors, x)
	return len(d.g.Tensors) - 1
}

// like adds a tensor of the type and shape of t, which an operator will make.
func (d *draft) like(t int, hint string) int {
	x := *d.tensor(t)
	x.Buffer, x.IsVariable, x.Sparsity, x.Quantization = 0, false, nil, scales(x.Quantization)
	return d.add(t, hint, x)
}

// scales is a quantization without the ranges of other values.
func scales(q *graph.Quantization) *graph.Quantization {
	if q == nil || len(q.Scale) == 0 && q.Details == nil {
		return nil
	}
	bare := *q
	bare.Min, bare.Max = nil, nil
	return &bare
}

// shaped is like with another shape; a quantization by channel must not be
// asked for.
func (d *draft) shaped(t int, hint string, shape []int) int {
	x := *d.tensor(t)
	x.Buffer, x.IsVariable, x.Sparsity, x.Quantization = 0, false, nil, scales(x.Quantization)
	x.Shape, x.ShapeSignature, x.HasRank = slices.Clone(shape), nil, len(shape) == 0
	return d.add(t, hint, x)
}

// all reports whether all given operands of op are of the type.
func (d *draft) all(op *graph.Op, t graph.TensorType) bool {
	for _, ids := range [][]int{op.Inputs, op.Outputs} {
		for _, id := range ids {
			if id != graph.NoTensor && d.tensor(id).Type != t {
				return false
			}
		}
	}
	return true
}
