package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorPAD, kernel{accepts: acceptsPad(2), prepare: preparePad})
	register(schema.BuiltinOperatorPADV2, kernel{
		accepts: func(o operands) *delegate.Refusal {
			r := acceptsPad(3)(o)
			if r == nil {
				r = o.types(2, o.in(0).Type)
			}
			return r
		},
		prepare: preparePad,
	})
	register(schema.BuiltinOperatorMIRROR_PAD, kernel{accepts: acceptsPad(2), prepare: prepareMirrorPad})
	register(schema.BuiltinOperatorTILE, kernel{accepts: withIndices(2, 1), prepare: prepareTile})
	register(schema.BuiltinOperatorBROADCAST_TO, kernel{accepts: withIndices(2, 1), prepare: prepareBroadcastTo})
}

func acceptsPad(inputs int) func(o operands) *delegate.Refusal {
	return func(o operands) *delegate.Refusal {
		return firstRefusal(acceptsMove(inputs, inputs, 1)(o), o.types(1, graph.Int32, graph.Int64))
	}
}

// paddings reads input 1, [rank, 2], and gives the output its shape.
func paddings(n *node) (before, shape []int, err error) {
	x := n.in[0].shape
	list, err := n.ints(1)
	if err != nil {
		return nil, nil, err
	}
	if len(list) != 2*len(x) {
		return nil, nil, fmt.Errorf("paddings %v do not go with shape %v", n.in[1].shape, x)
	}
	before, shape = make([]int, len(x)), make([]int, len(x))
	for i, d := range x {
		b, a := list[2*i], list[2*i+1]
		if b < 0 || a < 0 || b > maxTensorBytes || a > maxTensorBytes {
			return nil, nil, fmt.Errorf("paddings %d and %d of dimension %d are not sizes", b, a, i)
		}
		before[i], shape[i] = b, d+b+a
	}
	return before, shape, n.shape(0, shape...)
}

// preparePad surrounds the input with a constant: input 2, or what means zero.
func preparePad(n *node) (compute, error) {
	before, shape, err := paddings(n)
	if err != nil {
		return nil, err
	}
	if n.has(2) && n.in[2].elements() != 1 {
		return nil, fmt.Errorf("the padding value has shape %v, must be a scalar", n.in[2].shape)
	}
	m := move{shape: n.in[0].shape, to: dense(shape), from: dense(n.in[0].shape)}
	for i, b := range before {
		m.toAt += b * m.to[i]
	}
	size := elementSize(n.in[0].tensor.Type)
	v := m.prepare(n.pool, size)
	return func() {
		out := n.out[0].data
		fill := paddingValue(n, size)
		clear(out)
		if fill != nil {
			for i := 0; i < len(out); i += size {
				copy(out[i:], fill)
			}
		}
		v.run(out, n.in[0].data)
	}, nil
}

// paddingValue is the element that PAD writes, or nil for all bits zero.
func paddingValue(n *node, size int) []byte {
	if n.has(2) {
		return n.in[2].data[:size]
	}
	q := n.out[0].tensor.Quantization
	if q == nil || len(q.ZeroPoint) == 0 || q.ZeroPoint[0] == 0 || size != 1 {
		return nil
	}
	return []byte{byte(q.ZeroPoint[0])}
}

// prepareMirrorPad continues the input by its mirror image: REFLECT without the
// edge, SYMMETRIC with it.
func prepareMirrorPad(n *node) (compute, error) {
	before, shape, err := paddings(n)
	if err != nil {
		return nil, err
	}
	if n.empty() {
		return func() {}, nil
	}
	skip := 1 // REFLECT
	if options[schema.MirrorPadOptionsT](n.op).Mode == schema.MirrorPadModeSYMMETRIC {
		skip = 0
	}
	x := n.in[0].shape
	for i, d := range x {
		if after := shape[i] - d - before[i]; max(before[i], after) > d-skip {
			return nil, fmt.Errorf("dimension %d of size %d is too small for its mirror padding", i, d)
		}
	}
	strides := dense(x)
	size := elementSize(n.in[0].tensor.Type)
	return func() {
		index := make([]int, len(shape))
		out := n.out[0].data
		for o := 0; o < len(out); o += size {
			at := 0
			for i, p := range index {
				at += mirroredAt(p-before[i], x[i], skip) * strides[i]
			}
			copy(out[o:o+size], n.in[0].data[at*size:])
			advance(index, shape)
		}
	}, nil
}

// mirroredAt is the element of a dimension of size d that stands at position at,
// which may be before its start or beyond its end.
func mirroredAt(at, d, skip int) int {
	switch {
	case at < 0:
		return -at - 1 + skip
	case at >= d:
		return 2*d - 1 - at - skip
	}
	return at
}

func prepareTile(n *node) (compute, error) {
	times, err := n.ints(1)
	if err != nil {
		return nil, err
	}
	x := n.in[0].shape
	if len(times) != len(x) {
		return nil, fmt.Errorf("multiples %v do not go with shape %v", times, x)
	}
	out := make([]int, len(x))
	var m move // both arrays seen as [times, size] for each dimension
	from := dense(x)
	for i, d := range x {
		if times[i] < 0 || times[i] > maxTensorBytes {
			return nil, fmt.Errorf("multiples %v are not sizes", times)
		}
		out[i] = d * times[i]
		m.shape = append(m.shape, times[i], d)
		m.from = append(m.from, 0, from[i])
	}
	if err := n.shape(0, out...); err != nil {
		return nil, err
	}
	m.to = dense(m.shape)
	return prepareMove(n, m)
}

func prepareBroadcastTo(n *node) (compute, error) {
	shape, err := n.ints(1)
	if err != nil {
		return nil, err
	}
	x := n.in[0].shape
	if both, err := broadcastShapes(x, shape); err != nil || sizeOf(both) != sizeOf(shape) || len(both) != len(shape) {
		return nil, fmt.Errorf("shape %v cannot be broadcast to %v", x, shape)
	}
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	return prepareMove(n, move{shape: shape, to: dense(shape), from: broadcastStrides(x, shape)})
}
