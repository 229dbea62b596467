package graph

import (
	"slices"

	"nanoflux/graph/schema"
)

// Element by element operators. Two operands of different shapes are
// broadcast as in numpy: shapes are aligned at their last dimension, and a
// dimension of 1 is repeated.

// Add is x + y.
func (b *Builder) Add(x, y T) T { return b.AddAct(x, y, ActNone) }

// AddAct is act(x + y).
func (b *Builder) AddAct(x, y T, act Activation) T {
	return b.binary(schema.BuiltinOperatorADD, &schema.AddOptionsT{FusedActivationFunction: act}, x, y)
}

// Sub is x − y.
func (b *Builder) Sub(x, y T) T {
	return b.binary(schema.BuiltinOperatorSUB, &schema.SubOptionsT{}, x, y)
}

// Mul is x · y, element by element.
func (b *Builder) Mul(x, y T) T { return b.MulAct(x, y, ActNone) }

// MulAct is act(x · y).
func (b *Builder) MulAct(x, y T, act Activation) T {
	return b.binary(schema.BuiltinOperatorMUL, &schema.MulOptionsT{FusedActivationFunction: act}, x, y)
}

// Div is x / y.
func (b *Builder) Div(x, y T) T {
	return b.binary(schema.BuiltinOperatorDIV, &schema.DivOptionsT{}, x, y)
}

// SquaredDifference is (x − y)².
func (b *Builder) SquaredDifference(x, y T) T {
	return b.binary(schema.BuiltinOperatorSQUARED_DIFFERENCE, &schema.SquaredDifferenceOptionsT{}, x, y)
}

// Pow is x to the power of y.
func (b *Builder) Pow(x, y T) T {
	return b.binary(schema.BuiltinOperatorPOW, &schema.PowOptionsT{}, x, y)
}

// Maximum is the larger of x and y.
func (b *Builder) Maximum(x, y T) T {
	return b.binary(schema.BuiltinOperatorMAXIMUM, &schema.MaximumMinimumOptionsT{}, x, y)
}

// Minimum is the smaller of x and y.
func (b *Builder) Minimum(x, y T) T {
	return b.binary(schema.BuiltinOperatorMINIMUM, &schema.MaximumMinimumOptionsT{}, x, y)
}

// Compare adds one of EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER and
// GREATER_EQUAL; the output is BOOL.
func (b *Builder) Compare(code OpCode, x, y T) T {
	var options any
	switch code {
	case schema.BuiltinOperatorEQUAL:
		options = &schema.EqualOptionsT{}
	case schema.BuiltinOperatorNOT_EQUAL:
		options = &schema.NotEqualOptionsT{}
	case schema.BuiltinOperatorLESS:
		options = &schema.LessOptionsT{}
	case schema.BuiltinOperatorLESS_EQUAL:
		options = &schema.LessEqualOptionsT{}
	case schema.BuiltinOperatorGREATER:
		options = &schema.GreaterOptionsT{}
	case schema.BuiltinOperatorGREATER_EQUAL:
		options = &schema.GreaterEqualOptionsT{}
	default:
		b.fail("%v is not a comparison", code)
		return failed
	}
	shape, ok := b.broadcast(code, x, y)
	if !ok {
		return failed
	}
	return b.one(code, options, []T{x, y}, Bool, shape)
}

// SelectV2 is x where condition (BOOL) holds and y elsewhere, all broadcast.
func (b *Builder) SelectV2(condition, x, y T) T {
	code := schema.BuiltinOperatorSELECT_V2
	shape, ok := b.broadcast(code, x, y)
	if !ok || !b.valid(code.String(), condition) {
		return failed
	}
	c := b.tensor(condition)
	if c.Type != Bool {
		b.fail("SELECT_V2: the condition is %v, must be BOOL", c.Type)
		return failed
	}
	out, ok := broadcastShapes(c.Shape, shape)
	if !ok {
		b.fail("SELECT_V2: shapes %v and %v do not go together", c.Shape, shape)
		return failed
	}
	return b.one(code, &schema.SelectV2OptionsT{}, []T{condition, x, y}, b.Type(x), out)
}

