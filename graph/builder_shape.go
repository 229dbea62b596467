package graph

import (
	"slices"

	"nanoflux/graph/schema"
)

// Operators that move elements and compute nothing.

// Reshape gives x another shape with as many elements; one dimension may be -1
// and is worked out.
func (b *Builder) Reshape(x T, shape ...int) T {
	code := schema.BuiltinOperatorRESHAPE
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return failed
	}
	full, ok := fillShape(in.Shape, shape)
	if !ok {
		b.fail("%v: %s %v cannot become %v", code, quoted(in.Name), in.Shape, shape)
		return failed
	}
	inputs := []T{x}
	if len(full) > 0 { // a scalar's shape has no data; the options have it
		inputs = append(inputs, b.int32Const("shape", full))
	}
	return b.one(code, &schema.ReshapeOptionsT{NewShape: to32(full)}, inputs, in.Type, full)
}

// fillShape works out the -1 of want, for as many elements as have.
func fillShape(have, want []int) ([]int, bool) {
	total, err := Elements(have)
	if err != nil {
		return nil, false
	}
	full := slices.Clone(want)
	if i := slices.Index(full, -1); i >= 0 {
		full[i] = 1
		rest, err := Elements(full)
		if err != nil || rest == 0 || total%rest != 0 {
			return nil, false
		}
		full[i] = total / rest
	}
	n, err := Elements(full)
	return full, err == nil && n == total
}

// ExpandDims puts a dimension of size 1 before dimension axis.
func (b *Builder) ExpandDims(x T, axis int) T {
	code := schema.BuiltinOperatorEXPAND_DIMS
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return failed
	}
	axis, ok = b.axis(code, axis, len(in.Shape)+1)
	if !ok {
		return failed
	}
	id := b.Const("axis", Array{Type: Int32, Data: Bytes([]int32{int32(axis)})})
	return b.one(code, &schema.ExpandDimsOptionsT{}, []T{x, id}, in.Type, slices.Insert(slices.Clone(in.Shape), axis, 1))
}

// Squeeze takes dimensions of size 1 away: those at axes, or all when there
// are none given.
func (b *Builder) Squeeze(x T, axes ...int) T {
	code := schema.BuiltinOperatorSQUEEZE
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
		gone := slices.Contains(positive, d)
		if gone && size != 1 {
			b.fail("%v: dimension %d of %v is not 1", code, d, in.Shape)
			return failed
		}
		if gone || len(axes) == 0 && size == 1 {
			continue
		}
		shape = append(shape, size)
	}
	return b.one(code, &schema.SqueezeOptionsT{SqueezeDims: to32(positive)}, []T{x}, in.Type, shape)
}

// Transpose reorders dimensions: dimension i of the output is dimension
// perm[i] of x.
func (b *Builder) Transpose(x T, perm ...int) T {
	code := schema.BuiltinOperatorTRANSPOSE
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return failed
	}
	positive, ok := b.axes(code, perm, len(in.Shape))
	if !ok {
		return failed
	}
	if len(perm) != len(in.Shape) || len(perm) == 0 {
		b.fail("%v: permutation %v of %d dimensions", code, perm, len(in.Shape))
		return failed
	}
	shape := make([]int, len(perm))
	for i, p := range positive {
		shape[i] = in.Shape[p]
	}
	return b.one(code, &schema.TransposeOptionsT{}, []T{x, b.int32Const("perm", positive)}, in.Type, shape)
}

// Concat joins xs along axis.
func (b *Builder) Concat(axis int, xs ...T) T {
	code := schema.BuiltinOperatorCONCATENATION
	if len(xs) == 0 {
		b.fail("%v: no operands", code)
		return failed
	}
	first, ok := b.operand(code, xs[0], 0, anyRank)
	if !ok {
		return failed
	}
	axis, ok = b.axis(code, axis, len(first.Shape))
	if !ok {
		return failed
	}
	shape := slices.Clone(first.Shape)
	for i, x := range xs[1:] {
		t, ok := b.operand(code, x, i+1, len(shape))
		if !ok {
			return failed
		}
		shape[axis] += t.Shape[axis]
		for d := range shape {
			if d != axis && shape[d] != t.Shape[d] || t.Type != first.Type {
				b.fail("%v: input %d, %s (%v %v), does not go with %s (%v %v) along axis %d",
					code, i+1, quoted(t.Name), t.Type, t.Shape, quoted(first.Name), first.Type, first.Shape, axis)
				return failed
			}
		}
	}
	return b.one(code, &schema.ConcatenationOptionsT{Axis: int32(axis)}, xs, first.Type, shape)
}

