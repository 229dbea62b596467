package simd

import "golang.org/x/sys/cpu"

//go:noescape
func multiplyAVX512(depth int, a, b, c *float32, stride int)

//go:noescape
func multiplyAVX512From(depth int, a, b, c *float32, stride int, row *float32)

//go:noescape
func multiplyAVX2(depth int, a, b, c *float32, stride int)

//go:noescape
func multiplyAVX2From(depth int, a, b, c *float32, stride int, row *float32)

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
		list = append(list, &Table{Name: "avx2", Rows: 6, Columns: 16, Depth: 768, Tiles: 32, PackRows: packRowsAVX2, Transpose: transposeAVX2, Vector: vectorAVX2, Multiply: func(depth int, a, b, c []float32, stride int) {
			checkTile(6, 16, depth, a, b, c, stride)
			multiplyAVX2(depth, &a[0], &b[0], &c[0], stride)
		}, MultiplyFrom: func(depth int, a, b, c []float32, stride int, row []float32) {
			checkTile(6, 16, depth, a, b, c, stride)
			multiplyAVX2From(depth, &a[0], &b[0], &c[0], stride, &row[:16][0])
		}})
	}
	if cpu.X86.HasAVX512F {
		list = append(list, &Table{Name: "avx512", Rows: 12, Columns: 32, Depth: 768, Tiles: 28, PackRows: packRowsAVX2, Transpose: transposeAVX2, Vector: vectorAVX512, Multiply: func(depth int, a, b, c []float32, stride int) {
			checkTile(12, 32, depth, a, b, c, stride)
			multiplyAVX512(depth, &a[0], &b[0], &c[0], stride)
		}, MultiplyFrom: func(depth int, a, b, c []float32, stride int, row []float32) {
			checkTile(12, 32, depth, a, b, c, stride)
			multiplyAVX512From(depth, &a[0], &b[0], &c[0], stride, &row[:32][0])
		}})
	}
	return withIntegers(list)
}
