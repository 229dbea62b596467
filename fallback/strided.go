package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
)

// fixedSize refuses types whose elements are not whole bytes of a fixed number:
// strings, packed int4.
func fixedSize(t *graph.Tensor) *delegate.Refusal {
	if t == nil || graph.ElementBits(t.Type)%8 != 0 || graph.ElementBits(t.Type) == 0 {
		name := "left out"
		if t != nil {
			name = t.Type.String()
		}
		return delegate.Refuse(delegate.ReasonType, "an operand is %s; takes types of whole bytes", name)
	}
	return nil
}

// acceptsMove is kernel.accepts of operators that only move data: inputs to
// most, of which the first is data, and outs outputs of the same type.
func acceptsMove(inputs, most, outs int) func(o operands) *delegate.Refusal {
	return func(o operands) *delegate.Refusal {
		if r := firstRefusal(o.counts(inputs, most, outs), fixedSize(o.in(0))); r != nil {
			return r
		}
		return o.outTypes(0, o.in(0).Type)
	}
}

// elementSize is the size of an element of a type of whole bytes.
func elementSize(t graph.TensorType) int { return graph.ElementBits(t) / 8 }

// move is a copy of a box of elements between two arrays.
type move struct {
	shape []int
	// to and from are the strides of the two arrays, in elements; 0 repeats,
	// negative ones run backwards. toAt and fromAt are where the first
	// element goes and comes from.
	to, from     []int
	toAt, fromAt int
}

// dense are the strides of a dense array.
func dense(shape []int) []int {
	strides := make([]int, len(shape))
	stride := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = stride
		stride *= shape[i]
	}
	return strides
}

// merged joins dimensions that both arrays step through as one, and drops those
// of size 1.
func (m move) merged() move {
	out := move{toAt: m.toAt, fromAt: m.fromAt}
	for i, d := range m.shape {
		last := len(out.shape) - 1
		switch {
		case d == 1:
		case last >= 0 && out.to[last] == m.to[i]*d && out.from[last] == m.from[i]*d:
			out.shape[last] *= d
			out.to[last], out.from[last] = m.to[i], m.from[i]
		default:
			out.shape = append(out.shape, d)
			out.to, out.from = append(out.to, m.to[i]), append(out.from, m.from[i])
		}
	}
	return out
}

// mover runs a move of elements of size bytes, again and again.
type mover struct {
	move
	pool     *pool
	size     int
	dst, src []byte // of the run under way
	// some moves a part of the first dimension's indices, matrices a part of the
	// transposition's strips, if the move is one.
	some, matrices func(from, to int)
	strips         int
}

// prepare makes a move ready to run.
func (m move) prepare(p *pool, size int) *mover {
	v := &mover{move: m.merged(), pool: p, size: size}
	v.some = func(from, to int) {
		inner := move{shape: v.shape[1:], to: v.to[1:], from: v.from[1:]}
		for i := from; i < to; i++ {
			inner.toAt, inner.fromAt = v.toAt+i*v.to[0], v.fromAt+i*v.from[0]
			inner.box(v.dst, v.src, size)
		}
	}
	if t, ok := v.transposed(); ok {
		v.strips = t.strips()
		v.matrices = func(from, to int) { t.run(v.dst, v.src, size, from, to) }
	}
	return v
}

// run copies; dst and src are the arrays' data.
func (v *mover) run(dst, src []byte) {
	v.dst, v.src = dst, src
	switch total := sizeOf(v.shape); {
	case total == 0:
	case v.matrices != nil && transposes(dst, src, v.size):
		v.pool.chunks(v.strips, 1+(1<<14)*v.strips/(total*v.size), v.matrices)
	case len(v.shape) > 1:
		v.pool.chunks(v.shape[0], 1+(1<<16)*v.shape[0]/(total*v.size), v.some)
	default:
		v.box(dst, src, v.size)
	}
	v.dst, v.src = nil, nil
}

// box copies recursively, the last dimension as one line.
func (m move) box(dst, src []byte, size int) {
	switch len(m.shape) {
	case 0:
		copy(dst[m.toAt*size:][:size], src[m.fromAt*size:])
		return
	case 1:
		m.line(dst, src, size)
		return
	case 2: // no calls for short lines that lie in one piece
		if n := m.shape[1] * size; m.to[1] == 1 && m.from[1] == 1 {
			to, from := m.toAt*size, m.fromAt*size
			for range m.shape[0] {
				copy(dst[to:to+n], src[from:from+n])
				to, from = to+m.to[0]*size, from+m.from[0]*size
			}
			return
		}
	}
	inner := move{shape: m.shape[1:], to: m.to[1:], from: m.from[1:]}
	for i := range m.shape[0] {
		inner.toAt, inner.fromAt = m.toAt+i*m.to[0], m.fromAt+i*m.from[0]
		inner.box(dst, src, size)
	}
}

func (m move) line(dst, src []byte, size int) {
	n, to, from := m.shape[0], m.to[0], m.from[0]
	if to == 1 && from == 1 {
		copy(dst[m.toAt*size:(m.toAt+n)*size], src[m.fromAt*size:(m.fromAt+n)*size])
		return
	}
	if size == 4 && aligned4(dst) && aligned4(src) {
		d, s := graph.View[uint32](dst), graph.View[uint32](src)
		a, b := m.toAt, m.fromAt
		for range n {
			d[a] = s[b]
			a, b = a+to, b+from
		}
		return
	}
	a, b := m.toAt*size, m.fromAt*size
	for range n {
		copy(dst[a:a+size], src[b:b+size])
		a, b = a+to*size, b+from*size
	}
}

// prepareMove is the compute of an operator that is one move from input 0 to
// output 0.
func prepareMove(n *node, m move) (compute, error) { return prepareMoveFrom(n, 0, m) }

// prepareMoveFrom is prepareMove from another input.
func prepareMoveFrom(n *node, input int, m move) (compute, error) {
	size := elementSize(n.in[input].tensor.Type)
	n.aliasMove(0, input, m, size)
	v := m.prepare(n.pool, size)
	return func() {
		if !n.out[0].sharesMemory() {
			v.run(n.out[0].data, n.in[input].data)
		}
	}, nil
}

// aliasMove lets output i share the memory of input k when the move to it is a
// copy of one piece.
func (n *node) aliasMove(i, k int, m move, size int) {
	one := m.merged()
	if n.out[i].size == sizeOf(m.shape)*size && one.toAt == 0 && (len(one.shape) == 0 || len(one.shape) == 1 && one.to[0] == 1 && one.from[0] == 1) {
		n.alias(i, k, m.fromAt*size)
	}
}

// axisOf turns an axis that may count from the end into an index.
func axisOf(axis, rank int) (int, bool) {
	if axis < 0 {
		axis += rank
	}
	return axis, axis >= 0 && axis < rank
}

// sizeOf is the number of elements of a checked shape.
func sizeOf(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
