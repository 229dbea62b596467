package onnx

import (
	"fmt"
	"slices"
	"strconv"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

var (
	toChannelsFirst = []int{0, 3, 1, 2}
	toFile          = []int{0, 2, 3, 1}
)

// emit adds a node.
func (c *converter) emit(op string, inputs, outputs []string, attributes ...attribute) {
	name := fmt.Sprintf("op%d_%d_%s", c.op, len(c.out.nodes), op)
	c.out.nodes = append(c.out.nodes, &node{name: name, op: op, inputs: inputs, outputs: outputs, attributes: attributes})
}

// node adds a node with one output, and names it.
func (c *converter) node(op string, inputs []string, attributes ...attribute) string {
	out := "v" + strconv.Itoa(len(c.out.nodes))
	c.emit(op, inputs, []string{out}, attributes...)
	return out
}

// nodes adds a node with several outputs.
func (c *converter) nodes(op string, inputs []string, outputs int, attributes ...attribute) []string {
	list := make([]string, outputs)
	for i := range list {
		list[i] = fmt.Sprintf("v%d_%d", len(c.out.nodes), i)
	}
	c.emit(op, inputs, list, attributes...)
	return list
}

// shape is a tensor's.
func (c *converter) shape(t int) []int { return c.shapes[t] }

// rank is a tensor's number of dimensions.
func (c *converter) rank(t int) int { return len(c.shapes[t]) }

// raw is the name of a tensor as it is stored.
func (c *converter) raw(t int, o order) string {
	if c.constant(t) {
		k := c.constantOf(t)
		if k.q != nil {
			k = k.unsigned()
		}
		return c.use(k)
	}
	f := c.forms[t]
	if f.name[o] == "" {
		perm := toChannelsFirst
		if o == asFile {
			perm = toFile
		}
		x := &c.g.Tensors[t]
		from := f.name[1-o]
		if quantized(x) {
			from = c.dequantized(from, x)
		}
		to := c.node("Transpose", []string{from}, attribute{"perm", perm})
		if quantized(x) {
			to = c.quantized(to, x)
		}
		f.name[o] = to
	}
	return f.name[o]
}

// dequantized are the reals of a stored tensor. Each reader has a node of its
// own: that is what runtimes look for.
func (c *converter) dequantized(name string, x *graph.Tensor) string {
	typ, _ := stored(x)
	scale, zero, _ := c.parameters(x.Quantization, typ, offset(x.Type))
	return c.node("DequantizeLinear", []string{name, scale, zero})
}

func (c *converter) quantized(name string, x *graph.Tensor) string {
	typ, _ := stored(x)
	scale, zero, _ := c.parameters(x.Quantization, typ, offset(x.Type))
	return c.node("QuantizeLinear", []string{name, scale, zero})
}

// real is the name of a tensor's values as reals; integers that are not quantized
// stay integers.
func (c *converter) real(t int, o order) string {
	x := &c.g.Tensors[t]
	if c.constant(t) {
		k := c.constantOf(t)
		if o == channelsFirst && len(k.shape) == 4 {
			k = k.transposed(toChannelsFirst...)
		}
		return c.realOf(k, false)
	}
	name := c.raw(t, o)
	if quantized(x) {
		return c.dequantized(name, x)
	}
	return name
}

// set says that name are the reals of a computed tensor, after an activation.
func (c *converter) set(t int, o order, name string, act graph.Activation) error {
	x := &c.g.Tensors[t]
	q := quantized(x)
	if q && clamped(x, act) {
		act = graph.ActNone
	}
	if q && act != graph.ActNone {
		// Quantized between the two, as NPUs want it.
		name = c.dequantized(c.quantized(name, x), x)
	}
	name, err := c.activated(name, act)
	if err != nil {
		return err
	}
	if q {
		name = c.quantized(name, x)
	}
	f := c.forms[t]
	if f == nil {
		f = &forms{native: o}
		c.forms[t] = f
	}
	f.name[o] = name
	return nil
}

// clamped says whether the range of a quantized tensor is within that of an
// activation, which then does nothing more.
func clamped(x *graph.Tensor, act graph.Activation) bool {
	low, high, ok := activationRange(act)
	if !ok {
		return false
	}
	q := x.Quantization
	least, most := int64(0), int64(1)<<graph.ElementBits(x.Type)-1
	zero := offset(x.Type)
	if len(q.ZeroPoint) > 0 {
		zero += q.ZeroPoint[0]
	}
	slack := q.Scale[0] / 2
	first, last := float32(least-zero)*q.Scale[0], float32(most-zero)*q.Scale[0]
	return first >= low-slack && last <= high+slack
}

// channels says in which order an operator that works in either should run: that
// in which its inputs were computed.
func (c *converter) channels(tensors ...int) order {
	for _, t := range tensors {
		if t != graph.NoTensor && !c.constant(t) && c.rank(t) == 4 && c.forms[t] != nil && c.forms[t].native == channelsFirst {
			return channelsFirst
		}
	}
	return asFile
}

// axisIn is a dimension's index in an order of four.
func axisIn(axis int, o order) int {
	if o == channelsFirst {
		return slices.Index(toChannelsFirst, axis)
	}
	return axis
}

// axis counts a dimension from the front.
func (c *converter) axis(axis, rank int) (int, error) {
	if axis < 0 {
		axis += rank
	}
	if axis < 0 || axis >= rank {
		return 0, delegate.Refuse(delegate.ReasonOption, "axis %d of %d dimensions", axis, rank)
	}
	return axis, nil
}

// reshaped gives a value another shape.
func (c *converter) reshaped(name string, shape []int) string {
	return c.node("Reshape", []string{name, c.ints(shape...)})
}

// as gives an operator's options, or their defaults.
func as[T any](op *graph.Op) T {
	if p, ok := op.Options.(*T); ok && p != nil {
		return *p
	}
	var zero T
	return zero
}

// activationRange is what an activation that clamps lets through.
func activationRange(act graph.Activation) (low, high float32, ok bool) {
	const all = 3.4e38
	switch act {
	case graph.ActNone:
		return -all, all, true
	case schema.ActivationFunctionTypeRELU:
		return 0, all, true
	case schema.ActivationFunctionTypeRELU6:
		return 0, 6, true
	case schema.ActivationFunctionTypeRELU_N1_TO_1:
		return -1, 1, true
	}
	return 0, 0, false
}

// activated is a value after an activation function.
func (c *converter) activated(name string, act graph.Activation) (string, error) {
	switch act {
	case graph.ActNone:
		return name, nil
	case schema.ActivationFunctionTypeRELU:
		return c.node("Relu", []string{name}), nil
	case schema.ActivationFunctionTypeRELU6, schema.ActivationFunctionTypeRELU_N1_TO_1:
		low, high, _ := activationRange(act)
		return c.node("Clip", []string{name, c.float(low), c.float(high)}), nil
	case schema.ActivationFunctionTypeTANH:
		return c.node("Tanh", []string{name}), nil
	}
	return "", delegate.Refuse(delegate.ReasonActivation, "activation %v", act)
}
