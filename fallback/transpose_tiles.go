package fallback

import (
	"unsafe"

	"nanoflux/fallback/simd"
	"nanoflux/graph"
)

// transposition is a move whose source runs along one dimension and whose
// destination along another: matrices to transpose, one for each index of the
// dimensions between them.
type transposition struct {
	outer move
	// rows and columns of a matrix, as the source has them, with the distances
	// of rows there and of columns in the destination.
	rows, columns        int
	dstStride, srcStride int
}

// leastTransposed is how many rows and columns make a matrix worth a call.
const leastTransposed = 4

// transposed sees a merged move as a transposition, if it is one.
func (m move) transposed() (t transposition, ok bool) {
	row, column := -1, -1
	for i := range m.shape {
		switch {
		case m.to[i] == 1 && m.from[i] > 1:
			row = i
		case m.from[i] == 1 && m.to[i] > 1:
			column = i
		}
	}
	if row < 0 || column < 0 {
		return t, false
	}
	t = transposition{rows: m.shape[row], columns: m.shape[column], dstStride: m.to[column], srcStride: m.from[row]}
	if t.rows < leastTransposed || t.columns < leastTransposed || t.dstStride < t.rows || t.srcStride < t.columns {
		return t, false
	}
	t.outer = move{toAt: m.toAt, fromAt: m.fromAt}
	for i, d := range m.shape {
		if i != row && i != column {
			t.outer.shape = append(t.outer.shape, d)
			t.outer.to, t.outer.from = append(t.outer.to, m.to[i]), append(t.outer.from, m.from[i])
		}
	}
	return t, true
}

// stripRows is how many rows of a matrix are transposed at a time.
const stripRows = 64

// stripsOf is the number of strips of a matrix.
func (t *transposition) stripsOf() int { return (t.rows + stripRows - 1) / stripRows }

// strips is the number of strips of all matrices.
func (t *transposition) strips() int { return sizeOf(t.outer.shape) * t.stripsOf() }

// run transposes strips [from, to) of elements of size bytes, which transposes
// must take.
func (t *transposition) run(dst, src []byte, size, from, to int) {
	outerTo, outerFrom := walk{t.outer.shape, t.outer.to}, walk{t.outer.shape, t.outer.from}
	for i := from; i < to; i++ {
		matrix, row := i/t.stripsOf(), i%t.stripsOf()*stripRows
		part := *t
		part.rows = min(stripRows, t.rows-row)
		part.matrix(dst, src, size, t.outer.toAt+outerTo.offset(matrix)+row, t.outer.fromAt+outerFrom.offset(matrix)+row*t.srcStride)
	}
}

// transposes reports whether transposition.run takes these arrays.
func transposes(dst, src []byte, size int) bool {
	return size == 1 || size == 4 && aligned4(dst) && aligned4(src)
}

func aligned4(b []byte) bool { return uintptr(unsafe.Pointer(unsafe.SliceData(b)))%4 == 0 }

// matrix transposes one matrix, whose first elements are at the given places.
func (t *transposition) matrix(dst, src []byte, size, at, from int) {
	if size == 4 {
		simd.Active().Transpose(graph.View[float32](dst)[at:], graph.View[float32](src)[from:], t.rows, t.columns, t.dstStride, t.srcStride)
		return
	}
	// Blocks whose lines stay in the cache.
	const block = 16
	for c := 0; c < t.columns; c += block {
		end := min(t.columns, c+block)
		for r := range t.rows {
			k := at + c*t.dstStride + r
			for _, v := range src[from+r*t.srcStride+c : from+r*t.srcStride+end] {
				dst[k] = v
				k += t.dstStride
			}
		}
	}
}
