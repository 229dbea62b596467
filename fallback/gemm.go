package fallback

import (
	"nanoflux/fallback/simd"
)

// depthBlock is how much of the inner dimension a panel covers: a tile's part
// of both operands then stays in the first-level cache.
const depthBlock = 384

// packed is the right-hand side of a matrix product, w [columns, depth], in the
// layout that the tiles read: for each block of depth, for each panel of
// table.Columns columns, [depth][table.Columns]. Missing columns are zero.
type packed struct {
	table          *simd.Table
	columns, depth int
	data           []float32
}

func (p *packed) panels() int { return (p.columns + p.table.Columns - 1) / p.table.Columns }

// packColumns packs w, whose element (column, k) is w[column·columnStride +
// k·depthStride]; it reuses p's memory when p is not nil.
func packColumns(p *packed, pool *pool, w []float32, columns, depth, columnStride, depthStride int) *packed {
	if p == nil {
		p = &packed{table: simd.Active()}
	}
	p.columns, p.depth = columns, depth
	width := p.table.Columns
	size := p.panels() * width * depth
	if cap(p.data) < size {
		p.data = make([]float32, size)
	}
	p.data = p.data[:size]
	blocks := (depth + depthBlock - 1) / depthBlock
	panels := p.panels()
	pack := func(i int) {
		block, panel := i/panels, i%panels
		from := block * depthBlock
		n := min(depthBlock, depth-from)
		dst := p.data[from*panels*width+panel*n*width:]
		for j := range width {
			column := panel*width + j
			if column >= columns {
				for k := range n {
					dst[k*width+j] = 0
				}
				continue
			}
			src := w[column*columnStride+from*depthStride:]
			for k := range n {
				dst[k*width+j] = src[k*depthStride]
			}
		}
	}
	if size < 1<<15 {
		for i := range blocks * panels {
			pack(i)
		}
	} else {
		pool.each(blocks*panels, pack)
	}
	return p
}

// rowSource gives the rows of the left-hand side: it writes elements [from,
// from+n) of a row into dst, which has length n. Rows may be read by several
// goroutines.
type rowSource func(dst []float32, row, from int)

// product is a matrix product out = rows · wᵀ with an epilogue.
type product struct {
	pool *pool
	rows int
	row  rowSource
	w    *packed
	// out is [rows][stride], of which columns are written.
	out    []float32
	stride int
	// bias [columns] or nil; act is applied at the end.
	bias []float32
	act  activation
}

// run computes the product. Rows are split over goroutines where there are
// many, columns where there are few; the sums of an element are in one order
// either way.
func (p *product) run() {
	if p.rows == 0 || p.w.columns == 0 {
		return
	}
	table := p.w.table
	const tilesABlock = 8
	rowsABlock := table.Rows * tilesABlock
	blocks := (p.rows + rowsABlock - 1) / rowsABlock
	panels := p.w.panels()
	parts := 1
	if work := p.rows * p.w.columns * p.w.depth; blocks < 2*p.pool.threads && work > 1<<16 {
		parts = min(panels, p.pool.threads)
	}
	if p.rows*p.w.columns*p.w.depth <= 1<<16 {
		for block := range blocks {
			p.block(block*rowsABlock, min(rowsABlock, p.rows-block*rowsABlock), 0, panels)
		}
		return
	}
	p.pool.each(blocks*parts, func(i int) {
		block, part := i/parts, i%parts
		p.block(block*rowsABlock, min(rowsABlock, p.rows-block*rowsABlock), panels*part/parts, panels*(part+1)/parts)
	})
}

// block computes rows [first, first+n) for panels [fromPanel, toPanel).
func (p *product) block(first, n, fromPanel, toPanel int) {
	table, w := p.w.table, p.w
	tiles := (n + table.Rows - 1) / table.Rows
	scratch := takeScratch(tiles*table.Rows*min(depthBlock, w.depth) + depthBlock + table.Rows*table.Columns)
	defer scratch.give()
	left := scratch.data[:tiles*table.Rows*min(depthBlock, w.depth)]
	row := scratch.data[len(left):][:depthBlock]
	edge := scratch.data[len(left)+depthBlock:][:table.Rows*table.Columns]

	fromColumn, toColumn := fromPanel*table.Columns, min(toPanel*table.Columns, w.columns)
	for i := range n {
		out := p.out[(first+i)*p.stride:]
		if p.bias != nil {
			copy(out[fromColumn:toColumn], p.bias[fromColumn:toColumn])
		} else {
			clear(out[fromColumn:toColumn])
		}
	}
	for from := 0; from < w.depth; from += depthBlock {
		depth := min(depthBlock, w.depth-from)
		packRows(p.row, table.Rows, left, row[:depth], first, n, from)
		for panel := fromPanel; panel < toPanel; panel++ {
			right := w.data[from*w.panels()*table.Columns+panel*depth*table.Columns:][:depth*table.Columns]
			column := panel * table.Columns
			whole := column+table.Columns <= w.columns
			for tile := range tiles {
				a := left[tile*table.Rows*depth:][:table.Rows*depth]
				r := tile * table.Rows
				out := p.out[(first+r)*p.stride+column:]
				if whole && r+table.Rows <= n {
					table.Multiply(depth, a, right, out, p.stride)
					continue
				}
				clear(edge)
				table.Multiply(depth, a, right, edge, table.Columns)
				for i := range min(table.Rows, n-r) {
					add(out[i*p.stride:][:min(table.Columns, w.columns-column)], edge[i*table.Columns:])
				}
			}
		}
	}
	if p.act != nil {
		for i := range n {
			p.act(p.out[(first+i)*p.stride+fromColumn : (first+i)*p.stride+toColumn])
		}
	}
}

func add(dst, src []float32) {
	src = src[:len(dst)]
	for i := range dst {
		dst[i] += src[i]
	}
}

// packRows packs elements [from, from+len(row)) of n rows for tiles of the given
// height: [tile][depth][height]; missing rows are zero. row is scratch.
func packRows(source rowSource, height int, left, row []float32, first, n, from int) {
	depth := len(row)
	for r := 0; r < n; r += height {
		dst := left[r*depth:][:height*depth]
		for i := range height {
			if r+i >= n {
				for k := i; k < len(dst); k += height {
					dst[k] = 0
				}
				continue
			}
			source(row, first+r+i, from)
			k := i
			for _, v := range row {
				dst[k] = v
				k += height
			}
		}
	}
}

// matrixRows reads the rows of a matrix [rows, stride].
func matrixRows(a []float32, stride int) rowSource {
	return func(dst []float32, row, from int) { copy(dst, a[row*stride+from:]) }
}