// Pack stacks xs, all of one shape, along a new dimension axis.
func (b *Builder) Pack(axis int, xs ...T) T {
	code := schema.BuiltinOperatorPACK
	if len(xs) == 0 {
		b.fail("%v: no operands", code)
		return failed
	}
	first, ok := b.operand(code, xs[0], 0, anyRank)
	if !ok {
		return failed
	}
	axis, ok = b.axis(code, axis, len(first.Shape)+1)
	if !ok {
		return failed
	}
	for i, x := range xs {
		t, ok := b.operand(code, x, i, anyRank)
		if !ok {
			return failed
		}
		if !equalShapes(t.Shape, first.Shape) || t.Type != first.Type {
			b.fail("%v: input %d is %v %v, input 0 %v %v", code, i, t.Type, t.Shape, first.Type, first.Shape)
			return failed
		}
	}
	options := &schema.PackOptionsT{ValuesCount: int32(len(xs)), Axis: int32(axis)}
	return b.one(code, options, xs, first.Type, slices.Insert(slices.Clone(first.Shape), axis, len(xs)))
}

// Unpack takes x apart along axis, which goes away.
func (b *Builder) Unpack(x T, axis int) []T {
	code := schema.BuiltinOperatorUNPACK
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return nil
	}
	axis, ok = b.axis(code, axis, len(in.Shape))
	if !ok {
		return nil
	}
	n := in.Shape[axis]
	shape := slices.Delete(slices.Clone(in.Shape), axis, axis+1)
	options := &schema.UnpackOptionsT{Num: int32(n), Axis: int32(axis)}
	return b.many(code, options, []T{x}, in.Type, slices.Repeat([][]int{shape}, n)...)
}

// Split cuts x into n equal parts along axis. After an error it still has n
// elements.
func (b *Builder) Split(x T, axis, n int) []T {
	code := schema.BuiltinOperatorSPLIT
	bad := slices.Repeat([]T{failed}, max(n, 0))
	in, ok := b.operand(code, x, 1, anyRank)
	if !ok {
		return bad
	}
	axis, ok = b.axis(code, axis, len(in.Shape))
	if !ok {
		return bad
	}
	if n < 1 || in.Shape[axis]%n != 0 {
		b.fail("%v: dimension %d of %v cannot be cut into %d", code, axis, in.Shape, n)
		return bad
	}
	shape := slices.Clone(in.Shape)
	shape[axis] /= n
	id := b.Const("axis", Array{Type: Int32, Data: Bytes([]int32{int32(axis)})})
	return b.many(code, &schema.SplitOptionsT{NumSplits: int32(n)}, []T{id, x}, in.Type, slices.Repeat([][]int{shape}, n)...)
}

// SplitV cuts x into parts of the given sizes along axis. After an error it
// still has an element for each size.
func (b *Builder) SplitV(x T, axis int, sizes ...int) []T {
	code := schema.BuiltinOperatorSPLIT_V
	bad := slices.Repeat([]T{failed}, len(sizes))
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return bad
	}
	axis, ok = b.axis(code, axis, len(in.Shape))
	if !ok {
		return bad
	}
	shapes := make([][]int, len(sizes))
	left := in.Shape[axis]
	for i, size := range sizes {
		left -= size
		shapes[i] = slices.Clone(in.Shape)
		shapes[i][axis] = size
	}
	if left != 0 || len(sizes) == 0 {
		b.fail("%v: dimension %d of %v cannot be cut into %v", code, axis, in.Shape, sizes)
		return bad
	}
	parts := b.int32Const("sizes", sizes)
	id := b.Const("axis", Array{Type: Int32, Data: Bytes([]int32{int32(axis)})})
	return b.many(code, &schema.SplitVOptionsT{NumSplits: int32(len(sizes))}, []T{x, parts, id}, in.Type, shapes...)
}

// Slice cuts size elements from begin on out of each dimension; a size of -1
// takes the rest.
func (b *Builder) Slice(x T, begin, size []int) T {
	code := schema.BuiltinOperatorSLICE
	in, ok := b.operand(code, x, 0, len(begin))
	if !ok {
		return failed
	}
	if len(size) != len(begin) || len(begin) == 0 {
		b.fail("%v: begin %v and size %v of %v", code, begin, size, in.Shape)
		return failed
	}
	shape := slices.Clone(size)
	for d := range shape {
		if shape[d] == -1 {
			shape[d] = in.Shape[d] - begin[d]
		}
		if begin[d] < 0 || shape[d] < 0 || begin[d] > in.Shape[d] || shape[d] > in.Shape[d]-begin[d] {
			b.fail("%v: begin %v and size %v lie outside of %s %v", code, begin, size, quoted(in.Name), in.Shape)
			return failed
		}
	}
	return b.one(code, &schema.SliceOptionsT{}, []T{x, b.int32Const("begin", begin), b.int32Const("size", shape)}, in.Type, shape)
}

