package simd

// transpose writes columns of src as rows of dst, by a function that transposes
// four rows of a multiple of step columns. It goes by blocks of columns, so that
// the lines of the cache that dst has there are full before they leave it.
func transpose(dst, src []float32, rows, columns, dstStride, srcStride, step int, four func(n int, dst []float32, height int, src []float32, stride int)) {
	checkTranspose(dst, src, rows, columns, dstStride, srcStride)
	whole := columns / step * step
	if rows < 4 {
		whole = 0
	}
	const block = 64
	for from := 0; from < whole; from += block {
		n := min(block, whole-from)
		for r := 0; r < rows; r += 4 {
			r = min(r, rows-4) // the last four may overlap the ones before
			four(n/step, dst[from*dstStride+r:], dstStride, src[r*srcStride+from:], srcStride)
		}
	}
	if whole < columns {
		transposeGeneric(dst[whole*dstStride:], src[whole:], rows, columns-whole, dstStride, srcStride)
	}
}

// checkTranspose panics, as an index out of range would, when a matrix would
// leave its slice.
func checkTranspose(dst, src []float32, rows, columns, dstStride, srcStride int) {
	if rows < 0 || columns < 0 {
		panic("simd: a matrix of negative size")
	}
	if rows > 0 && columns > 0 && (dstStride < rows || srcStride < columns || len(dst) < (columns-1)*dstStride+rows || len(src) < (rows-1)*srcStride+columns) {
		panic("simd: matrix outside its slice")
	}
}

// transposeGeneric is Table.Transpose in plain Go.
func transposeGeneric(dst, src []float32, rows, columns, dstStride, srcStride int) {
	if rows == 0 || columns == 0 {
		return
	}
	checkTranspose(dst, src, rows, columns, dstStride, srcStride)
	const block = 16
	for from := 0; from < columns; from += block {
		to := min(columns, from+block)
		for r := range rows {
			at := from*dstStride + r
			for _, v := range src[r*srcStride+from : r*srcStride+to] {
				dst[at] = v
				at += dstStride
			}
		}
	}
}
