package fallback

import (
	"nanoflux/fallback/simd"
	"nanoflux/graph"
)

// packed is the right-hand side of a matrix product, w [columns, depth], in the
// layout that the tiles read: for each block of depth, for each panel of
// table.Columns columns, [depth][table.Columns]. Missing columns are zero.
type packed struct {
	table          *simd.Table
	columns, depth int
	data           []float32

	// In place of data: panels of the type in the file (stored.go), Float16, or
	// Int8 and Int4 that are (x − zero)·scales[depth/block][panel][column].
	kind   graph.TensorType
	stored []byte
	scales []float32
	block  int
	zero   float32

	// What is being packed: element (column, k) of w is w[column·columnStride +
	// k·depthStride].
	w                         []float32
	columnStride, depthStride int
	part                      func(i int) // packPart, made once
}

func (p *packed) panels() int { return (p.columns + p.table.Columns - 1) / p.table.Columns }

// packColumns packs w, whose element (column, k) is w[column·columnStride +
// k·depthStride]; it reuses p's memory when p is not nil.
func packColumns(p *packed, pool *pool, w []float32, columns, depth, columnStride, depthStride int) *packed {
	if p == nil {
		p = &packed{table: simd.Active()}
	}
	if p.part == nil {
		p.part = p.packPart
	}
	p.columns, p.depth = columns, depth
	p.w, p.columnStride, p.depthStride = w, columnStride, depthStride
	size := p.panels() * p.table.Columns * depth
	if cap(p.data) < size {
		p.data = make([]float32, size)
	}
	p.data = p.data[:size]
	parts := (depth + p.table.Depth - 1) / p.table.Depth * p.panels()
	if size < 1<<15 {
		pool.inline(parts, p.part)
	} else {
		pool.each(parts, p.part)
	}
	p.w = nil
	return p
}

// packPart packs a panel of a block of depth.
func (p *packed) packPart(i int) {
	from, panel, n := p.place(i)
	width, column := p.table.Columns, panel*p.table.Columns
	dst := p.data[from*p.panels()*width+panel*n*width:]
	packPanel(dst[:width*n], p.w[column*p.columnStride+from*p.depthStride:], width, min(width, p.columns-column), n, p.columnStride, p.depthStride)
}

// place is which panel part i is, and of which n elements of depth.
func (p *packed) place(i int) (from, panel, n int) {
	from, panel = i/p.panels()*p.table.Depth, i%p.panels()
	return from, panel, min(p.table.Depth, p.depth-from)
}

// leftRows is the left-hand side of a product: the rows of a matrix, or the
// windows of a convolution.
type leftRows struct {
	// data holds element k of row r at r·stride + k·step. With windows, it is
	// the image.
	data         []float32
	stride, step int
	windows      *convolution
	group        int
}

// product is a matrix product out = left · wᵀ with an epilogue. A node makes one
// and fills in the data at each run.
type product struct {
	pool *pool
	rows int
	left leftRows
	w    *packed
	// out is [rows][stride], of which columns are written.
	out    []float32
	stride int
	// bias [columns] or nil; act is applied at the end.
	bias []float32
	act  activation
	// then is called for rows [first, last) when they are complete; nil for
	// none. Goroutines call it for ranges of their own.
	then func(first, last int)

	// How the work is split: into rowParts × columnParts, of tiles and panels.
	rowParts, columnParts int
	part                  func(i int) // computePart, made once
}

const (
	// littleWork is how many multiplications are not worth a goroutine.
	littleWork = 1 << 18
	// cachedWeights is how many floats of weights stay in a second-level cache.
	cachedWeights = 1 << 18
)

// run computes the product. Rows are split over goroutines where weights are
// few, so that what follows can run on them; otherwise columns, so that weights
// come from memory once for each block of rows and not for each goroutine, too.
// The sums of an element are in one order either way.
func (p *product) run() {
	if p.rows == 0 || p.w.columns == 0 {
		return
	}
	tiles := (p.rows + p.w.table.Rows - 1) / p.w.table.Rows
	p.rowParts, p.columnParts = (tiles+p.w.table.Tiles-1)/p.w.table.Tiles, 1
	threads := p.pool.threads
	switch small := p.w.columns*p.w.depth <= cachedWeights; {
	case threads == 1 || p.rows*p.w.columns*p.w.depth <= littleWork:
		for i := 0; i < p.rowParts && !p.pool.stopped(); i++ {
			p.computePart(i)
		}
		return
	case small && (tiles >= 2*threads || p.then != nil && tiles >= threads):
		// A multiple of the threads, so that all end at once.
		p.rowParts = min(tiles, (p.rowParts+threads-1)/threads*threads)
	default:
		p.columnParts = min(p.w.panels(), threads)
	}
	if p.part == nil {
		p.part = p.computePart
	}
	p.pool.each(p.rowParts*p.columnParts, p.part)
	if p.then != nil && p.columnParts > 1 && !p.pool.stopped() {
		p.pool.chunks(p.rows, 1+leastRowWork/p.w.columns, p.then)
	}
}

