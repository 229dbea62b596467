package fallback

import "nanoflux/graph"

// Panels of 4-bit integers have two rows in one, of as many bytes as columns: the
// lower halves are the first rows, the upper ones those after them.

// nibbleRows is how many rows of bytes depth integers of a column take.
func nibbleRows(depth int) int { return (depth + 1) / 2 }

// bytes is where the panel of elements [from, from+depth) lies in p.stored; only
// the last elements of depth are an odd number.
func (p *packed) bytes(panel, from, depth int) []byte {
	width := p.table.Columns
	switch p.kind {
	case graph.Int4:
		rows := nibbleRows(depth)
		return p.stored[(from/2*p.panels()+panel*rows)*width:][:rows*width]
	case graph.Float16:
		return p.stored[2*(from*p.panels()+panel*depth)*width:][:2*depth*width]
	}
	return p.stored[(from*p.panels()+panel*depth)*width:][:depth*width]
}

// packNibbles is packStored of 4-bit integers, those of data from offset on.
func packNibbles(p *packed, i int, data []byte, offset int) {
	from, panel, n := p.place(i)
	width, column := p.table.Columns, panel*p.table.Columns
	dst, half := p.bytes(panel, from, n), nibbleRows(n)
	for c := range min(width, p.columns-column) {
		first := offset + (column+c)*p.depth + from
		for k := range half {
			dst[k*width+c] = byte(nibble(data, first+k)) & 15
		}
		for k := half; k < n; k++ {
			dst[(k-half)*width+c] |= byte(nibble(data, first+k)) << 4
		}
	}
}

// widenNibbles writes the panel of elements [from, from+depth) of its columns.
func (p *packed) widenNibbles(wide []float32, panel, from, depth int) {
	width, half := p.table.Columns, nibbleRows(depth)
	integers := graph.View[int8](p.bytes(panel, from, depth))
	for k := 0; k < depth; {
		// As many rows as are in one block and one half.
		block, end, row, widen := (from+k)/p.block, half, k, p.table.FromLowerInt4OfColumns
		if k >= half {
			end, row, widen = depth, k-half, p.table.FromUpperInt4OfColumns
		}
		n := min(end-k, (block+1)*p.block-from-k)
		scales := p.scales[(block*p.panels()+panel)*width:][:width]
		widen(wide[k*width:][:n*width], integers[row*width:][:n*width], scales, p.zero)
		k += n
	}
}
