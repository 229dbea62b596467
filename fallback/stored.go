package fallback

import (
	"slices"
	"unsafe"

	"nanoflux/fallback/simd"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// Large weights behind DEQUANTIZE keep the type that the file has: their panels
// are packed as 16-bit floats or as integers of 8 or 4 bits, and each is widened
// right before the tiles use it, once for all rows that it is multiplied with.
// That takes a half to an eighth of the memory, and of the reading where rows
// are few. The numbers are those of DEQUANTIZE, bit by bit.

// widenedWeights is of how many elements weights may be that become float32 once
// and for all. As float32 they stay in the caches, where reading them costs
// less than widening them in each run: one row takes twice as long by 2¹⁹ stored
// weights, and a tenth to a half less by 2²¹.
const widenedWeights = 1 << 20

// storedWeights is the constant that DEQUANTIZE would make: (x − zero)·scale for
// integers, x for 16-bit floats.
type storedWeights struct {
	kind graph.TensorType // Float16, Int8 or Int4
	data []byte
	// scales is one for each channel, the first dimension, or one for all; with
	// blocks of so many elements of a row, [rows, row/block].
	scales []float32
	block  int
	zero   float32
	sum    []byte // hash of data, once it is known
}

// keepStored is what a node that could be folded makes when that need not
// be computed: a DEQUANTIZE whose result is only read as large weights of
// products. It is nil otherwise. The node must be prepared.
func (e *executable) keepStored(n *node) *storedWeights {
	if n.op.Code != schema.BuiltinOperatorDEQUANTIZE || n.out[0].output {
		return nil
	}
	x, y := n.in[0], n.out[0]
	if !e.large(y.shape) || !e.onlyReadBy(y, weightsOfProduct) {
		return nil
	}
	s := &storedWeights{kind: x.tensor.Type, data: x.data}
	switch {
	case s.kind == graph.Float16:
		return s
	case x.nibbles != nil:
		s.kind, s.data = graph.Int4, x.nibbles
	case s.kind != graph.Int8:
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

// large reports whether weights [columns, …] are stored as they are. Those of few
// elements are not, see widenedWeights. Nor are those of few columns: each line
// of an image is a product of its own then, and would widen all panels.
func (e *executable) large(shape []int) bool {
	if len(shape) == 0 || sizeOf(shape) <= e.widened {
		return false
	}
	table := simd.Active()
	return table.MultiplyRows == nil || (shape[0]+table.Columns-1)/table.Columns > unpackedPanels
}

// onlyReadBy reports whether all that reads v, node by node and operand by
// operand, is as wanted.
func (e *executable) onlyReadBy(v *value, wanted func(n *node, operand int) bool) bool {
	for _, n := range e.nodes {
		for i, x := range n.in {
			if x == v && !wanted(n, i) {
				return false
			}
		}
	}
	return true
}

func weightsOfProduct(n *node, operand int) bool {
	return operand == 1 && (n.op.Code == schema.BuiltinOperatorFULLY_CONNECTED || n.op.Code == schema.BuiltinOperatorCONV_2D)
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
	bytes := size * graph.ElementBits(s.kind) / 8
	if s.kind == graph.Int4 {
		bytes = p.panels() * p.table.Columns * nibbleRows(depth)
	}
	if s.kind != graph.Float16 {
		p.packScales(s, offset/depth)
	}
	key := ""
	if n.cache != nil {
		key = s.key(p, n.pool, offset)
		if p.stored = n.cache.get(key, bytes); p.stored != nil {
			return p
		}
	}
	p.stored = graph.AlignedBytes(bytes)
	switch s.kind {
	case graph.Float16:
		n.pool.each(parts, func(i int) {
			packStored(p, i, graph.View[uint16](p.stored), graph.View[uint16](s.data)[offset:])
		})
	case graph.Int4:
		n.pool.each(parts, func(i int) { packNibbles(p, i, s.data, offset) })
	case graph.Int8:
		n.pool.each(parts, func(i int) {
			packStored(p, i, graph.View[int8](p.stored), graph.View[int8](s.data)[offset:])
		})
	}
	if n.cache != nil {
		p.stored = n.cache.put(key, p.stored)
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
	if p.stored == nil {
		return p.data[at:][:size]
	}
	wide = wide[:size]
	switch p.kind {
	case graph.Int4:
		p.widenNibbles(wide, panel, from, depth)
	case graph.Float16:
		p.table.FromFloat16(wide, graph.View[uint16](p.bytes(panel, from, depth)))
	case graph.Int8:
		p.table.FromInt8OfColumns(wide, graph.View[int8](p.bytes(panel, from, depth)), p.scales[panel*width:][:width], p.zero)
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
	bytes := p.bytes(panel, from, depth)
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(bytes))), len(bytes)/4)
}

// scratch is how many floats panel needs for up to most elements of depth.
func (p *packed) scratch(most int) int {
	if p.stored == nil {
		return 0
	}
	return most * p.table.Columns
}

// packScales makes scales [depth/block][panels][Columns] of those of the channels
// from first on.
func (p *packed) packScales(s *storedWeights, first int) {
	p.block = p.depth
	if s.block > 0 {
		p.block = s.block
	}
	n := p.depth / p.block
	row := p.panels() * p.table.Columns
	p.scales = make([]float32, n*row)
	for i := range p.columns {
		for k := range n {
			p.scales[k*row+i] = s.scales[((first+i)*n+k)%len(s.scales)]
		}
	}
}
