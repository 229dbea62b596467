package simd

// genericInteger is plain Go, for every platform.
var genericInteger = Integer{
	Heights: []int{4, 1}, Columns: 16, Group: 1,
	PackRows:   packRowsGeneric,
	Multiply:   multiplyIntegersGeneric,
	Requantize: requantizeGeneric,
}

func packRowsGeneric(dst, src []byte, offsets []int, n int, flip byte) {
	height := len(offsets)
	for i, o := range offsets {
		for k, v := range src[o:][:n] {
			dst[k*height+i] = v ^ flip
		}
	}
}

func multiplyIntegersGeneric(groups, rows, columns int, left []byte, right []int8, sums []int32, more bool) {
	const width = 16
	if !more {
		clear(sums[:rows*width])
	}
	for j := 0; j < columns; j += 2 {
		if rows == 4 {
			multiplyFour(groups, left, right[j:], sums[j:])
		} else {
			multiplyOne(groups, left, right[j:], sums[j:])
		}
	}
}

// multiplyFour is two columns of a tile of four rows.
func multiplyFour(groups int, a []byte, b []int8, sums []int32) {
	const width = 16
	var c00, c01, c10, c11, c20, c21, c30, c31 int32
	a = a[:4*groups]
	for len(a) >= 4 {
		b0, b1 := int32(b[0]), int32(b[1])
		a0, a1 := int32(int8(a[0])), int32(int8(a[1]))
		c00 += a0 * b0
		c01 += a0 * b1
		c10 += a1 * b0
		c11 += a1 * b1
		a2, a3 := int32(int8(a[2])), int32(int8(a[3]))
		c20 += a2 * b0
		c21 += a2 * b1
		c30 += a3 * b0
		c31 += a3 * b1
		a, b = a[4:], b[min(width, len(b)):]
	}
	for i, c := range [4][2]int32{{c00, c01}, {c10, c11}, {c20, c21}, {c30, c31}} {
		sums[i*width] += c[0]
		sums[i*width+1] += c[1]
	}
}

func multiplyOne(groups int, a []byte, b []int8, sums []int32) {
	const width = 16
	var c0, c1 int32
	for k, v := range a[:groups] {
		c0 += int32(int8(v)) * int32(b[k*width])
		c1 += int32(int8(v)) * int32(b[k*width+1])
	}
	sums[0] += c0
	sums[1] += c1
}

func requantizeGeneric(dst []byte, stride int, sums []int32, sumStride, rows, columns int, q Requantizer) {
	q.fits(dst, stride, sums, sumStride, rows, columns)
	bias, mantissa, left, right := q.array(0), q.array(1), q.array(2), q.array(3)
	round, away, less := q.array(4), q.array(5), q.array(6)
	for i := range rows {
		out, in := dst[i*stride:][:columns], sums[i*sumStride:][:columns]
		for j, s := range in {
			// The high half of the double product, halves up.
			y := int32((int64((s+bias[j])<<(left[j]&31))*int64(mantissa[j]) + 1<<30) >> 31)
			y += y >> 31 & away[j]
			y = y>>(right[j]&31) + y>>(uint32(less[j])&31)&round[j]
			out[j] = byte(min(max(q.Zero+y, q.Low), q.High))
		}
	}
}
