package fallback

import (
	"slices"
	"unsafe"

	"nanoflux/fallback/simd"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// Large weights behind DEQUANTIZE keep the type that the file has: their panels
// are packed as 16-bit floats or 8-bit integers, and each is widened right
// before the tiles use it, once for all rows that it is multiplied with. That
// takes a half or a quarter of the memory, and of the reading where rows are
// few. The numbers are those of DEQUANTIZE, bit by bit.

// widenedWeights is of how many elements weights may be that become float32 once
// and for all. As float32 they stay in the caches, where reading them costs
// less than widening them in each run: one row takes twice as long by 2¹⁹ stored
// weights, and a tenth to a half less by 2²¹.
const widenedWeights = 1 << 20

// storedWeights is the constant that DEQUANTIZE would make: (x − zero)·scale for
// integers, x for 16-bit floats.
type storedWeights struct {
	kind graph.TensorType // Float16 or Int8
	data []byte
	// scales is one for each channel, the first dimension, or one for all.
	scales []float32
	zero   float32
}

// keepStored is what a node that could be folded makes when that need not
// be computed: a DEQUANTIZE whose result is only read as large weights of
// products. It is nil otherwise. The node must be prepared.
func (e *executable) keepStored(n *node) *storedWeights {
	if n.op.Code != schema.BuiltinOperatorDEQUANTIZE || n.out[0].output {
		return nil
	}
	x, y := n.in[0], n.out[0]
	if len(y.shape) == 0 || len(x.data) < x.size {
		return nil
	}
	// Weights of few elements stay float32, see widenedWeights. Where
	// columns are few, each line of an image is a product of its own and would
	// widen all panels.
	table := simd.Active()
	panels := (y.shape[0] + table.Columns - 1) / table.Columns
	if y.elements() <= e.widened || table.MultiplyRows != nil && panels <= unpackedPanels {
		return nil
	}
	for _, reader := range e.nodes {
		for i, v := range reader.in {
			if v == y && (i != 1 || reader.op.Code != schema.BuiltinOperatorFULLY_CONNECTED && reader.op.Code != schema.BuiltinOperatorCONV_2D) {
				return nil
			}
		}
	}
	s := &storedWeights{kind: x.tensor.Type, data: x.data}
	switch s.kind {
	case graph.Float16:
		return s
	case graph.Int8:
	default:
		return nil
	}
	q := x.tensor.Quantization
	if s.scales = q.Scale; len(s.scales) > 1 && q.Dimension != 0 {
		return nil
	}
	// One zero point for all, and one that float32 subtracts without rounding.
	if len(q.ZeroPoint) > 0 {
		first := q.ZeroPoint[0]
		if first <= -1<<23 || first >= 1<<23 || slices.ContainsFunc(q.ZeroPoint, func(z int64) bool { return z != first }) || len(q.ZeroPoint) < len(s.scales) {
			return nil
		}
		s.zero = float32(first)
	}
	return s
}

// packConstant packs constant weights [columns, depth], from element offset on.
func (n *node) packConstant(w *value, offset, columns, depth int) *packed {
	if w.stored == nil {
		return packColumns(nil, n.pool, w.floats()[offset:], columns, depth, depth, 1)
	}
	s := w.stored
	p := &packed{table: simd.Active(), columns: columns, depth: depth, kind: s.kind, zero: s.zero}
	size := p.panels() * p.table.Columns * depth
	parts := (depth + p.table.Depth - 1) / p.table.Depth * p.panels()
	switch s.kind {
	case graph.Float16:
		p.stored = graph.AlignedBytes(2 * size)
		n.pool.each(parts, func(i int) {
			packStored(p, i, graph.View[uint16](p.stored), graph.View[uint16](s.data)[offset:])
		})
	case graph.Int8:
		p.stored = graph.AlignedBytes(size)
		p.scales = make([]float32, p.panels()*p.table.Columns)
		for i := range columns {
			p.scales[i] = s.scales[(offset/max(1, depth)+i)%len(s.scales)]
		}
		n.pool.each(parts, func(i int) {
			packStored(p, i, graph.View[int8](p.stored), graph.View[int8](s.data)[offset:])
		})
	}
	return p
}

// packStored packs part i of the weights src [columns, depth] as packed.packPart
// does.
func packStored[T uint16 | int8](p *packed, i int, dst, src []T) {
	from, panel, n := p.place(i)
	width, column := p.table.Columns, panel*p.table.Columns
	dst = dst[from*p.panels()*width+panel*n*width:][:n*width]
	for c := range min(width, p.columns-column) {
		at := c
		for _, v := range src[(column+c)*p.depth+from:][:n] {
			dst[at] = v
			at += width
		}
	}
}

// panel is the float32 panel of elements [from, from+depth) of its columns; wide
// is memory for one that is not stored so.
func (p *packed) panel(panel, from, depth int, wide []float32) []float32 {
	width := p.table.Columns
	at, size := from*p.panels()*width+panel*depth*width, depth*width
	wide = wide[:min(size, len(wide))]
	switch p.kind {
	case graph.Float16:
		p.table.FromFloat16(wide, graph.View[uint16](p.stored)[at:][:size])
	case graph.Int8:
		p.table.FromInt8OfColumns(wide, graph.View[int8](p.stored)[at:][:size], p.scales[panel*width:][:width], p.zero)
	default:
		return p.data[at:][:size]
	}
	return wide
}

// memory is where the panel lies, as floats to be fetched.
func (p *packed) memory(panel, from, depth int) []float32 {
	width := p.table.Columns
	at, size := from*p.panels()*width+panel*depth*width, depth*width
	if p.stored == nil {
		return p.data[at:][:size]
	}
	element := len(p.stored) / (p.panels() * width * p.depth)
	bytes := p.stored[element*at:][:element*size]
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(bytes))), len(bytes)/4)
}
