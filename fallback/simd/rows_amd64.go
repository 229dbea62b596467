package simd

//go:noescape
func depthwiseAVX2Signed(sums *int32, src *byte, step int, taps *int, count int, w *int32, pixels, channels int)

//go:noescape
func depthwiseAVX2Unsigned(sums *int32, src *byte, step int, taps *int, count int, w *int32, pixels, channels int)

//go:noescape
func scaleAVX2First(dst *float32, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zeros *int32, factors *float32)

//go:noescape
func scaleAVX2Last(dst *float32, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zeros *int32, factors *float32)

//go:noescape
func rangeAVX2(x *float32, n int, low, high *float32)

//go:noescape
func quantizeAVX2Even(dst *byte, x *float32, n int, factor float32, zero, low, high int32)

//go:noescape
func quantizeAVX2Away(dst *byte, x *float32, n int, factor float32, zero, low, high int32)

//go:noescape
func depthwiseAVX512Signed(sums *int32, src *byte, step int, taps *int, count int, w *int32, pixels, channels int)

//go:noescape
func depthwiseAVX512Unsigned(sums *int32, src *byte, step int, taps *int, count int, w *int32, pixels, channels int)

//go:noescape
func scaleAVX512First(dst *float32, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zeros *int32, factors *float32)

//go:noescape
func scaleAVX512Last(dst *float32, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zeros *int32, factors *float32)

//go:noescape
func rangeAVX512(x *float32, n int, low, high *float32)

//go:noescape
func quantizeAVX512Even(dst *byte, x *float32, n int, factor float32, zero, low, high int32)

//go:noescape
func quantizeAVX512Away(dst *byte, x *float32, n int, factor float32, zero, low, high int32)

//go:noescape
func depthwiseVNNISigned(sums *int32, src *byte, step int, taps *int, count int, w *int32, pixels, channels int)

//go:noescape
func depthwiseVNNIUnsigned(sums *int32, src *byte, step int, taps *int, count int, w *int32, pixels, channels int)

//go:noescape
func sumAVX2Signed(sums *int32, a, b *byte, n int, parameters *int32)

//go:noescape
func productAVX2Signed(sums *int32, a, b *byte, n int, zeros *int32)

//go:noescape
func sumAVX2Unsigned(sums *int32, a, b *byte, n int, parameters *int32)

//go:noescape
func productAVX2Unsigned(sums *int32, a, b *byte, n int, zeros *int32)

//go:noescape
func sumAVX512Signed(sums *int32, a, b *byte, n int, parameters *int32)

//go:noescape
func productAVX512Signed(sums *int32, a, b *byte, n int, zeros *int32)

//go:noescape
func sumAVX512Unsigned(sums *int32, a, b *byte, n int, parameters *int32)

//go:noescape
func productAVX512Unsigned(sums *int32, a, b *byte, n int, zeros *int32)

//go:noescape
func largestSigned(dst, src *byte, n int)

//go:noescape
func largestUnsigned(dst, src *byte, n int)

// rowsAMD64 are the functions of one instruction set on rows.
type rowsAMD64 struct {
	lanes int
	// Those in pairs are for signed and unsigned bytes; or factors that are
	// multiplied first and last; or halves to even numbers and away from zero.
	depthwise [2]depthwiseAMD64
	scale     [2]scaleAMD64
	sum       [2]bytesAMD64
	product   [2]bytesAMD64
	extremes  func(x *float32, n int) (low, high float32)
	quantize  [2]quantizeAMD64
}

type (
	depthwiseAMD64 func(sums *int32, src *byte, step int, taps *int, count int, w *int32, pixels, channels int)
	scaleAMD64     func(dst *float32, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zeros *int32, factors *float32)
	bytesAMD64     func(sums *int32, a, b *byte, n int, parameters *int32)
	quantizeAMD64  func(dst *byte, x *float32, n int, factor float32, zero, low, high int32)
)

// Pointers to what a function returns must not pass through a variable function:
// they would be allocated.

func extremesAVX2(x *float32, n int) (low, high float32) {
	rangeAVX2(x, n, &low, &high)
	return low, high
}

func extremesAVX512(x *float32, n int) (low, high float32) {
	rangeAVX512(x, n, &low, &high)
	return low, high
}

