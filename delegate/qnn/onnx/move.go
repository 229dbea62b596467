package onnx

import (
	"math"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// reshape writes every operator that only gives a tensor another shape.
func reshape(c *converter, op *graph.Op) error {
	if c.constant(op.Inputs[0]) {
		k := c.constantOf(op.Inputs[0])
		from, err := graph.Elements(k.shape)
		to, err2 := graph.Elements(c.shape(op.Outputs[0]))
		if err != nil || err2 != nil || from != to {
			return delegate.Refuse(delegate.ReasonShape, "%v cannot have the shape %v", k.shape, c.shape(op.Outputs[0]))
		}
		if k.q == nil || len(k.q.Scale) == 1 {
			c.folded[op.Outputs[0]] = k.withShape(c.shape(op.Outputs[0])...)
			return nil
		}
	}
	return c.set(op.Outputs[0], asFile, c.reshaped(c.real(op.Inputs[0], asFile), c.shape(op.Outputs[0])), graph.ActNone)
}

func transposition(c *converter, op *graph.Op) error {
	perm, err := c.integersOf(op, 1)
	if err != nil {
		return err
	}
	x := op.Inputs[0]
	sorted := slices.Sorted(slices.Values(perm))
	for i, p := range sorted {
		if p != i || len(perm) != c.rank(x) {
			return delegate.Refuse(delegate.ReasonOption, "permutation %v of %d dimensions", perm, c.rank(x))
		}
	}
	if c.constant(x) {
		c.folded[op.Outputs[0]] = c.constantOf(x).transposed(perm...)
		return nil
	}
	// What was computed in one order may be what is asked for.
	f := c.forms[x]
	if f.native == channelsFirst && !quantized(&c.g.Tensors[op.Outputs[0]]) && slices.Equal(perm, toChannelsFirst) {
		return c.set(op.Outputs[0], asFile, c.real(x, channelsFirst), graph.ActNone)
	}
	if f.native == asFile && !quantized(&c.g.Tensors[op.Outputs[0]]) && slices.Equal(perm, toFile) && c.rank(x) == 4 {
		return c.set(op.Outputs[0], channelsFirst, c.real(x, asFile), graph.ActNone)
	}
	return c.set(op.Outputs[0], asFile, c.node("Transpose", []string{c.real(x, asFile)}, attribute{"perm", perm}), graph.ActNone)
}

func concatenation(c *converter, op *graph.Op) error {
	o := c.channels(op.Inputs...)
	axis, err := c.axis(int(as[schema.ConcatenationOptionsT](op).Axis), c.rank(op.Outputs[0]))
	if err != nil {
		return err
	}
	var in []string
	for _, t := range op.Inputs {
		if n, err := graph.Elements(c.shape(t)); err == nil && n > 0 {
			in = append(in, c.real(t, o))
		}
	}
	if len(in) == 0 {
		return delegate.Refuse(delegate.ReasonShape, "there are no elements")
	}
	return c.set(op.Outputs[0], o, c.node("Concat", in, attribute{"axis", axisIn(axis, o)}), fusedActivation(op))
}

func pack(c *converter, op *graph.Op) error {
	out := c.shape(op.Outputs[0])
	axis, err := c.axis(int(as[schema.PackOptionsT](op).Axis), len(out))
	if err != nil {
		return err
	}
	one := slices.Clone(out)
	one[axis] = 1
	var in []string
	for _, t := range op.Inputs {
		in = append(in, c.again(c.reshaped(c.real(t, asFile), one), t))
	}
	return c.set(op.Outputs[0], asFile, c.node("Concat", in, attribute{"axis", axis}), graph.ActNone)
}

// again quantizes and dequantizes what only moved elements of a quantized tensor,
// which changes nothing: runtimes want the two around each operator.
func (c *converter) again(name string, t int) string {
	x := &c.g.Tensors[t]
	if !c.quantize || !quantized(x) || len(x.Quantization.Scale) > 1 {
		return name
	}
	return c.dequantized(c.quantized(name, x), x)
}

func unpack(c *converter, op *graph.Op) error {
	axis, err := c.axis(int(as[schema.UnpackOptionsT](op).Axis), c.rank(op.Inputs[0]))
	if err != nil {
		return err
	}
	parts, err := c.parts(op, op.Inputs[0], axis, asFile, slices.Repeat([]int{1}, len(op.Outputs)))
	if err != nil {
		return err
	}
	for i, t := range op.Outputs {
		if err := c.set(t, asFile, c.reshaped(c.again(parts[i], t), c.shape(t)), graph.ActNone); err != nil {
			return err
		}
	}
	return nil
}

// parts splits a tensor along an axis of the file's order.
func (c *converter) parts(op *graph.Op, t, axis int, o order, sizes []int) ([]string, error) {
	total := 0
	for _, s := range sizes {
		total += s
	}
	if total != c.shape(t)[axis] {
		return nil, delegate.Refuse(delegate.ReasonShape, "parts of %v of dimension %d of %v", sizes, axis, c.shape(t))
	}
	x := c.real(t, o)
	if len(op.Outputs) == 1 {
		return []string{c.node("Identity", []string{x})}, nil
	}
	return c.nodes("Split", []string{x, c.ints(sizes...)}, len(sizes), attribute{"axis", axisIn(axis, o)}), nil
}

// split writes SPLIT (axis, tensor) and SPLIT_V (tensor, sizes, axis).
func split(c *converter, op *graph.Op) error {
	data, which := 1, 0
	if op.Code == schema.BuiltinOperatorSPLIT_V {
		data, which = 0, 2
	}
	axes, err := c.integersOf(op, which)
	if err != nil {
		return err
	}
	x := op.Inputs[data]
	if len(axes) != 1 {
		return delegate.Refuse(delegate.ReasonOption, "%d axes; takes 1", len(axes))
	}
	axis, err := c.axis(axes[0], c.rank(x))
	if err != nil {
		return err
	}
	var sizes []int
	for _, t := range op.Outputs {
		if c.rank(t) != c.rank(x) {
			return delegate.Refuse(delegate.ReasonShape, "%v is no part of %v", c.shape(t), c.shape(x))
		}
		sizes = append(sizes, c.shape(t)[axis])
	}
	o := c.channels(x)
	parts, err := c.parts(op, x, axis, o, sizes)
	if err != nil {
		return err
	}
	for i, t := range op.Outputs {
		if err := c.set(t, o, parts[i], graph.ActNone); err != nil {
			return err
		}
	}
	return nil
}

func slice(c *converter, op *graph.Op) error {
	begin, err := c.integersOf(op, 1)
	if err != nil {
		return err
	}
	x, out := op.Inputs[0], c.shape(op.Outputs[0])
	if len(begin) != c.rank(x) || len(out) != c.rank(x) {
		return delegate.Refuse(delegate.ReasonShape, "%d beginnings for %d dimensions", len(begin), c.rank(x))
	}
	end := make([]int, len(begin))
	for i := range end {
		end[i] = begin[i] + out[i]
	}
	o := c.channels(x)
	return c.set(op.Outputs[0], o, c.sliced(c.real(x, o), o, begin, end, slices.Repeat([]int{1}, len(begin)), c.shape(x)), graph.ActNone)
}

// sliced takes elements from begin to end in steps, of the dimensions in the
// file's order that are not taken whole.
func (c *converter) sliced(x string, o order, begin, end, step, shape []int) string {
	var b, e, s, axes []int
	for i := range begin {
		if begin[i] != 0 || end[i] != shape[i] || step[i] != 1 {
			b, e, s, axes = append(b, begin[i]), append(e, end[i]), append(s, step[i]), append(axes, axisIn(i, o))
		}
	}
	if len(axes) == 0 {
		return c.node("Identity", []string{x})
	}
	return c.node("Slice", []string{x, c.ints(b...), c.ints(e...), c.ints(axes...), c.ints(s...)})
}

// stridedSlice takes single elements where ShrinkAxisMask says so, and drops these
// dimensions.
func stridedSlice(c *converter, op *graph.Op) error {
	var lists [3][]int
	for i := range lists {
		list, err := c.integersOf(op, i+1)
		if err != nil {
			return err
		}
		lists[i] = list
	}
	o := as[schema.StridedSliceOptionsT](op)
	if o.EllipsisMask != 0 || o.NewAxisMask != 0 || o.Offset {
		return delegate.Refuse(delegate.ReasonOption, "options EllipsisMask, NewAxisMask and Offset")
	}
	shape := c.shape(op.Inputs[0])
	begin, end, step := slices.Clone(lists[0]), slices.Clone(lists[1]), slices.Clone(lists[2])
	if len(begin) > len(shape) || len(end) != len(begin) || len(step) != len(begin) {
		return delegate.Refuse(delegate.ReasonShape, "%d beginnings, %d ends and %d steps for %d dimensions", len(begin), len(end), len(step), len(shape))
	}
	for i := range begin {
		d := shape[i]
		if step[i] == 0 {
			return delegate.Refuse(delegate.ReasonOption, "a step of 0")
		}
		b, e := begin[i], end[i]
		if b < 0 {
			b += d
		}
		if e < 0 {
			e += d
		}
		low, high := 0, d // what a position may be
		if step[i] < 0 {
			low, high = -1, d-1
		}
		b, e = min(max(b, low), high), min(max(e, low), high)
		bit := int32(1) << i
		if o.BeginMask&bit != 0 {
			b = low
			if step[i] < 0 {
				b = high
			}
		}
		if o.EndMask&bit != 0 {
			e = high
			if step[i] < 0 {
				e = low
			}
		}
		if o.ShrinkAxisMask&bit != 0 {
			step[i] = 1
			b = begin[i]
			if b < 0 {
				b += d
			}
			e = b + 1
		}
		if e < 0 {
			e = math.MinInt32 // −1 would be the last element
		}
		begin[i], end[i] = b, e
	}
	for i := len(begin); i < len(shape); i++ {
		begin, end, step = append(begin, 0), append(end, shape[i]), append(step, 1)
	}
	y := c.sliced(c.real(op.Inputs[0], asFile), asFile, begin, end, step, shape)
	if o.ShrinkAxisMask != 0 {
		y = c.reshaped(c.again(y, op.Outputs[0]), c.shape(op.Outputs[0]))
	}
	return c.set(op.Outputs[0], asFile, y, graph.ActNone)
}

func gather(c *converter, op *graph.Op) error {
	o := as[schema.GatherOptionsT](op)
	if o.BatchDims != 0 {
		return delegate.Refuse(delegate.ReasonOption, "option BatchDims %d; takes 0", o.BatchDims)
	}
	axis, err := c.axis(int(o.Axis), c.rank(op.Inputs[0]))
	if err != nil {
		return err
	}
	return c.gathered(op, op.Inputs[0], op.Inputs[1], axis)
}

// lookup is EMBEDDING_LOOKUP: rows of the second input by the numbers in the first.
func lookup(c *converter, op *graph.Op) error {
	return c.gathered(op, op.Inputs[1], op.Inputs[0], 0)
}

func (c *converter) gathered(op *graph.Op, data, indices, axis int) error {
	if t := c.g.Tensors[indices].Type; t != graph.Int32 && t != graph.Int64 {
		return delegate.Refuse(delegate.ReasonType, "indices of %v", t)
	}
	return c.set(op.Outputs[0], asFile, c.node("Gather", []string{c.real(data, asFile), c.real(indices, asFile)}, attribute{"axis", axis}), graph.ActNone)
}

func tile(c *converter, op *graph.Op) error {
	times, err := c.integersOf(op, 1)
	if err != nil {
		return err
	}
	return c.set(op.Outputs[0], asFile, c.node("Tile", []string{c.real(op.Inputs[0], asFile), c.ints(times...)}), graph.ActNone)
}

func broadcast(c *converter, op *graph.Op) error {
	return c.set(op.Outputs[0], asFile, c.node("Expand", []string{c.real(op.Inputs[0], asFile), c.ints(c.shape(op.Outputs[0])...)}), graph.ActNone)
}

// paddings are the sizes before and after each dimension.
func (c *converter) paddings(op *graph.Op) (before, after []int, err error) {
	list, err := c.integersOf(op, 1)
	if err != nil {
		return nil, nil, err
	}
	if len(list) != 2*c.rank(op.Inputs[0]) {
		return nil, nil, delegate.Refuse(delegate.ReasonShape, "%d paddings for %d dimensions", len(list), c.rank(op.Inputs[0]))
	}
	for i := 0; i < len(list); i += 2 {
		if list[i] < 0 || list[i+1] < 0 {
			return nil, nil, delegate.Refuse(delegate.ReasonOption, "negative paddings")
		}
		before, after = append(before, list[i]), append(after, list[i+1])
	}
	return before, after, nil
}

func pad(c *converter, op *graph.Op) error {
	before, after, err := c.paddings(op)
	if err != nil {
		return err
	}
	x := op.Inputs[0]
	o := c.channels(x)
	if o == channelsFirst {
		move := func(list []int) []int { return []int{list[0], list[3], list[1], list[2]} }
		before, after = move(before), move(after)
	}
	in := []string{c.real(x, o), c.ints(slices.Concat(before, after)...)}
	if len(op.Inputs) > 2 && op.Inputs[2] != graph.NoTensor {
		value := op.Inputs[2]
		if !c.constant(value) {
			return delegate.Refuse(delegate.ReasonConstant, "the value must be constant")
		}
		in = append(in, c.realOf(c.constantOf(value).withShape(), false))
	}
	return c.set(op.Outputs[0], o, c.node("Pad", in, attribute{"mode", "constant"}), graph.ActNone)
}

// mirrorPad takes, dimension by dimension, the elements that a mirror shows: that
// has no other form in ONNX where the edge is shown too.
func mirrorPad(c *converter, op *graph.Op) error {
	before, after, err := c.paddings(op)
	if err != nil {
		return err
	}
	edge := 0
	if as[schema.MirrorPadOptionsT](op).Mode == schema.MirrorPadModeREFLECT {
		edge = 1
	}
	x := op.Inputs[0]
	y, first := c.real(x, asFile), true
	for axis, d := range c.shape(x) {
		if before[axis] == 0 && after[axis] == 0 {
			continue
		}
		if before[axis] > d-edge || after[axis] > d-edge {
			return delegate.Refuse(delegate.ReasonOption, "a padding larger than the dimension")
		}
		const most = 1 << 20 // the indices are numbers in the model
		if d > most {
			return delegate.Refuse(delegate.ReasonShape, "a dimension of %d; takes up to %d", d, most)
		}
		var indices []int
		for i := before[axis]; i > 0; i-- {
			indices = append(indices, i-1+edge)
		}
		for i := range d {
			indices = append(indices, i)
		}
		for i := range after[axis] {
			indices = append(indices, d-1-edge-i)
		}
		if !first {
			y = c.again(y, x)
		}
		y, first = c.node("Gather", []string{y, c.ints(indices...)}, attribute{"axis", axis}), false
	}
	if first {
		y = c.node("Identity", []string{y})
	}
	return c.set(op.Outputs[0], asFile, y, graph.ActNone)
}

func depthToSpace(c *converter, op *graph.Op) error {
	size := int(as[schema.DepthToSpaceOptionsT](op).BlockSize)
	return c.set(op.Outputs[0], channelsFirst, c.node("DepthToSpace", []string{c.real(op.Inputs[0], channelsFirst)}, attribute{"blocksize", size}, attribute{"mode", "DCR"}), graph.ActNone)
}

func spaceToDepth(c *converter, op *graph.Op) error {
	size := int(as[schema.SpaceToDepthOptionsT](op).BlockSize)
	return c.set(op.Outputs[0], channelsFirst, c.node("SpaceToDepth", []string{c.real(op.Inputs[0], channelsFirst)}, attribute{"blocksize", size}), graph.ActNone)
}
