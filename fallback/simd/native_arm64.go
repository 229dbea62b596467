package simd

//go:noescape
func packNEON(n int, dst *float32, height int, src *float32, stride int)

func packFourNEON(n int, dst []float32, height int, src []float32, stride int) {
	packNEON(n, &dst[0], height, &src[0], stride)
}

func packRowsNEON(dst, src []float32, rows, height, depth, stride int) {
	packRows(dst, src, rows, height, depth, stride, 4, packFourNEON)
}

func transposeNEON(dst, src []float32, rows, columns, dstStride, srcStride int) {
	transpose(dst, src, rows, columns, dstStride, srcStride, 4, packFourNEON)
}

// native: every arm64 CPU has NEON.
func native() []*Table {
	return withIntegers(&Table{Name: "neon", Rows: 8, Columns: 12, Depth: 384, Tiles: 16, PackRows: packRowsNEON, Transpose: transposeNEON, Depthwise: depthwiseOfNEON, Vector: vectorNEON, Heights: []int{1, 2, 4, 8}, Widths: []int{4, 8, 12}, Multiply: multiplyNEON, MultiplyFrom: multiplyNEONFrom, MultiplyRows: multiplyRowsNEON})
}