var rowsAVX2 = rowsAMD64{
	lanes:     8,
	depthwise: [2]depthwiseAMD64{depthwiseAVX2Signed, depthwiseAVX2Unsigned},
	scale:     [2]scaleAMD64{scaleAVX2First, scaleAVX2Last},
	sum:       [2]bytesAMD64{sumAVX2Signed, sumAVX2Unsigned},
	product:   [2]bytesAMD64{productAVX2Signed, productAVX2Unsigned},
	extremes:  extremesAVX2,
	quantize:  [2]quantizeAMD64{quantizeAVX2Even, quantizeAVX2Away},
}

var rowsAVX512 = rowsAMD64{
	lanes:     16,
	depthwise: [2]depthwiseAMD64{depthwiseAVX512Signed, depthwiseAVX512Unsigned},
	scale:     [2]scaleAMD64{scaleAVX512First, scaleAVX512Last},
	sum:       [2]bytesAMD64{sumAVX512Signed, sumAVX512Unsigned},
	product:   [2]bytesAMD64{productAVX512Signed, productAVX512Unsigned},
	extremes:  extremesAVX512,
	quantize:  [2]quantizeAMD64{quantizeAVX512Even, quantizeAVX512Away},
}

var rowsVNNI = rowsAVX512.withDepthwise(depthwiseVNNISigned, depthwiseVNNIUnsigned)

func (r rowsAMD64) withDepthwise(signed, unsigned depthwiseAMD64) rowsAMD64 {
	r.depthwise = [2]depthwiseAMD64{signed, unsigned}
	return r
}

// with gives a level its functions on rows.
func (t Integer) with(r *rowsAMD64) Integer {
	t.Depthwise = func(sums []int32, src []byte, step int, taps []int, w []int32, pixels, channels int, unsigned bool) {
		depthwiseFits(sums, src, step, taps, w, pixels, channels)
		r.depthwise[index(unsigned)](&sums[0], &src[0], step, &taps[0], len(taps), &w[0], pixels, channels)
	}
	t.Scale = func(dst []float32, stride int, sums []int32, sumStride, rows, columns int, s *Scaler, from int, zeros []int32, factors []float32) {
		s.fits(dst, stride, sums, sumStride, rows, columns, from, zeros, factors)
		r.scale[index(s.Last)](&dst[0], stride, &sums[0], sumStride, rows, columns, &s.parameters[from], s.size, &zeros[0], &factors[0])
	}
	t.Sum = func(sums []int32, a, b []byte, rules *[2]Scaling, unsigned bool) {
		a, b = a[:len(sums)], b[:len(sums)]
		whole := len(sums) / r.lanes * r.lanes
		if whole > 0 {
			r.sum[index(unsigned)](&sums[0], &a[0], &b[0], whole, &rules[0].Zero)
		}
		addBytesGeneric(sums[whole:], a[whole:], b[whole:], rules, unsigned)
	}
	t.Product = func(sums []int32, a, b []byte, zeros *[2]int32, unsigned bool) {
		a, b = a[:len(sums)], b[:len(sums)]
		whole := len(sums) / r.lanes * r.lanes
		if whole > 0 {
			r.product[index(unsigned)](&sums[0], &a[0], &b[0], whole, &zeros[0])
		}
		multiplyBytesGeneric(sums[whole:], a[whole:], b[whole:], zeros, unsigned)
	}
	t.Largest = func(dst, src []byte, unsigned bool) {
		dst = dst[:len(src)]
		whole := len(src) / 32 * 32
		if whole > 0 && unsigned {
			largestUnsigned(&dst[0], &src[0], whole)
		} else if whole > 0 {
			largestSigned(&dst[0], &src[0], whole)
		}
		largestGeneric(dst[whole:], src[whole:], unsigned)
	}
	t.Range = func(x []float32) (low, high float32) {
		whole := len(x) / r.lanes * r.lanes
		low, high = rangeGeneric(x[whole:])
		if whole > 0 {
			a, b := r.extremes(&x[0], whole)
			low, high = min(low, a), max(high, b)
		}
		return low, high
	}
	t.Quantize = func(dst []byte, x []float32, factor float32, zero, low, high int32, even bool) {
		dst = dst[:len(x)]
		whole := len(x) / r.lanes * r.lanes
		if whole > 0 {
			r.quantize[index(!even)](&dst[0], &x[0], whole, factor, zero, low, high)
		}
		quantizeGeneric(dst[whole:], x[whole:], factor, zero, low, high, even)
	}
	return t
}
