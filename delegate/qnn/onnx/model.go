package onnx

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// Model is a segment as an ONNX model.
type Model struct {
	// Inputs and Outputs are the segment's, in its order, without inputs that no
	// operator reads.
	Inputs, Outputs []Value

	nodes        []*node
	initializers []initializer
}

// Value is an input or output.
type Value struct {
	Name string
	// Tensor is its index in the segment's list of inputs or outputs.
	Tensor int
	// Type and Shape are ONNX's. A tensor without dimensions has one of size 1.
	Type  graph.TensorType
	Shape []int
	// Segment is the shape in the segment.
	Segment []int
	// Flipped: the sign bit of every element is the opposite of the segment's,
	// which is signed where this is unsigned.
	Flipped bool
}

// Convert writes a segment of one subgraph. shapes are those of the inputs where
// they differ from the file's; nil for none. The error names the operator.
func Convert(segment *graph.Model, shapes [][]int) (m *Model, err error) {
	defer guard(&err)
	return newConverter(segment, 0).convert(shapes)
}

// convert writes the segment.
func (c *converter) convert(shapes [][]int) (*Model, error) {
	if shapes != nil {
		for i, t := range c.g.Inputs {
			c.shapes[t] = shapes[i]
		}
	}
	for _, t := range c.g.Inputs {
		if err := c.input(t); err != nil {
			return nil, fmt.Errorf("%s: %w", c.m.TensorLabel(0, t), err)
		}
	}
	for i := range c.g.Ops {
		if err := c.operator(i); err != nil {
			return nil, fmt.Errorf("%s: %w", c.m.OpLabel(0, i), err)
		}
	}
	for i, t := range c.g.Outputs {
		if err := c.output(i, t); err != nil {
			return nil, fmt.Errorf("%s: %w", c.m.TensorLabel(0, t), err)
		}
	}
	return c.finished(), nil
}

// Check says why an operator cannot be written; nil when it can. It is cheap: no
// weight is read.
func Check(m *graph.Model, sub, op int) *delegate.Refusal {
	r := check(m, sub, []int{op})
	if r != nil && r.Reason == delegate.ReasonConstant {
		// Its weights may follow from constants, which the segment will have.
		if before := delegate.ConstantInputs(m, sub, op); len(before) > 0 {
			r = check(m, sub, append(before, op))
		}
	}
	return r
}

// check writes operators for nobody.
func check(m *graph.Model, sub int, ops []int) (r *delegate.Refusal) {
	var mistake error
	defer func() {
		if mistake != nil {
			r = refusal(mistake)
		}
	}()
	defer guard(&mistake)
	c := newConverter(m, sub)
	for _, i := range ops {
		o := &c.g.Ops[i]
		for _, t := range o.Inputs {
			if t != graph.NoTensor && !c.constant(t) && c.forms[t] == nil {
				if err := c.input(t); err != nil {
					return refusal(err)
				}
			}
		}
		if err := c.operator(i); err != nil {
			return refusal(err)
		}
		for _, t := range o.Outputs {
			if t == graph.NoTensor || c.folded[t] != nil {
				continue
			}
			if _, _, _, err := c.border(t); err != nil {
				return refusal(err)
			}
		}
	}
	return nil
}

// guard turns a panic of a writer into an error: a mistake of ours must not end
// the program.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("mistake in the ONNX writer: %v; please report it", r)
	}
}

func refusal(err error) *delegate.Refusal {
	if r, ok := err.(*delegate.Refusal); ok {
		return r
	}
	return delegate.Refuse(delegate.ReasonOption, "%v", err)
}

// OperatorOf is the index in the segment of the operator that a node with this
// name, or with a longer one that begins with it, was written for.
func OperatorOf(nodeName string) (op int, ok bool) {
	rest, found := strings.CutPrefix(nodeName, "op")
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	op, err := strconv.Atoi(rest[:end])
	return op, found && err == nil
}

// converter makes a Model.
type converter struct {
	m   *graph.Model
	sub int
	g   *graph.Subgraph
	out Model

	// shapes of tensors, which are the file's unless inputs were resized.
	shapes [][]int
	// forms are the names under which a tensor was computed.
	forms []*forms
	// folded are results of operators that are constant.
	folded []*constant

	op       int // the operator that is written
	quantize bool
	named    map[string]bool
	made     map[string]string // constants by what they are made of
	// w8a16: see ConvertW8A16; wide are the tensors that are floats at the border.
	w8a16 bool
	wide  map[int]bool
}

// order is the order of a tensor's dimensions.
type order int

const (
	asFile        order = iota // as in the segment
	channelsFirst              // batch, channels, height, width of batch, height, width, channels
)

// forms are the names of a tensor in both orders, empty where it was not needed,
// and the order in which it was computed.
type forms struct {
	name   [2]string
	native order
}

func newConverter(m *graph.Model, sub int) *converter {
	g := &m.Subgraphs[sub]
	c := &converter{m: m, sub: sub, g: g, shapes: make([][]int, len(g.Tensors)), forms: make([]*forms, len(g.Tensors)), folded: make([]*constant, len(g.Tensors)), named: map[string]bool{}, made: map[string]string{}}
	for t := range g.Tensors {
		c.shapes[t] = g.Tensors[t].Shape
	}
	return c
}

