package simd

// generic is plain Go, for every platform; the others are measured against it.
var generic = Table{Name: "generic", Rows: 4, Columns: genericColumns, Heights: []int{4}, Widths: []int{genericColumns}, Depth: 384, Tiles: 16, PackRows: packGeneric, Transpose: transposeGeneric, Depthwise: depthwiseOfGeneric, Vector: vectorGeneric, Multiply: multiplyGeneric, MultiplyFrom: multiplyGenericFrom, Integer: genericInteger}

// genericColumns is the width of multiplyGeneric's tile.
const genericColumns = 2

// multiplyGeneric keeps a 4×2 tile in registers: with the operands that is as
// much as the 16 registers of amd64 hold. The explicit conversions forbid fused
// multiply-add, so that the result is the same on every platform.
func multiplyGeneric(_, _, depth int, a, b, c []float32, stride int) {
	var c00, c01, c10, c11, c20, c21, c30, c31 float32
	a, b = a[:4*depth], b[:2*depth]
	for len(a) >= 4 && len(b) >= 2 {
		b0, b1 := b[0], b[1]
		a0, a1 := a[0], a[1]
		c00 += float32(a0 * b0)
		c01 += float32(a0 * b1)
		c10 += float32(a1 * b0)
		c11 += float32(a1 * b1)
		a2, a3 := a[2], a[3]
		c20 += float32(a2 * b0)
		c21 += float32(a2 * b1)
		c30 += float32(a3 * b0)
		c31 += float32(a3 * b1)
		a, b = a[4:], b[2:]
	}
	r := c[:2]
	r[0], r[1] = r[0]+c00, r[1]+c01
	r = c[stride : stride+2]
	r[0], r[1] = r[0]+c10, r[1]+c11
	r = c[2*stride : 2*stride+2]
	r[0], r[1] = r[0]+c20, r[1]+c21
	r = c[3*stride : 3*stride+2]
	r[0], r[1] = r[0]+c30, r[1]+c31
}

func multiplyGenericFrom(rows, columns, depth int, a, b, c []float32, stride int, row []float32) {
	for i := range 4 {
		copy(c[i*stride:], row[:2])
	}
	multiplyGeneric(rows, columns, depth, a, b, c, stride)
}
