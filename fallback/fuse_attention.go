package fallback

import (
	"slices"

	"nanoflux/fallback/simd"
	"nanoflux/graph/schema"
)

// fuseAttention makes one step of softmax(scale·Q·Kᵀ + bias)·V at the beginning
// of the list, as converters write it: two batch products around a softmax, with
// a scale and a bias or mask between them or not. Transpositions of Q, K and V
// right before, and of the result right after, are read and written in place.
func fuseAttention(nodes []*node) (step, bool) {
	m := attentionMatch{nodes: nodes}
	if !m.match() {
		return step{}, false
	}
	for _, v := range m.hidden {
		v.inside = true
	}
	return step{nodes: nodes[:m.count], run: m.a.run}, true
}

// attentionMatch reads the pattern node by node.
type attentionMatch struct {
	nodes []*node
	count int
	a     attention
	// turned are the transpositions in front of the products, by output.
	turned map[*value]*node
	// hidden are the values that nothing outside the step reads.
	hidden []*value
}

// next takes the next node if it has the code and all that came before it (via)
// flows into it and nowhere else.
func (m *attentionMatch) next(code schema.BuiltinOperator, via *value) *node {
	if m.count == len(m.nodes) {
		return nil
	}
	n := m.nodes[m.count]
	if n.op.Code != code || n.late || n.empty() || !floatsOnly(n) {
		return nil
	}
	if via != nil {
		if via.output || via.consumers != 1 || !slices.Contains(n.in, via) {
			return nil
		}
		m.hidden = append(m.hidden, via)
	}
	m.count++
	return n
}

func (m *attentionMatch) match() bool {
	m.turned = map[*value]*node{}
	for {
		if n := m.next(schema.BuiltinOperatorTRANSPOSE, nil); n != nil {
			m.turned[n.out[0]] = n
		} else if m.count == len(m.nodes) || m.nodes[m.count].op.Code != schema.BuiltinOperatorRESHAPE || !m.nodes[m.count].out[0].sharesMemory() {
			break
		} else {
			m.count++
		}
	}
	first := m.next(schema.BuiltinOperatorBATCH_MATMUL, nil)
	if first == nil {
		return false
	}
	scores := first.out[0]
	m.a.scale = 1
	var bias *value
	if n := m.next(schema.BuiltinOperatorMUL, scores); n != nil {
		factor := other(n, scores)
		if !factor.constant || factor.elements() != 1 || !finite(factor.floats()[0]) || n.kernel.fused(n.op) != 0 {
			return false
		}
		m.a.scale, scores = factor.floats()[0], n.out[0]
	}
	if n := m.next(schema.BuiltinOperatorADD, scores); n != nil {
		if bias = other(n, scores); n.kernel.fused(n.op) != 0 || !slices.Equal(n.out[0].shape, scores.shape) {
			return false
		}
		scores = n.out[0]
	}
	soft := m.next(schema.BuiltinOperatorSOFTMAX, scores)
	if soft == nil {
		return false
	}
	beta := options[schema.SoftmaxOptionsT](soft.op).Beta
	if !finite(beta) || beta != 1 && bias != nil {
		return false
	}
	m.a.scale *= beta
	last := m.next(schema.BuiltinOperatorBATCH_MATMUL, soft.out[0])
	if last == nil || last.in[0] != soft.out[0] || last.in[1] == soft.out[0] {
		return false
	}
	return m.geometry(first, last, bias) && m.places(first, last, bias)
}

// other is the operand of a binary operator that is not v.
func other(n *node, v *value) *value {
	if n.in[0] == v {
		return n.in[1]
	}
	return n.in[0]
}

// geometry finds the sizes; false when batches are stretched.
func (m *attentionMatch) geometry(first, last *node, bias *value) bool {
	q, k, v := first.in[0].shape, first.in[1].shape, last.in[1].shape
	ko, vo := options[schema.BatchMatMulOptionsT](first.op), options[schema.BatchMatMulOptionsT](last.op)
	rank := len(q)
	if ko.AdjX || vo.AdjX || rank < 2 || len(k) != rank || len(v) != rank {
		return false
	}
	batch := q[:rank-2]
	if !slices.Equal(batch, k[:rank-2]) || !slices.Equal(batch, v[:rank-2]) {
		return false
	}
	a := &m.a
	a.batches, a.queries, a.dim = sizeOf(batch), q[rank-2], q[rank-1]
	a.keys, a.valueDim = k[rank-2], v[rank-1]
	if !ko.AdjY {
		a.keys = k[rank-1]
	}
	if vo.AdjY {
		a.valueDim = v[rank-2]
	}
	if bias != nil {
		if len(bias.shape) > rank {
			return false
		}
	}
	a.pool, a.table = first.pool, simd.Active()
	return a.batches > 0 && a.queries > 0 && a.keys > 0 && a.dim > 0 && a.valueDim > 0
}

// places finds where the operands and the result lie.
func (m *attentionMatch) places(first, last *node, bias *value) bool {
	used := map[*node]bool{}
	operand := func(v *value, turn bool) matrixView {
		if n := m.turned[v]; n != nil && !v.output && v.consumers == 1 && !v.sharesMemory() {
			used[n] = true
			m.hidden = append(m.hidden, v)
			order, _ := n.ints(1)
			strides := dense(n.in[0].shape)
			from := make([]int, len(order))
			for i, axis := range order {
				a, _ := axisOf(axis, len(strides))
				from[i] = strides[a]
			}
			return strided(n.in[0], v.shape, from, turn)
		}
		return strided(v, v.shape, dense(v.shape), turn)
	}
	a := &m.a
	a.q = operand(first.in[0], false)
	a.k = operand(first.in[1], !options[schema.BatchMatMulOptionsT](first.op).AdjY)
	a.v = operand(last.in[1], options[schema.BatchMatMulOptionsT](last.op).AdjY)
	for _, n := range m.turned {
		if !used[n] {
			return false
		}
	}
	if bias != nil {
		b := strided(bias, first.out[0].shape, broadcastStrides(bias.shape, first.out[0].shape), false)
		a.bias = &b
	}
	out := last.out[0]
	a.out = strided(out, out.shape, dense(out.shape), false)
	if n := m.next(schema.BuiltinOperatorTRANSPOSE, out); n != nil && !n.out[0].sharesMemory() {
		// Element i of the result's dimension order[j] is element i of the
		// transposed one's dimension j.
		order, _ := n.ints(1)
		strides := dense(n.out[0].shape)
		to := make([]int, len(order))
		for j, axis := range order {
			x, _ := axisOf(axis, len(order))
			to[x] = strides[j]
		}
		a.out = strided(n.out[0], out.shape, to, false)
	} else if n != nil {
		m.count--
		m.hidden = m.hidden[:len(m.hidden)-1]
	}
	return true
}

// strided is a value seen as matrices of the given shape with the given strides;
// with turn, of transposed matrices.
func strided(v *value, shape, strides []int, turn bool) matrixView {
	rank := len(shape)
	m := matrixView{value: v, batch: walk{shape[:rank-2], strides[:rank-2]}.merged(), rowStride: strides[rank-2], columnStride: strides[rank-1]}
	if turn {
		m.rowStride, m.columnStride = m.columnStride, m.rowStride
	}
	return m
}
