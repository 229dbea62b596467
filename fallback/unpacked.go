package fallback

import "nanoflux/fallback/simd"

// Products of few columns read the rows of the left-hand side where they lie:
// packing them would take as long as the product. The windows of a convolution
// lie in a copy of the image's lines with their padding.

// unpackedPanels is up to how many panels of columns rows are not packed.
const unpackedPanels = 4

// unpacked reports whether the product needs no packed rows.
func (p *product) unpacked() bool {
	if p.w.table.MultiplyRows == nil || p.w.stored != nil || p.w.panels() > unpackedPanels {
		return false
	}
	if c := p.left.windows; c != nil {
		return c.groups == 1 && c.w.dilation == 1
	}
	return p.left.step == 1
}

// rowRuns are rows at equal distances.
type rowRuns struct {
	data []float32 // from the first row on
	runs simd.Runs // of a whole row
	out  int       // where the first row's results go, a row of the product
	n    int       // rows
}

// blockUnpacked is block without packing.
func (p *product) blockUnpacked(first, n, fromPanel, toPanel int) {
	if c := p.left.windows; c != nil {
		c.lines(p.left.data, first, n, func(r rowRuns) { p.panelsOf(r, fromPanel, toPanel) })
		return
	}
	l := &p.left
	p.panelsOf(rowRuns{data: l.data[first*l.stride:], runs: simd.Runs{Count: 1, Length: p.w.depth, Step: l.stride}, out: first, n: n}, fromPanel, toPanel)
}

// panelsOf multiplies rows with panels [fromPanel, toPanel).
func (p *product) panelsOf(r rowRuns, fromPanel, toPanel int) {
	table, w := p.w.table, p.w
	scratch := takeScratch(table.Rows*table.Columns + table.Columns)
	defer scratch.give()
	edge, start := scratch.data[:table.Rows*table.Columns], scratch.data[table.Rows*table.Columns:]
	for panel := fromPanel; panel < toPanel; panel++ {
		column := panel * table.Columns
		width := min(table.Columns, w.columns-column)
		clear(start)
		if p.bias != nil {
			copy(start, p.bias[column:column+width])
		}
		tileWidth := table.Width(width)
		for from := 0; from < w.depth; from += table.Depth {
			depth := min(table.Depth, w.depth-from)
			right := w.data[from*w.panels()*table.Columns+panel*depth*table.Columns:][:depth*table.Columns]
			// Parts of runs, and as many whole ones as follow one another.
			for k := from; k < from+depth; {
				part, at := r.runs, k%r.runs.Length
				left := from + depth - k
				part.Count, part.Length = 1, min(left, part.Length-at)
				if at == 0 && left >= r.runs.Length {
					part.Count, part.Length = left/r.runs.Length, r.runs.Length
				}
				row := start[:tileWidth]
				if k > 0 {
					row = nil
				}
				p.tilesOf(r, part, r.data[k/r.runs.Length*r.runs.Apart+at:], right[(k-from)*table.Columns:], edge, row, column, width)
				k += part.Depth()
			}
		}
	}
}

// tilesOf multiplies part of the rows, whose first begins at a, with part of a
// panel, width columns from column on.
func (p *product) tilesOf(r rowRuns, part simd.Runs, a, right, edge, row []float32, column, width int) {
	table := p.w.table
	tileWidth := table.Width(width)
	for done := 0; done < r.n; {
		height := highest(table.Heights, r.n-done)
		out := p.out[(r.out+done)*p.stride+column:]
		tile := a[done*part.Step:]
		done += height
		if width == tileWidth {
			table.MultiplyRows(height, tileWidth, part, tile, right, out, p.stride, row)
			continue
		}
		if row == nil {
			for i := range height {
				copy(edge[i*tileWidth:][:width], out[i*p.stride:])
			}
		}
		table.MultiplyRows(height, tileWidth, part, tile, right, edge, tileWidth, row)
		for i := range height {
			copy(out[i*p.stride:][:width], edge[i*tileWidth:])
		}
	}
}

// highest is the largest height that is no more than n.
func highest(heights []int, n int) int {
	best := heights[0]
	for _, h := range heights {
		if h <= n {
			best = h
		}
	}
	return best
}

// lines calls f for the windows of output positions [first, first+n), line by
// line.
func (c *convolution) lines(x []float32, first, n int, f func(rowRuns)) {
	image := c.h.in * c.w.in * c.channels
	span := (c.h.kernel-1)*c.h.dilation + 1
	inside := c.h.before == 0 && c.w.before == 0 && (c.h.out-1)*c.h.stride+span <= c.h.in && (c.w.out-1)*c.w.stride+c.w.kernel <= c.w.in
	width := c.w.in
	if !inside {
		width = (c.w.out-1)*c.w.stride + c.w.kernel
	}
	line := width * c.channels
	runs := simd.Runs{Count: c.h.kernel, Length: c.w.kernel * c.channels, Step: c.w.stride * c.channels, Apart: c.h.dilation * line}
	end := first + n
	for first < end {
		// As many lines of one image as there are.
		b, y := first/(c.w.out*c.h.out), first/c.w.out%c.h.out
		last := min(end, (b+1)*c.w.out*c.h.out)
		lastY := (last - 1) / c.w.out % c.h.out
		lines, top := x[b*image:][:image], y*c.h.stride
		if !inside {
			rows := (lastY-y)*c.h.stride + span
			scratch := takeScratch(rows * line)
			c.padded(scratch.data, lines, y*c.h.stride-c.h.before, rows, width)
			c.positions(scratch.data, line, runs, first, last, y, f)
			scratch.give()
		} else {
			c.positions(lines[top*line:], line, runs, first, last, y, f)
		}
		first = last
	}
}

// positions calls f for output positions [first, last), whose first line y has
// its windows in data from the beginning on.
func (c *convolution) positions(data []float32, line int, runs simd.Runs, first, last, y int, f func(rowRuns)) {
	for at := y; first < last; at++ {
		x := first % c.w.out
		n := min(c.w.out-x, last-first)
		f(rowRuns{data: data[(at-y)*c.h.stride*line+x*runs.Step:], runs: runs, out: first, n: n})
		first += n
	}
}

// padded copies rows of width pixels of an image, the first of them line top,
// each from the padding on; what lies outside is zero.
func (c *convolution) padded(dst, image []float32, top, rows, width int) {
	before := c.w.before * c.channels
	inside := min(c.w.in, width-c.w.before) * c.channels
	for i := range rows {
		row := dst[i*width*c.channels:][:width*c.channels]
		y := top + i
		if y < 0 || y >= c.h.in {
			clear(row)
			continue
		}
		clear(row[:before])
		copy(row[before:before+inside], image[y*c.w.in*c.channels:])
		clear(row[before+inside:])
	}
}