// Square is x².
func (b *Builder) Square(x T) T {
	return b.unary(schema.BuiltinOperatorSQUARE, &schema.SquareOptionsT{}, x)
}

// Sqrt is the square root of x.
func (b *Builder) Sqrt(x T) T { return b.unary(schema.BuiltinOperatorSQRT, nil, x) }

// Rsqrt is 1 / √x.
func (b *Builder) Rsqrt(x T) T { return b.unary(schema.BuiltinOperatorRSQRT, nil, x) }

// Exp is eˣ.
func (b *Builder) Exp(x T) T {
	return b.unary(schema.BuiltinOperatorEXP, &schema.ExpOptionsT{}, x)
}

// Log is the natural logarithm of x.
func (b *Builder) Log(x T) T { return b.unary(schema.BuiltinOperatorLOG, nil, x) }

// Neg is −x.
func (b *Builder) Neg(x T) T {
	return b.unary(schema.BuiltinOperatorNEG, &schema.NegOptionsT{}, x)
}

// Abs is |x|.
func (b *Builder) Abs(x T) T {
	return b.unary(schema.BuiltinOperatorABS, &schema.AbsOptionsT{}, x)
}

// Floor is the largest integer not above x.
func (b *Builder) Floor(x T) T { return b.unary(schema.BuiltinOperatorFLOOR, nil, x) }

// Ceil is the smallest integer not below x.
func (b *Builder) Ceil(x T) T { return b.unary(schema.BuiltinOperatorCEIL, nil, x) }

// Round is the integer next to x; halves go to the even one.
func (b *Builder) Round(x T) T { return b.unary(schema.BuiltinOperatorROUND, nil, x) }

// Sin is the sine of x in radians.
func (b *Builder) Sin(x T) T { return b.unary(schema.BuiltinOperatorSIN, nil, x) }

// Cos is the cosine of x in radians.
func (b *Builder) Cos(x T) T {
	return b.unary(schema.BuiltinOperatorCOS, &schema.CosOptionsT{}, x)
}

// Sign is −1, 0 or 1.
func (b *Builder) Sign(x T) T {
	return b.unary(schema.BuiltinOperatorSIGN, &schema.SignOptionsT{}, x)
}

// LogicalNot negates BOOL x.
func (b *Builder) LogicalNot(x T) T {
	return b.unary(schema.BuiltinOperatorLOGICAL_NOT, &schema.LogicalNotOptionsT{}, x)
}

// Cast converts the elements of x to type t; floats are cut off towards zero.
func (b *Builder) Cast(x T, t TensorType) T {
	in, ok := b.operand(schema.BuiltinOperatorCAST, x, 0, anyRank)
	if !ok {
		return failed
	}
	options := &schema.CastOptionsT{InDataType: in.Type, OutDataType: t}
	return b.one(schema.BuiltinOperatorCAST, options, []T{x}, t, in.Shape)
}

// Dequantize turns integers with a quantization, or FLOAT16, into FLOAT32.
func (b *Builder) Dequantize(x T) T {
	code := schema.BuiltinOperatorDEQUANTIZE
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return failed
	}
	if in.Type != Float16 && in.Quantization == nil {
		b.fail("DEQUANTIZE: tensor %s (%v) has no quantization", quoted(in.Name), in.Type)
		return failed
	}
	return b.one(code, &schema.DequantizeOptionsT{}, []T{x}, Float32, in.Shape)
}

// Quantize rounds FLOAT32, or requantizes integers, to type t with
// quantization q.
func (b *Builder) Quantize(x T, t TensorType, q *Quantization) T {
	code := schema.BuiltinOperatorQUANTIZE
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return failed
	}
	if q == nil || len(q.Scale) == 0 {
		b.fail("QUANTIZE: no scale for the output")
		return failed
	}
	return b.Op(code, 0, &schema.QuantizeOptionsT{}, []T{x}, Tensor{Type: t, Shape: in.Shape, Quantization: q})[0]
}

