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
	return delegate.Refuse(delegate.ReasonDynamic, "a shape that is only known at run time, which %s is not written with", op.Name())
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
