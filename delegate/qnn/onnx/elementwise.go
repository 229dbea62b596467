package onnx

import (
	"fmt"
	"math"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// operand is an input of an elementwise operator in an order. A constant of fewer
// dimensions than the result has gets ones in front before it changes order.
func (c *converter) operand(t int, o order, rank int) (string, error) {
	if !c.constant(t) {
		if o == channelsFirst && c.rank(t) != 4 && c.rank(t) != 0 {
			x := &c.g.Tensors[t]
			shape := append(make([]int, 0, 4), 1, 1, 1, 1)
			copy(shape[4-c.rank(t):], c.shape(t))
			name := c.reshaped(c.real(t, asFile), shape)
			if quantized(x) {
				name = c.dequantized(c.quantized(name, x), x)
			}
			name = c.node("Transpose", []string{name}, attribute{"perm", toChannelsFirst})
			if quantized(x) {
				name = c.dequantized(c.quantized(name, x), x)
			}
			return name, nil
		}
		return c.real(t, o), nil
	}
	k := c.constantOf(t)
	if o == channelsFirst && len(k.shape) > 0 {
		shape := append(make([]int, 0, 4), 1, 1, 1, 1)
		copy(shape[4-len(k.shape):], k.shape)
		k = k.withShape(shape...)
		k = k.transposed(toChannelsFirst...)
	}
	if k.q != nil && len(k.q.Scale) > 1 && c.quantize {
		return "", delegate.Refuse(delegate.ReasonQuantization, "a constant operand has a scale a channel")
	}
	return c.realOf(k, false), nil
}

// operands are all inputs of an elementwise operator, and the order that they
// stand in.
func (c *converter) operands(op *graph.Op, n int) (names []string, o order, err error) {
	if len(op.Inputs) < n || len(op.Outputs) != 1 {
		return nil, 0, delegate.Refuse(delegate.ReasonOperand, "%d inputs and %d outputs; takes %d and 1", len(op.Inputs), len(op.Outputs), n)
	}
	o = c.channels(op.Inputs[:n]...)
	for _, t := range op.Inputs[:n] {
		if c.rank(op.Outputs[0]) != 4 || t != graph.NoTensor && c.rank(t) > 4 {
			o = asFile
		}
	}
	for _, t := range op.Inputs[:n] {
		if t == graph.NoTensor {
			return nil, 0, delegate.Refuse(delegate.ReasonOperand, "an input is left out")
		}
		name, err := c.operand(t, o, c.rank(op.Outputs[0]))
		if err != nil {
			return nil, 0, err
		}
		names = append(names, name)
	}
	return names, o, nil
}

// fusedActivation is the activation of operators that may have one.
func fusedActivation(op *graph.Op) graph.Activation {
	switch o := op.Options.(type) {
	case *schema.AddOptionsT:
		return o.FusedActivationFunction
	case *schema.SubOptionsT:
		return o.FusedActivationFunction
	case *schema.MulOptionsT:
		return o.FusedActivationFunction
	case *schema.DivOptionsT:
		return o.FusedActivationFunction
	case *schema.ConcatenationOptionsT:
		return o.FusedActivationFunction
	case *schema.L2NormOptionsT:
		return o.FusedActivationFunction
	}
	return graph.ActNone
}

// twoInputs is an operator of two inputs with broadcasting, and what follows it.
func twoInputs(name string, then ...string) writer {
	return func(c *converter, op *graph.Op) error {
		in, o, err := c.operands(op, 2)
		if err != nil {
			return err
		}
		y := c.node(name, in)
		for _, next := range then {
			y = c.node(next, []string{y})
		}
		return c.set(op.Outputs[0], o, y, fusedActivation(op))
	}
}

func squaredDifference(c *converter, op *graph.Op) error {
	in, o, err := c.operands(op, 2)
	if err != nil {
		return err
	}
	d := c.node("Sub", in)
	return c.set(op.Outputs[0], o, c.node("Mul", []string{d, d}), graph.ActNone)
}

func prelu(c *converter, op *graph.Op) error {
	in, o, err := c.operands(op, 2)
	if err != nil {
		return err
	}
	return c.set(op.Outputs[0], o, c.node("PRelu", in), graph.ActNone)
}

func selection(c *converter, op *graph.Op) error {
	if len(op.Inputs) == 3 && op.Code == schema.BuiltinOperatorSELECT && c.rank(op.Inputs[0]) != c.rank(op.Inputs[1]) {
		return delegate.Refuse(delegate.ReasonShape, "the condition has another rank than the values")
	}
	in, o, err := c.operands(op, 3)
	if err != nil {
		return err
	}
	return c.set(op.Outputs[0], o, c.node("Where", in), graph.ActNone)
}

// unary is an operator of one input.
func unary(name string) writer {
	return func(c *converter, op *graph.Op) error {
		return c.unary(op, func(x string) string { return c.node(name, []string{x}) })
	}
}

// unary writes an operator of one input that works in either order.
func (c *converter) unary(op *graph.Op, f func(x string) string) error {
	in, o, err := c.operands(op, 1)
	if err != nil {
		return err
	}
	return c.set(op.Outputs[0], o, f(in[0]), graph.ActNone)
}

func rsqrt(c *converter, op *graph.Op) error {
	return c.unary(op, func(x string) string {
		one, root := c.float(1), c.node("Sqrt", []string{x})
		if c.w8a16 {
			_, most := range16(&c.g.Tensors[op.Inputs[0]])
			one = c.realOf(&constant{key: "one", typ: graph.Float32, load: func() []byte { return graph.Bytes([]float32{1}) }}, false)
			root = c.again16(root, 0, float32(math.Sqrt(float64(most))))
		}
		return c.node("Div", []string{one, root})
	})
}

func square(c *converter, op *graph.Op) error {
	return c.unary(op, func(x string) string { return c.node("Mul", []string{x, x}) })
}

// gelu is x·Φ(x), or with option Approximate ½x(1 + tanh(√(2/π)(x + 0.044715x³)))
// (Hendrycks and Gimpel, "Gaussian error linear units", 2016).
func gelu(c *converter, op *graph.Op) error {
	form := "none"
	if as[schema.GeluOptionsT](op).Approximate {
		form = "tanh"
	}
	return c.unary(op, func(x string) string { return c.node("Gelu", []string{x}, attribute{"approximate", form}) })
}

func leakyRelu(c *converter, op *graph.Op) error {
	alpha := as[schema.LeakyReluOptionsT](op).Alpha
	return c.unary(op, func(x string) string { return c.node("LeakyRelu", []string{x}, attribute{"alpha", alpha}) })
}

func clip(low, high float32) writer {
	return func(c *converter, op *graph.Op) error {
		return c.unary(op, func(x string) string { return c.node("Clip", []string{x, c.float(low), c.float(high)}) })
	}
}

func cast(c *converter, op *graph.Op) error {
	in, o, err := c.operands(op, 1)
	if err != nil {
		return err
	}
	from, to := c.g.Tensors[op.Inputs[0]].Type, c.g.Tensors[op.Outputs[0]].Type
	if elementTypes[from] == 0 || elementTypes[to] == 0 || c.quantize {
		return delegate.Refuse(delegate.ReasonType, "cast from %v to %v", from, to)
	}
	if from == graph.Float32 && to != graph.Float32 && to != graph.Bool {
		// Qualcomm's compiler drops a cast to integers that is cast back; this
		// keeps what it does to the values.
		whole := c.node("Floor", []string{c.node("Abs", in)})
		in = []string{c.node("Mul", []string{c.node("Sign", in), whole})}
	}
	return c.set(op.Outputs[0], o, c.node("Cast", in, attribute{"to", elementTypes[to]}), graph.ActNone)
}

func requantize(c *converter, op *graph.Op) error {
	if !quantized(&c.g.Tensors[op.Outputs[0]]) {
		return delegate.Refuse(delegate.ReasonQuantization, "the output has no scale")
	}
	return c.unary(op, func(x string) string { return x })
}

func dequantizeOp(c *converter, op *graph.Op) error {
	if t := op.Inputs[0]; c.constant(t) {
		k := c.constantOf(t)
		if k.q == nil && k.typ != graph.Float16 && k.typ != graph.Float32 {
			return delegate.Refuse(delegate.ReasonQuantization, "the input has no scale")
		}
		if !c.w8a16 || k.typ != graph.Int8 {
			k = k.floats()
		}
		c.folded[op.Outputs[0]] = k
		return nil
	}
	if x := &c.g.Tensors[op.Inputs[0]]; x.Type == graph.Float16 {
		return c.unary(op, func(x string) string {
			return c.node("Cast", []string{x}, attribute{"to", elementTypes[graph.Float32]})
		})
	} else if !quantized(x) {
		return delegate.Refuse(delegate.ReasonQuantization, "the input has no scale")
	}
	return c.unary(op, func(x string) string { return x })
}

func softmax(c *converter, op *graph.Op) error {
	beta := as[schema.SoftmaxOptionsT](op).Beta
	x := c.real(op.Inputs[0], asFile)
	if beta != 1 {
		x = c.node("Mul", []string{x, c.float(beta)})
	}
	return c.set(op.Outputs[0], asFile, c.node("Softmax", []string{x}, attribute{"axis", -1}), graph.ActNone)
}

func logSoftmax(c *converter, op *graph.Op) error {
	x := c.real(op.Inputs[0], asFile)
	return c.set(op.Outputs[0], asFile, c.node("LogSoftmax", []string{x}, attribute{"axis", -1}), graph.ActNone)
}

// l2Normalization divides by the length of the vectors along the last dimension,
// of which the square is 1e-6 at least.
func l2Normalization(c *converter, op *graph.Op) error {
	x := c.real(op.Inputs[0], asFile)
	sum := c.node("ReduceSum", []string{c.node("Mul", []string{x, x}), c.ints(-1)}, attribute{"keepdims", 1})
	length := c.node("Sqrt", []string{c.node("Max", []string{sum, c.float(1e-6)})})
	return c.set(op.Outputs[0], asFile, c.node("Div", []string{x, length}), fusedActivation(op))
}

// reduction is an operator over constant axes.
func reduction(name string) writer {
	return func(c *converter, op *graph.Op) error {
		axes, err := c.integersOf(op, 1)
		if err != nil {
			return err
		}
		o := c.channels(op.Inputs[0])
		keep := as[schema.ReducerOptionsT](op).KeepDims
		seen := map[int]bool{}
		var list []int
		for _, a := range axes {
			a, err := c.axis(a, c.rank(op.Inputs[0]))
			if err != nil {
				return err
			}
			if !seen[a] {
				seen[a] = true
				list = append(list, a)
			}
		}
		// Without its rows and columns a picture is [batch, channels] in both orders.
		if o == channelsFirst && !keep && !(len(list) >= 2 && seen[1] && seen[2]) {
			o = asFile
		}
		for i := range list {
			list[i] = axisIn(list[i], o)
		}
		x := c.real(op.Inputs[0], o)
		if len(list) == 0 {
			return c.set(op.Outputs[0], o, c.node("Identity", []string{x}), graph.ActNone)
		}
		flag := 0
		if keep {
			flag = 1
		}
		y := c.node(name, []string{x, c.ints(list...)}, attribute{"keepdims", flag})
		if c.rank(op.Outputs[0]) != 4 {
			o = asFile
		}
		return c.set(op.Outputs[0], o, y, graph.ActNone)
	}
}

// extreme is where the largest or smallest element along an axis lies; the first
// of several.
func extreme(name string) writer {
	return func(c *converter, op *graph.Op) error {
		axes, err := c.integersOf(op, 1)
		if err != nil {
			return err
		}
		if len(axes) != 1 {
			return delegate.Refuse(delegate.ReasonOption, "%d axes; takes 1", len(axes))
		}
		axis, err := c.axis(axes[0], c.rank(op.Inputs[0]))
		if err != nil {
			return err
		}
		y := c.node(name, []string{c.real(op.Inputs[0], asFile)}, attribute{"axis", axis}, attribute{"keepdims", 0})
		if c.g.Tensors[op.Outputs[0]].Type == graph.Int32 {
			y = c.node("Cast", []string{y}, attribute{"to", elementTypes[graph.Int32]})
		}
		return c.set(op.Outputs[0], asFile, y, graph.ActNone)
	}
}

// shapeOf is a constant: shapes are known when a segment is written.
func shapeOf(c *converter, op *graph.Op) error {
	shape := c.shape(op.Inputs[0])
	typ := c.g.Tensors[op.Outputs[0]].Type
	values := make([]int64, len(shape))
	for i, d := range shape {
		if d > math.MaxInt32 {
			return delegate.Refuse(delegate.ReasonShape, "a dimension of %d", d)
		}
		values[i] = int64(d)
	}
	key := fmt.Sprint("shape", shape)
	c.folded[op.Outputs[0]] = &constant{key: key, typ: typ, shape: []int{len(shape)}, load: func() []byte { return narrow(values, typ) }}
	return nil
}