// border is how a tensor crosses the model's border.
func (c *converter) border(t int) (typ graph.TensorType, shape []int, flipped bool, err error) {
	x := &c.g.Tensors[t]
	if typ, flipped = stored(x); c.wide[t] {
		typ = graph.Float32
	}
	shape = slices.Clone(c.shapes[t])
	if len(shape) == 0 {
		shape = []int{1}
	}
	if elementTypes[typ] == 0 {
		return typ, nil, false, delegate.Refuse(delegate.ReasonType, "tensors of type %v have no form in ONNX here", x.Type)
	}
	if n, err := graph.Elements(shape); err != nil || n == 0 {
		return typ, nil, false, delegate.Refuse(delegate.ReasonShape, "a tensor of shape %v has no elements", shape)
	}
	return typ, shape, flipped, nil
}

func (c *converter) input(t int) error {
	typ, shape, flipped, err := c.border(t)
	if err != nil {
		return err
	}
	name := "in" + strconv.Itoa(t)
	inner := name
	if len(c.shapes[t]) == 0 {
		c.op = -1
		inner = c.reshaped(name, nil)
	}
	if c.wide[t] {
		c.op = -1
		inner = c.quantized(inner, &c.g.Tensors[t])
	}
	c.forms[t] = &forms{name: [2]string{asFile: inner}}
	c.out.Inputs = append(c.out.Inputs, Value{Name: name, Tensor: slices.Index(c.g.Inputs, t), Type: typ, Shape: shape, Segment: c.shapes[t], Flipped: flipped})
	return nil
}

func (c *converter) output(i, t int) error {
	typ, shape, flipped, err := c.border(t)
	if err != nil {
		return err
	}
	if !c.constant(t) && c.forms[t] == nil {
		return errors.New("nothing computes it")
	}
	name := "out" + strconv.Itoa(i)
	inner := c.raw(t, asFile)
	if c.wide[t] && !c.constant(t) {
		c.op = -1
		inner = c.dequantized(inner, &c.g.Tensors[t])
	}
	if len(c.shapes[t]) == 0 {
		c.op = -1
		inner = c.reshaped(inner, shape)
	}
	// The last node may write the output itself, if nobody else reads it.
	if p := c.producer(inner); p != nil && !c.read(inner) && !c.named[inner] {
		p.outputs[slices.Index(p.outputs, inner)] = name
		if f := c.forms[t]; f != nil && f.name[asFile] == inner {
			f.name[asFile] = name
		}
		c.named[name] = true
	} else {
		c.op = -1
		c.emit("Identity", []string{inner}, []string{name})
	}
	c.out.Outputs = append(c.out.Outputs, Value{Name: name, Tensor: i, Type: typ, Shape: shape, Segment: c.shapes[t], Flipped: flipped})
	return nil
}

func (c *converter) producer(name string) *node {
	for i := len(c.out.nodes) - 1; i >= 0; i-- {
		if slices.Contains(c.out.nodes[i].outputs, name) {
			return c.out.nodes[i]
		}
	}
	return nil
}

func (c *converter) read(name string) bool {
	return slices.ContainsFunc(c.out.nodes, func(n *node) bool { return slices.Contains(n.inputs, name) })
}

// finished drops what nobody reads.
func (c *converter) finished() *Model {
	used := map[string]bool{}
	for _, o := range c.out.Outputs {
		used[o.Name] = true
	}
	for i := len(c.out.nodes) - 1; i >= 0; i-- {
		n := c.out.nodes[i]
		if !slices.ContainsFunc(n.outputs, func(o string) bool { return used[o] }) {
			c.out.nodes[i] = nil
			continue
		}
		for _, in := range n.inputs {
			used[in] = true
		}
	}
	c.out.nodes = slices.DeleteFunc(c.out.nodes, func(n *node) bool { return n == nil })
	c.out.initializers = slices.DeleteFunc(c.out.initializers, func(i initializer) bool { return !used[i.name] })
	c.out.Inputs = slices.DeleteFunc(c.out.Inputs, func(v Value) bool { return !used[v.Name] })
	return &c.out
}

// operator writes one operator.
func (c *converter) operator(i int) error {
	op := &c.g.Ops[i]
	c.op = i
	c.quantize = false
	for _, t := range slices.Concat(op.Inputs, op.Outputs) {
		if t == graph.NoTensor {
			continue
		}
		x := &c.g.Tensors[t]
		if x.Sparsity != nil || x.Quantization != nil && x.Quantization.Details != nil {
			return delegate.Refuse(delegate.ReasonQuantization, "%s is sparse or quantized by blocks", c.m.TensorLabel(c.sub, t))
		}
		if x.IsVariable {
			return delegate.Refuse(delegate.ReasonOperand, "%s is state that outlives a run", c.m.TensorLabel(c.sub, t))
		}
		if !c.constant(t) && quantized(x) {
			if len(x.Quantization.Scale) > 1 {
				return delegate.Refuse(delegate.ReasonQuantization, "%s is computed and has a scale a channel", c.m.TensorLabel(c.sub, t))
			}
			c.quantize = true
		}
	}
	for _, t := range op.Inputs {
		if t != graph.NoTensor && !c.constant(t) && c.forms[t] == nil {
			return fmt.Errorf("nothing computes %s", c.m.TensorLabel(c.sub, t))
		}
	}
	write := writers[op.Code]
	if write == nil {
		return delegate.Refuse(delegate.ReasonOp, "no ONNX form of %s is known", op.Name())
	}
	if op.Code != schema.BuiltinOperatorCUSTOM && c.resizedInput(op) {
		if err := c.infer(op); err != nil {
			return err
		}
	}
	return write(c, op)
}