// StridedSlice takes elements begin, begin+stride, … before end of each
// dimension, as Python does: negative positions count from the end, and
// strides may be negative. Bit d of o.BeginMask or o.EndMask stands for "from
// the first" or "to the last"; bit d of o.ShrinkAxisMask takes only element
// begin[d] and removes the dimension. The ellipsis and new-axis masks are not
// worked out here: use Op for them.
func (b *Builder) StridedSlice(x T, begin, end, strides []int, o schema.StridedSliceOptionsT) T {
	code := schema.BuiltinOperatorSTRIDED_SLICE
	in, ok := b.operand(code, x, 0, len(begin))
	if !ok {
		return failed
	}
	if len(end) != len(begin) || len(strides) != len(begin) || len(begin) == 0 || o.EllipsisMask != 0 || o.NewAxisMask != 0 || o.Offset || slices.Contains(strides, 0) {
		b.fail("%v: begin %v, end %v, strides %v, or the masks, do not go together", code, begin, end, strides)
		return failed
	}
	var shape []int
	for d, size := range in.Shape {
		bit := int32(1) << d
		if o.ShrinkAxisMask&bit != 0 {
			if at := begin[d]; at < -size || at >= size {
				b.fail("%v: element %d of dimension %d of %v", code, at, d, in.Shape)
				return failed
			}
			continue
		}
		from, to := clampRange(begin[d], end[d], strides[d], size, o.BeginMask&bit != 0, o.EndMask&bit != 0)
		shape = append(shape, strideCount(from, to, strides[d]))
	}
	inputs := []T{x, b.int32Const("begin", begin), b.int32Const("end", end), b.int32Const("strides", strides)}
	return b.one(code, &o, inputs, in.Type, shape)
}

// clampRange resolves Python's negative and open positions.
func clampRange(begin, end, stride, size int, openBegin, openEnd bool) (from, to int) {
	low, high := 0, size
	if stride < 0 {
		low, high = -1, size-1
	}
	at := func(p int) int {
		if p < 0 {
			p += size
		}
		return min(max(p, low), high)
	}
	from, to = at(begin), at(end)
	if openBegin {
		from = low
		if stride < 0 {
			from = high
		}
	}
	if openEnd {
		to = high
		if stride < 0 {
			to = low
		}
	}
	return from, to
}

func strideCount(from, to, stride int) int {
	if stride < 0 {
		from, to, stride = to, from, -stride
	}
	return max(0, (to-from+stride-1)/stride)
}

// Gather takes elements ids (INT32, any shape) of dimension axis of x. The
// dimension is replaced by ids' shape.
func (b *Builder) Gather(x, ids T, axis int) T {
	code := schema.BuiltinOperatorGATHER
	in, okX := b.operand(code, x, 0, anyRank)
	id, okI := b.operand(code, ids, 1, anyRank)
	if !okX || !okI {
		return failed
	}
	axis, ok := b.axis(code, axis, len(in.Shape))
	if !ok {
		return failed
	}
	if id.Type != Int32 && id.Type != Int64 && id.Type != Int16 {
		b.fail("%v: indices are %v", code, id.Type)
		return failed
	}
	shape := slices.Concat(in.Shape[:axis], id.Shape, in.Shape[axis+1:])
	return b.one(code, &schema.GatherOptionsT{Axis: int32(axis)}, []T{x, ids}, in.Type, shape)
}

// Tile repeats x multiples[d] times along each dimension d.
func (b *Builder) Tile(x T, multiples ...int) T {
	code := schema.BuiltinOperatorTILE
	in, ok := b.operand(code, x, 0, len(multiples))
	if !ok {
		return failed
	}
	shape := slices.Clone(in.Shape)
	for d, n := range multiples {
		shape[d] *= n
	}
	return b.one(code, &schema.TileOptionsT{}, []T{x, b.int32Const("multiples", multiples)}, in.Type, shape)
}

// BroadcastTo repeats x to a shape, by the rule of element-wise operators.
func (b *Builder) BroadcastTo(x T, shape ...int) T {
	code := schema.BuiltinOperatorBROADCAST_TO
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return failed
	}
	if out, ok := broadcastShapes(in.Shape, shape); !ok || !equalShapes(out, shape) {
		b.fail("%v: %v cannot become %v", code, in.Shape, shape)
		return failed
	}
	return b.one(code, &schema.BroadcastToOptionsT{}, []T{x, b.int32Const("shape", shape)}, in.Type, shape)
}

// Pad puts zeros (for quantized data: the zero point) around x: paddings[d] is
// how many before and after dimension d.
func (b *Builder) Pad(x T, paddings ...[2]int) T {
	code := schema.BuiltinOperatorPAD
	in, ids, shape, ok := b.padOperands(code, x, paddings)
	if !ok {
		return failed
	}
	return b.one(code, &schema.PadOptionsT{}, []T{x, ids}, in.Type, shape)
}