// Mean is the mean over axes (negative ones count from the end).
func (b *Builder) Mean(x T, axes []int, keepDims bool) T {
	return b.Reduce(schema.BuiltinOperatorMEAN, x, axes, keepDims)
}

// Sum is the sum over axes.
func (b *Builder) Sum(x T, axes []int, keepDims bool) T {
	return b.Reduce(schema.BuiltinOperatorSUM, x, axes, keepDims)
}

// Reduce adds one of MEAN, SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD,
// REDUCE_ANY and REDUCE_ALL over axes. keepDims leaves dimensions of size 1.
func (b *Builder) Reduce(code OpCode, x T, axes []int, keepDims bool) T {
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return failed
	}
	positive, ok := b.axes(code, axes, len(in.Shape))
	if !ok {
		return failed
	}
	var shape []int
	for d, size := range in.Shape {
		switch {
		case !slices.Contains(positive, d):
			shape = append(shape, size)
		case keepDims:
			shape = append(shape, 1)
		}
	}
	t := in.Type
	ids := b.int32Const("axes", positive)
	return b.one(code, &schema.ReducerOptionsT{KeepDims: keepDims}, []T{x, ids}, t, shape)
}

// ArgMax is the index (INT32) of the largest element along axis.
func (b *Builder) ArgMax(x T, axis int) T {
	code := schema.BuiltinOperatorARG_MAX
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return failed
	}
	axis, ok = b.axis(code, axis, len(in.Shape))
	if !ok {
		return failed
	}
	shape := slices.Delete(slices.Clone(in.Shape), axis, axis+1)
	id := b.Const("axis", Array{Type: Int32, Data: Bytes([]int32{int32(axis)})})
	return b.one(code, &schema.ArgMaxOptionsT{OutputType: Int32}, []T{x, id}, Int32, shape)
}

// Cumsum is the running sum along axis.
func (b *Builder) Cumsum(x T, axis int, exclusive, reverse bool) T {
	code := schema.BuiltinOperatorCUMSUM
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return failed
	}
	axis, ok = b.axis(code, axis, len(in.Shape))
	if !ok {
		return failed
	}
	t, shape := in.Type, in.Shape
	id := b.Const("axis", Array{Type: Int32, Data: Bytes([]int32{int32(axis)})})
	return b.one(code, &schema.CumsumOptionsT{Exclusive: exclusive, Reverse: reverse}, []T{x, id}, t, shape)
}

// unary adds an operator whose output is like its input.
func (b *Builder) unary(code OpCode, options any, x T) T {
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return failed
	}
	return b.one(code, options, []T{x}, in.Type, in.Shape)
}

// binary adds an operator of two broadcast operands of one type.
func (b *Builder) binary(code OpCode, options any, x, y T) T {
	shape, ok := b.broadcast(code, x, y)
	if !ok {
		return failed
	}
	return b.one(code, options, []T{x, y}, b.Type(x), shape)
}

// broadcast checks that x and y have one type and shapes that go together, and
// returns the common shape.
func (b *Builder) broadcast(code OpCode, x, y T) ([]int, bool) {
	p, okP := b.operand(code, x, 0, anyRank)
	q, okQ := b.operand(code, y, 1, anyRank)
	if !okP || !okQ {
		return nil, false
	}
	if p.Type != q.Type {
		b.fail("%v: operands are %v and %v", code, p.Type, q.Type)
		return nil, false
	}
	shape, ok := broadcastShapes(p.Shape, q.Shape)
	if !ok {
		b.fail("%v: shapes %v (%s) and %v (%s) do not go together", code, p.Shape, quoted(p.Name), q.Shape, quoted(q.Name))
	}
	return shape, ok
}

// broadcastShapes is the common shape of two shapes by numpy's rule.
func broadcastShapes(x, y []int) ([]int, bool) {
	if len(x) < len(y) {
		x, y = y, x
	}
	out := slices.Clone(x)
	skip := len(x) - len(y)
	for i, d := range y {
		switch {
		case x[skip+i] == d || d == 1:
		case x[skip+i] == 1:
			out[skip+i] = d
		default:
			return nil, false
		}
	}
	return out, true
}
