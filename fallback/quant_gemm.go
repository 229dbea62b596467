package fallback

import (
	"sync"

	"nanoflux/fallback/simd"
)

// exactDepth is how many products of two integers of at most 255 float32 adds
// without rounding: 256 · 255² < 2²⁴. Blocks of that depth go through the
// float32 tiles, and their sums are added as integers.
const exactDepth = 256

// integerProduct is a matrix product of small integers, rows · wᵀ, exact as
// long as the sums fit int32.
type integerProduct[W int8 | uint8] struct {
	pool *pool
	rows int
	// row gives the left-hand side, less its zero point.
	row rowSource
	// w is [columns, depth], zero its zero point.
	w              []W
	zero           int32
	columns, depth int
	// finish takes the sums of columns [column, column+len(sums)) of a row. It
	// is called by several goroutines.
	finish func(row, column int, sums []int32)
}

func (p *integerProduct[W]) run() {
	if p.rows == 0 || p.columns == 0 {
		return
	}
	const little = 1 << 15 // products worth a goroutine
	if p.rows == 1 {
		x, sum := p.integerRow()
		p.pool.chunks(p.columns, 1+little/max(1, p.depth), func(from, to int) {
			sums := takeIntegers(to - from)
			defer sums.give()
			for c := from; c < to; c++ {
				sums.data[c-from] = dot(x.data, p.w[c*p.depth:(c+1)*p.depth]) - p.zero*sum
			}
			p.finish(0, from, sums.data)
		})
		x.give()
		return
	}
	table := simd.Active()
	const tilesABlock = 16
	rowsABlock := table.Rows * tilesABlock
	blocks := (p.rows + rowsABlock - 1) / rowsABlock
	panels := (p.columns + table.Columns - 1) / table.Columns
	work := func(i, parts int) {
		block, part := i/parts, i%parts
		first := block * rowsABlock
		p.block(table, first, min(rowsABlock, p.rows-first), panels*part/parts, panels*(part+1)/parts)
	}
	if p.rows*p.columns*p.depth <= little {
		for i := range blocks {
			work(i, 1)
		}
		return
	}
	parts := 1
	if blocks < 2*p.pool.threads {
		parts = min(panels, p.pool.threads)
	}
	p.pool.each(blocks*parts, func(i int) { work(i, parts) })
}

// integerRow is the only row as integers, and its sum.
func (p *integerProduct[W]) integerRow() (*integers, int32) {
	floats := takeScratch(p.depth)
	defer floats.give()
	p.row(floats.data, 0, 0)
	x := takeIntegers(p.depth)
	sum := int32(0)
	for i, v := range floats.data {
		x.data[i] = int32(v)
		sum += int32(v)
	}
	return x, sum
}

// dot is the scalar product, in four sums.
func dot[W int8 | uint8](x []int32, w []W) int32 {
	var s0, s1, s2, s3 int32
	for len(x) >= 4 && len(w) >= 4 {
		s0 += x[0] * int32(w[0])
		s1 += x[1] * int32(w[1])
		s2 += x[2] * int32(w[2])
		s3 += x[3] * int32(w[3])
		x, w = x[4:], w[4:]
	}
	for i, v := range w {
		s0 += x[i] * int32(v)
	}
	return s0 + s1 + s2 + s3
}

// block computes rows [first, first+n) for panels [fromPanel, toPanel).
func (p *integerProduct[W]) block(table *simd.Table, first, n, fromPanel, toPanel int) {
	tiles := (n + table.Rows - 1) / table.Rows
	depth := min(exactDepth, p.depth)
	tile := table.Rows * table.Columns
	floats := takeScratch(tiles*table.Rows*depth + table.Columns*depth + depth + tile)
	defer floats.give()
	rest := floats.data
	cut := func(n int) []float32 {
		part := rest[:n:n]
		rest = rest[n:]
		return part
	}
	left, right, row, result := cut(tiles*table.Rows*depth), cut(table.Columns*depth), cut(depth), cut(tile)

	fromColumn := fromPanel * table.Columns
	columns := min(toPanel*table.Columns, p.columns) - fromColumn
	sums := takeIntegers(n * columns)
	defer sums.give()
	clear(sums.data)
	for from := 0; from < p.depth; from += exactDepth {
		depth := min(exactDepth, p.depth-from)
		packRows(p.row, table.Rows, left, row[:depth], first, n, from)
		for panel := fromPanel; panel < toPanel; panel++ {
			column := panel * table.Columns
			count := min(table.Columns, p.columns-column)
			p.packPanel(right, table.Columns, column, count, from, depth)
			for t := range tiles {
				clear(result)
				table.Multiply(depth, left[t*table.Rows*depth:][:table.Rows*depth], right[:table.Columns*depth], result, table.Columns)
				for i := range min(table.Rows, n-t*table.Rows) {
					to := sums.data[(t*table.Rows+i)*columns+column-fromColumn:][:count]
					for j, v := range result[i*table.Columns:][:count] {
						to[j] += int32(v)
					}
				}
			}
		}
	}
	for i := range n {
		p.finish(first+i, fromColumn, sums.data[i*columns:(i+1)*columns])
	}
}

// packPanel writes weights [column, column+count) at depth [from, from+depth)
// as [depth][width], missing columns as zero.
func (p *integerProduct[W]) packPanel(dst []float32, width, column, count, from, depth int) {
	if count < width {
		clear(dst[:width*depth])
	}
	for j := range count {
		at := j
		for _, v := range p.w[(column+j)*p.depth+from:][:depth] {
			dst[at] = float32(int32(v) - p.zero)
			at += width
		}
	}
}

// integers is scratch memory, as scratch is.
type integers struct{ data []int32 }

var integerScratches = sync.Pool{New: func() any { return &integers{} }}

// takeIntegers returns n integers of unspecified content; give brings them back.
func takeIntegers(n int) *integers {
	s := integerScratches.Get().(*integers)
	if cap(s.data) < n {
		s.data = make([]int32, n)
	}
	s.data = s.data[:n]
	return s
}

func (s *integers) give() { integerScratches.Put(s) }
