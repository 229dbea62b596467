package graph

import "slices"

// anyRank lets operand take every number of dimensions.
const anyRank = -1

// operand returns a copy of input number i of an operator, after checking that
// it is a tensor and has the rank.
func (b *Builder) operand(code OpCode, x T, i, rank int) (Tensor, bool) {
	if b.err != nil {
		return Tensor{}, false
	}
	t := b.tensor(x)
	if t == nil {
		b.fail("%v: input %d is not a tensor of this model", code, i)
		return Tensor{}, false
	}
	if rank != anyRank && len(t.Shape) != rank {
		b.fail("%v: input %d, %s, has shape %v, must have %d dimensions", code, i, quoted(t.Name), t.Shape, rank)
		return Tensor{}, false
	}
	return *t, true
}

// axis makes axis count from the front.
func (b *Builder) axis(code OpCode, axis, rank int) (int, bool) {
	positive := axis
	if axis < 0 {
		positive += rank
	}
	if positive < 0 || positive >= rank {
		b.fail("%v: axis %d of a tensor with %d dimensions", code, axis, rank)
		return 0, false
	}
	return positive, true
}

// axes is axis for each, which must differ.
func (b *Builder) axes(code OpCode, axes []int, rank int) ([]int, bool) {
	out := make([]int, len(axes))
	for i, a := range axes {
		p, ok := b.axis(code, a, rank)
		if !ok {
			return nil, false
		}
		if slices.Contains(out[:i], p) {
			b.fail("%v: axis %d twice", code, a)
			return nil, false
		}
		out[i] = p
	}
	return out, true
}

// int32Const adds a constant [len(values)] of INT32.
func (b *Builder) int32Const(name string, values []int) T {
	return b.int32ConstShaped(name, values, len(values))
}

func (b *Builder) int32ConstShaped(name string, values []int, shape ...int) T {
	data := to32(values)
	return b.Const(name, Array{Type: Int32, Shape: shape, Data: Bytes(data)})
}
