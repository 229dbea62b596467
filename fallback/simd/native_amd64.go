package simd

import "golang.org/x/sys/cpu"

//go:noescape
func packAVX2(n int, dst *float32, height int, src *float32, stride int)

func packFourAVX2(n int, dst []float32, height int, src []float32, stride int) {
	packAVX2(n, &dst[0], height, &src[0], stride)
}

func packRowsAVX2(dst, src []float32, rows, height, depth, stride int) {
	packRows(dst, src, rows, height, depth, stride, 8, packFourAVX2)
}

func transposeAVX2(dst, src []float32, rows, columns, dstStride, srcStride int) {
	transpose(dst, src, rows, columns, dstStride, srcStride, 8, packFourAVX2)
}

//go:noescape
func features() uint32

func native() []*Table {
	var list []*Table
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		const f16c = 1 << 29
		if features()&f16c == 0 { // some emulators leave it out
			vectorAVX2.FromFloat16, vectorAVX2.ToFloat16 = vectorGeneric.FromFloat16, vectorGeneric.ToFloat16
		}
		list = append(list, &Table{Name: "avx2", Rows: 6, Columns: 16, Depth: 768, Tiles: 32, PackRows: packRowsAVX2, Transpose: transposeAVX2, Depthwise: depthwiseOfAVX2, Vector: vectorAVX2, Heights: []int{1, 2, 4, 6}, Widths: []int{8, 16}, Multiply: multiplyAVX2, MultiplyFrom: multiplyAVX2From, MultiplyRows: multiplyRowsAVX2})
	}
	if cpu.X86.HasAVX512F {
		list = append(list, &Table{Name: "avx512", Rows: 12, Columns: 32, Depth: 768, Tiles: 44, PackRows: packRowsAVX2, Transpose: transposeAVX2, Depthwise: depthwiseOfAVX512, Vector: vectorAVX512, Heights: []int{1, 2, 4, 8, 12}, Widths: []int{16, 32}, Multiply: multiplyAVX512, MultiplyFrom: multiplyAVX512From, MultiplyRows: multiplyRowsAVX512})
	}
	return withIntegers(list)
}