// computePart computes part i of the product.
func (p *product) computePart(i int) {
	row, column := i/p.columnParts, i%p.columnParts
	height, panels := p.w.table.Rows, p.w.panels()
	tiles := (p.rows + height - 1) / height
	first := tiles * row / p.rowParts * height
	last := min(p.rows, tiles*(row+1)/p.rowParts*height)
	p.block(first, last-first, panels*column/p.columnParts, panels*(column+1)/p.columnParts)
	if p.then != nil && p.columnParts == 1 {
		p.then(first, last)
	}
}

// block computes rows [first, first+n) for panels [fromPanel, toPanel).
func (p *product) block(first, n, fromPanel, toPanel int) {
	if p.unpacked() {
		p.blockUnpacked(first, n, fromPanel, toPanel)
	} else {
		p.blockPacked(first, n, fromPanel, toPanel)
	}
	if p.act == nil {
		return
	}
	fromColumn, toColumn := fromPanel*p.w.table.Columns, min(toPanel*p.w.table.Columns, p.w.columns)
	if toColumn-fromColumn == p.stride {
		p.act(p.out[first*p.stride : (first+n)*p.stride])
		return
	}
	for i := range n {
		p.act(p.out[(first+i)*p.stride+fromColumn : (first+i)*p.stride+toColumn])
	}
}

// blockPacked packs the rows for the tiles.
func (p *product) blockPacked(first, n, fromPanel, toPanel int) {
	table, w := p.w.table, p.w
	tiles := (n + table.Rows - 1) / table.Rows
	most := min(table.Depth, w.depth)
	scratch := takeScratch((tiles*table.Rows+1)*most + table.Rows*table.Columns + table.Columns + w.scratch(most))
	defer scratch.give()
	left, rest := scratch.data[:tiles*table.Rows*most], scratch.data[tiles*table.Rows*most:]
	row, rest := rest[:most], rest[most:]
	edge, rest := rest[:table.Rows*table.Columns], rest[table.Rows*table.Columns:]
	start, wide := rest[:table.Columns], rest[table.Columns:]

	for from := 0; from < w.depth; from += table.Depth {
		depth := min(table.Depth, w.depth-from)
		packLeft(&p.left, table, left, row, first, n, from, depth)
		for panel := fromPanel; panel < toPanel; panel++ {
			right := w.panel(panel, from, depth, wide)
			column := panel * table.Columns
			width := min(table.Columns, w.columns-column)
			tileWidth := table.Width(width)
			if from == 0 {
				clear(start)
				if p.bias != nil {
					copy(start, p.bias[column:column+width])
				}
			}
			// The next panel comes from memory while this one is used.
			var next []float32
			if panel+1 < toPanel {
				next = w.memory(panel+1, from, depth)
			}
			for tile := range tiles {
				simd.Prefetch(next[len(next)*tile/tiles : len(next)*(tile+1)/tiles])
				r := tile * table.Rows
				count := min(table.Rows, n-r)
				height := table.Height(count)
				a := left[r*depth:][:height*depth]
				out := p.out[(first+r)*p.stride+column:]
				whole := width == tileWidth && height == count
				switch {
				case whole && from == 0:
					table.MultiplyFrom(height, tileWidth, depth, a, right, out, p.stride, start)
				case whole:
					table.Multiply(height, tileWidth, depth, a, right, out, p.stride)
				case from == 0:
					table.MultiplyFrom(height, tileWidth, depth, a, right, edge, table.Columns, start)
					for i := range count {
						copy(out[i*p.stride:][:width], edge[i*table.Columns:])
					}
				default:
					clear(edge)
					table.Multiply(height, tileWidth, depth, a, right, edge, table.Columns)
					for i := range count {
						row := out[i*p.stride:][:width]
						vectors.Add(row, row, edge[i*table.Columns:])
					}
				}
			}
		}
	}
}

// packLeft packs elements [from, from+depth) of rows [first, first+n) for tiles
// of the table's: [tile][depth][height], the last tile of as many rows as are
// left over; missing rows are zero. row is scratch for a row.
func packLeft(l *leftRows, table *simd.Table, left, row []float32, first, n, from, depth int) {
	for r := 0; r < n; r += table.Rows {
		count := min(table.Rows, n-r)
		height := table.Height(count)
		dst := left[r*depth:][:height*depth]
		if l.windows == nil {
			packPanel(dst, l.data[(first+r)*l.stride+from*l.step:], height, count, depth, l.stride, l.step)
			continue
		}
		if count < height {
			clear(dst)
		}
		l.windows.pack(dst, l.data, l.group, first+r, count, height, row[:depth], from)
	}
}

// packPanel writes count rows of depth elements as [depth][height], missing rows
// as zero. Rows are rowStride apart, their elements step.
func packPanel(dst, src []float32, height, count, depth, rowStride, step int) {
	if count < height {
		clear(dst)
	}
	switch {
	case step == 1:
		simd.Active().PackRows(dst, src, count, height, depth, rowStride)
	case rowStride == 1:
		for k := range depth {
			copy(dst[k*height:][:count], src[k*step:])
		}
	default:
		for i := range count {
			from, at := src[i*rowStride:], i
			for k := range depth {
				dst[at] = from[k*step]
				at += height
			}
		}
	}
}
