package onnx

import (
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// resizedInput says whether an operator's results have other shapes than the
// file's, or may have: an input has a dimension of any size.
func (c *converter) resizedInput(op *graph.Op) bool {
	for _, t := range op.Inputs {
		if t == graph.NoTensor {
			continue
		}
		x := &c.g.Tensors[t]
		if !slices.Equal(c.shapes[t], x.Shape) || slices.Contains(x.ShapeSignature, -1) {
			return true
		}
	}
	for _, t := range op.Outputs {
		if t != graph.NoTensor && slices.Contains(c.g.Tensors[t].ShapeSignature, -1) {
			return true
		}
	}
	return false
}

// infer finds the shapes of an operator's results from those of its inputs, for
// operators where that is plain.
func (c *converter) infer(op *graph.Op) error {
	in := func(i int) []int { return c.shapes[op.Inputs[i]] }
	switch op.Code {
	case schema.BuiltinOperatorFULLY_CONNECTED:
		n, err := graph.Elements(in(0))
		units, depth := in(1)[0], in(1)[1]
		if err != nil || depth == 0 || n%depth != 0 {
			return delegate.Refuse(delegate.ReasonShape, "input %v for weights %v", in(0), in(1))
		}
		shape := []int{n / depth, units}
		if as[schema.FullyConnectedOptionsT](op).KeepNumDims {
			shape = append(slices.Clone(in(0)[:len(in(0))-1]), units)
		}
		c.shapes[op.Outputs[0]] = shape
		return nil
	case schema.BuiltinOperatorADD, schema.BuiltinOperatorSUB, schema.BuiltinOperatorMUL, schema.BuiltinOperatorDIV,
		schema.BuiltinOperatorMAXIMUM, schema.BuiltinOperatorMINIMUM, schema.BuiltinOperatorPOW, schema.BuiltinOperatorSQUARED_DIFFERENCE:
		shape, ok := broadcastShape(in(0), in(1))
		if !ok {
			return delegate.Refuse(delegate.ReasonShape, "%v and %v do not go together", in(0), in(1))
		}
		c.shapes[op.Outputs[0]] = shape
		return nil
	}
	if slices.Contains(sameShape, op.Code) {
		c.shapes[op.Outputs[0]] = slices.Clone(in(0))
		return nil
	}
	if find := inferred[op.Code]; find != nil {
		shape, err := find(c, op)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(shape, func(d int) bool { return d < 1 }) {
			return delegate.Refuse(delegate.ReasonShape, "input %v gives %v", in(0), shape)
		}
		c.shapes[op.Outputs[0]] = shape
		return nil
	}
	return delegate.Refuse(delegate.ReasonDynamic, "a shape that is only known at run time, which %s is not written with", op.Name())
}

// inferred find the shape of an operator's one result.
var inferred map[graph.OpCode]func(c *converter, op *graph.Op) ([]int, error)

func init() {
	inferred = map[graph.OpCode]func(c *converter, op *graph.Op) ([]int, error){
		schema.BuiltinOperatorCONV_2D: func(c *converter, op *graph.Op) ([]int, error) {
			o := as[schema.Conv2DOptionsT](op)
			w := c.shapes[op.Inputs[1]]
			if len(w) != 4 {
				return nil, delegate.Refuse(delegate.ReasonRank, "weights %v", w)
			}
			return slid(c.shapes[op.Inputs[0]], window{[2]int{w[1], w[2]}, [2]int{int(o.StrideH), int(o.StrideW)}, [2]int{int(o.DilationHFactor), int(o.DilationWFactor)}, o.Padding == graph.Same}, w[0])
		},
		schema.BuiltinOperatorDEPTHWISE_CONV_2D: func(c *converter, op *graph.Op) ([]int, error) {
			o := as[schema.DepthwiseConv2DOptionsT](op)
			w := c.shapes[op.Inputs[1]]
			if len(w) != 4 {
				return nil, delegate.Refuse(delegate.ReasonRank, "weights %v", w)
			}
			return slid(c.shapes[op.Inputs[0]], window{[2]int{w[1], w[2]}, [2]int{int(o.StrideH), int(o.StrideW)}, [2]int{int(o.DilationHFactor), int(o.DilationWFactor)}, o.Padding == graph.Same}, w[3])
		},
		schema.BuiltinOperatorAVERAGE_POOL_2D: pooled,
		schema.BuiltinOperatorMAX_POOL_2D:     pooled,
		schema.BuiltinOperatorRESHAPE:         reshapedTo,
		schema.BuiltinOperatorMEAN:            reduced,
		schema.BuiltinOperatorSUM:             reduced,
		schema.BuiltinOperatorREDUCE_MAX:      reduced,
		schema.BuiltinOperatorREDUCE_MIN:      reduced,
		schema.BuiltinOperatorPAD: func(c *converter, op *graph.Op) ([]int, error) {
			before, after, err := c.paddings(op)
			shape := slices.Clone(c.shapes[op.Inputs[0]])
			for i := range before {
				shape[i] += before[i] + after[i]
			}
			return shape, err
		},
		schema.BuiltinOperatorTRANSPOSE: func(c *converter, op *graph.Op) ([]int, error) {
			perm, err := c.integersOf(op, 1)
			in := c.shapes[op.Inputs[0]]
			shape := make([]int, len(perm))
			for i, p := range perm {
				if p < 0 || p >= len(in) {
					return nil, delegate.Refuse(delegate.ReasonOption, "permutation %v of %v", perm, in)
				}
				shape[i] = in[p]
			}
			return shape, err
		},
		schema.BuiltinOperatorCONCATENATION: func(c *converter, op *graph.Op) ([]int, error) {
			shape := slices.Clone(c.shapes[op.Inputs[0]])
			axis, err := c.axis(int(as[schema.ConcatenationOptionsT](op).Axis), len(shape))
			if err != nil {
				return nil, err
			}
			for _, t := range op.Inputs[1:] {
				if len(c.shapes[t]) != len(shape) {
					return nil, delegate.Refuse(delegate.ReasonShape, "%v and %v do not go together", shape, c.shapes[t])
				}
				shape[axis] += c.shapes[t][axis]
			}
			return shape, nil
		},
		schema.BuiltinOperatorBATCH_MATMUL: func(c *converter, op *graph.Op) ([]int, error) {
			o := as[schema.BatchMatMulOptionsT](op)
			x, y := slices.Clone(c.shapes[op.Inputs[0]]), slices.Clone(c.shapes[op.Inputs[1]])
			if len(x) < 2 || len(y) < 2 {
				return nil, delegate.Refuse(delegate.ReasonRank, "%v and %v", x, y)
			}
			rows, columns := x[len(x)-2], y[len(y)-1]
			if o.AdjX {
				rows = x[len(x)-1]
			}
			if o.AdjY {
				columns = y[len(y)-2]
			}
			batch, ok := broadcastShape(x[:len(x)-2], y[:len(y)-2])
			if !ok {
				return nil, delegate.Refuse(delegate.ReasonShape, "%v and %v do not go together", x, y)
			}
			return append(batch, rows, columns), nil
		},
	}
}

// slid is the shape that a window over a picture gives.
func slid(in []int, w window, channels int) ([]int, error) {
	if len(in) != 4 || w.stride[0] < 1 || w.stride[1] < 1 {
		return nil, delegate.Refuse(delegate.ReasonRank, "%d dimensions; takes 4", len(in))
	}
	shape := []int{in[0], 0, 0, channels}
	for i := range 2 {
		size := in[1+i]
		if !w.same {
			size -= (w.size[i] - 1) * w.dilation[i]
		}
		shape[1+i] = (size + w.stride[i] - 1) / w.stride[i]
	}
	return shape, nil
}

func pooled(c *converter, op *graph.Op) ([]int, error) {
	o := as[schema.Pool2DOptionsT](op)
	in := c.shapes[op.Inputs[0]]
	if len(in) != 4 {
		return nil, delegate.Refuse(delegate.ReasonRank, "%d dimensions; takes 4", len(in))
	}
	return slid(in, window{[2]int{int(o.FilterHeight), int(o.FilterWidth)}, [2]int{int(o.StrideH), int(o.StrideW)}, [2]int{1, 1}, o.Padding == graph.Same}, in[3])
}

// reshapedTo is the shape that RESHAPE names, in which one −1 stands for the rest.
func reshapedTo(c *converter, op *graph.Op) ([]int, error) {
	var shape []int
	if len(op.Inputs) > 1 && op.Inputs[1] != graph.NoTensor {
		list, err := c.integersOf(op, 1)
		if err != nil {
			return nil, delegate.Refuse(delegate.ReasonDynamic, "a shape that is computed")
		}
		shape = slices.Clone(list)
	} else {
		for _, d := range as[schema.ReshapeOptionsT](op).NewShape {
			shape = append(shape, int(d))
		}
	}
	n, err := graph.Elements(c.shapes[op.Inputs[0]])
	rest, known := -1, 1
	for i, d := range shape {
		if d == -1 {
			rest = i
			continue
		}
		known *= d
	}
	if rest >= 0 && known > 0 {
		shape[rest] = n / known
		known *= shape[rest]
	}
	if err != nil || known != n {
		return nil, delegate.Refuse(delegate.ReasonDynamic, "%v cannot have the shape %v", c.shapes[op.Inputs[0]], shape)
	}
	return shape, nil
}

func reduced(c *converter, op *graph.Op) ([]int, error) {
	axes, err := c.integersOf(op, 1)
	if err != nil {
		return nil, err
	}
	in := c.shapes[op.Inputs[0]]
	shape := slices.Clone(in)
	for _, a := range axes {
		if a, err = c.axis(a, len(in)); err != nil {
			return nil, err
		}
		shape[a] = 1
	}
	if as[schema.ReducerOptionsT](op).KeepDims {
		return shape, nil
	}
	var left []int
	for i := range in {
		if !slices.ContainsFunc(axes, func(a int) bool { return a == i || a+len(in) == i }) {
			left = append(left, in[i])
		}
	}
	return left, nil
}

// sameShape are operators whose result has the shape of their first input.
var sameShape = []graph.OpCode{
	schema.BuiltinOperatorABS, schema.BuiltinOperatorNEG, schema.BuiltinOperatorFLOOR, schema.BuiltinOperatorCEIL, schema.BuiltinOperatorROUND,
	schema.BuiltinOperatorSIGN, schema.BuiltinOperatorSQRT, schema.BuiltinOperatorRSQRT, schema.BuiltinOperatorEXP, schema.BuiltinOperatorLOG,
	schema.BuiltinOperatorSIN, schema.BuiltinOperatorCOS, schema.BuiltinOperatorTANH, schema.BuiltinOperatorLOGISTIC, schema.BuiltinOperatorRELU,
	schema.BuiltinOperatorRELU6, schema.BuiltinOperatorELU, schema.BuiltinOperatorHARD_SWISH, schema.BuiltinOperatorSQUARE, schema.BuiltinOperatorGELU,
	schema.BuiltinOperatorLEAKY_RELU, schema.BuiltinOperatorSOFTMAX, schema.BuiltinOperatorLOG_SOFTMAX, schema.BuiltinOperatorQUANTIZE,
	schema.BuiltinOperatorDEQUANTIZE, schema.BuiltinOperatorCAST,
}

// broadcastShape is the shape of an elementwise result.
func broadcastShape(x, y []int) ([]int, bool) {
	if len(x) < len(y) {
		x, y = y, x
	}
	out := slices.Clone(x)
	for i, d := range y {
		at := len(x) - len(y) + i
		switch {
		case out[at] == 1:
			out[at] = d
		case d != 1 && d != out[at]:
			return nil, false
		}
	}
	return out, true
}