// PadV2 is Pad with another value, a constant of x's type of one element.
func (b *Builder) PadV2(x, value T, paddings ...[2]int) T {
	code := schema.BuiltinOperatorPADV2
	in, ids, shape, ok := b.padOperands(code, x, paddings)
	if !ok {
		return failed
	}
	return b.one(code, &schema.PadV2OptionsT{}, []T{x, ids, value}, in.Type, shape)
}

// MirrorPad puts mirrored elements around x; symmetric repeats the border.
func (b *Builder) MirrorPad(x T, symmetric bool, paddings ...[2]int) T {
	code := schema.BuiltinOperatorMIRROR_PAD
	in, ids, shape, ok := b.padOperands(code, x, paddings)
	if !ok {
		return failed
	}
	options := &schema.MirrorPadOptionsT{Mode: schema.MirrorPadModeREFLECT}
	if symmetric {
		options.Mode = schema.MirrorPadModeSYMMETRIC
	}
	return b.one(code, options, []T{x, ids}, in.Type, shape)
}

func (b *Builder) padOperands(code OpCode, x T, paddings [][2]int) (in Tensor, ids T, shape []int, ok bool) {
	if in, ok = b.operand(code, x, 0, len(paddings)); !ok {
		return in, failed, nil, false
	}
	shape = slices.Clone(in.Shape)
	var flat []int
	for d, p := range paddings {
		if p[0] < 0 || p[1] < 0 {
			b.fail("%v: paddings %v are negative", code, paddings)
			return in, failed, nil, false
		}
		shape[d] += p[0] + p[1]
		flat = append(flat, p[0], p[1])
	}
	ids = b.int32ConstShaped("paddings", flat, len(paddings), 2)
	return in, ids, shape, b.err == nil
}

// DepthToSpace moves blocks of channels into height and width: x [batch, h, w,
// block²·c] becomes [batch, h·block, w·block, c]; channel
// (row·block + column)·c + i goes to that row and column of the block.
func (b *Builder) DepthToSpace(x T, block int) T {
	code := schema.BuiltinOperatorDEPTH_TO_SPACE
	in, ok := b.operand(code, x, 0, 4)
	if !ok {
		return failed
	}
	s := in.Shape
	if block < 1 || s[3]%(block*block) != 0 {
		b.fail("%v: %d channels with block %d", code, s[3], block)
		return failed
	}
	return b.one(code, &schema.DepthToSpaceOptionsT{BlockSize: int32(block)}, []T{x}, in.Type, []int{s[0], s[1] * block, s[2] * block, s[3] / (block * block)})
}

// SpaceToDepth is DepthToSpace the other way.
func (b *Builder) SpaceToDepth(x T, block int) T {
	code := schema.BuiltinOperatorSPACE_TO_DEPTH
	in, ok := b.operand(code, x, 0, 4)
	if !ok {
		return failed
	}
	s := in.Shape
	if block < 1 || s[1]%block != 0 || s[2]%block != 0 {
		b.fail("%v: %v with block %d", code, s, block)
		return failed
	}
	return b.one(code, &schema.SpaceToDepthOptionsT{BlockSize: int32(block)}, []T{x}, in.Type, []int{s[0], s[1] / block, s[2] / block, s[3] * block * block})
}

// ResizeBilinear scales x [batch, h, w, c] to height × width by linear
// interpolation. halfPixelCenters is the usual choice of newer libraries.
func (b *Builder) ResizeBilinear(x T, height, width int, alignCorners, halfPixelCenters bool) T {
	options := &schema.ResizeBilinearOptionsT{AlignCorners: alignCorners, HalfPixelCenters: halfPixelCenters}
	return b.resize(schema.BuiltinOperatorRESIZE_BILINEAR, options, x, height, width)
}

// ResizeNearestNeighbor scales x [batch, h, w, c] to height × width by
// repeating elements.
func (b *Builder) ResizeNearestNeighbor(x T, height, width int, alignCorners, halfPixelCenters bool) T {
	options := &schema.ResizeNearestNeighborOptionsT{AlignCorners: alignCorners, HalfPixelCenters: halfPixelCenters}
	return b.resize(schema.BuiltinOperatorRESIZE_NEAREST_NEIGHBOR, options, x, height, width)
}

func (b *Builder) resize(code OpCode, options any, x T, height, width int) T {
	in, ok := b.operand(code, x, 0, 4)
	if !ok {
		return failed
	}
	if height < 1 || width < 1 {
		b.fail("%v: %d by %d", code, height, width)
		return failed
	}
	size := b.int32Const("size", []int{height, width})
	return b.one(code, options, []T{x, size}, in.Type, []int{in.Shape[0], height, width, in.Shape[3]})
}
