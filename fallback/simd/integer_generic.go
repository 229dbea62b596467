package simd

import "math"

// genericInteger is plain Go, for every platform.
var genericInteger = Integer{
	Heights: []int{4, 1}, Columns: 16, Group: 1,
	PackRows:   packRowsGeneric,
	Multiply:   multiplyIntegersGeneric,
	Requantize: requantizeGeneric,
	Depthwise:  depthwiseGeneric,
	Scale:      scaleGeneric,
	Sum:        addBytesGeneric,
	Product:    multiplyBytesGeneric,
	Largest:    largestGeneric,
	Range:      rangeGeneric,
	Quantize:   quantizeGeneric,
}

func packRowsGeneric(dst, src []byte, offsets, pieces []int, n int, flip byte) {
	height := len(offsets)
	for p, piece := range pieces {
		to := dst[p*n*height:]
		for i, o := range offsets {
			for k, v := range src[o+piece:][:n] {
				to[k*height+i] = v ^ flip
			}
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

func requantizeGeneric(dst []byte, stride int, sums []int32, sumStride, rows, columns int, q *Requantizer, from int) {
	q.fits(dst, stride, sums, sumStride, rows, columns, from)
	requantizeColumns(dst, stride, sums, sumStride, rows, columns, q, from)
}

func requantizeColumns(dst []byte, stride int, sums []int32, sumStride, rows, columns int, q *Requantizer, from int) {
	bias, mantissa, left := q.array(0, from), q.array(1, from), q.array(2, from)
	round, away, less := q.array(4, from), q.array(5, from), q.array(6, from)
	for i := range rows {
		out, in := dst[i*stride:][:columns], sums[i*sumStride:][:columns]
		for j, s := range in {
			// The high half of the double product, halves up.
			y := int32((int64((s+bias[j])<<(left[j]&31))*int64(mantissa[j]) + 1<<30) >> 31)
			y += y >> 31 & away[j]
			y = (y>>(less[j]&31) + round[j]) >> round[j]
			out[j] = byte(min(max(q.Zero+y, q.Low), q.High))
		}
	}
}

func depthwiseGeneric(sums []int32, src []byte, step int, taps []int, w []int32, pixels, channels int, unsigned bool) {
	clear(sums[:pixels*channels])
	for p := range pixels {
		to := sums[p*channels:][:channels]
		for t, at := range taps {
			tap := w[t*channels:][:channels]
			for c, v := range src[p*step+at:][:channels] {
				to[c] += widened(v, unsigned) * int32(int16(tap[c]))
			}
		}
	}
}

func scaleGeneric(dst []float32, stride int, sums []int32, sumStride, rows, columns int, s *Scaler, from int, zeros []int32, factors []float32) {
	s.fits(dst, stride, sums, sumStride, rows, columns, from, zeros, factors)
	scaleColumns(dst, stride, sums, sumStride, rows, columns, s, from, zeros, factors)
}

func scaleColumns(dst []float32, stride int, sums []int32, sumStride, rows, columns int, s *Scaler, from int, zeros []int32, factors []float32) {
	columnSums, scales, biases := s.array(0, from), floatsOf(s.array(1, from)), floatsOf(s.array(2, from))
	for i := range rows {
		out, in := dst[i*stride:][:columns], sums[i*sumStride:][:columns]
		factor := factors[i]
		for j, v := range in {
			x := float32(v - zeros[i]*columnSums[j])
			if s.Last {
				x = float32(float32(x*scales[j]) * factor)
			} else {
				x = float32(x * float32(factor*scales[j]))
			}
			out[j] = x + biases[j]
		}
	}
}

func addBytesGeneric(sums []int32, a, b []byte, rules *[2]Scaling, unsigned bool) {
	scaled := func(v byte, r *Scaling) int32 {
		x := int64(int32(widened(v, unsigned)-r.Zero) << (r.Left & 31))
		return int32((x*int64(r.Mantissa)+1<<30)>>31) >> (r.Right & 31)
	}
	for i := range sums {
		sums[i] = scaled(a[i], &rules[0]) + scaled(b[i], &rules[1])
	}
}

func multiplyBytesGeneric(sums []int32, a, b []byte, zeros *[2]int32, unsigned bool) {
	for i := range sums {
		sums[i] = (widened(a[i], unsigned) - zeros[0]) * (widened(b[i], unsigned) - zeros[1])
	}
}

func largestGeneric(dst, src []byte, unsigned bool) {
	flip := byte(0x80)
	if unsigned {
		flip = 0
	}
	for i, v := range src {
		dst[i] = max(dst[i]^flip, v^flip) ^ flip
	}
}

// widened is a byte as a number.
func widened(v byte, unsigned bool) int32 {
	if unsigned {
		return int32(v)
	}
	return int32(int8(v))
}

func rangeGeneric(x []float32) (low, high float32) {
	for _, v := range x {
		low, high = min(low, v), max(high, v)
	}
	return low, high
}

func quantizeGeneric(dst []byte, x []float32, factor float32, zero, low, high int32, even bool) {
	for i, v := range x {
		p := float64(float32(v * factor))
		if even {
			p = math.RoundToEven(p)
		} else {
			p = math.Round(p)
		}
		n := int32(0)
		switch {
		case p > 1<<16:
			n = 1 << 16
		case p < -1<<16:
			n = -1 << 16
		case p == p:
			n = int32(p)
		}
		dst[i] = byte(min(max(n+zero, low), high))
	}
}
