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

// rowsAMD64 are the functions of one instruction set on rows.
type rowsAMD64 struct {
	lanes            int
	signed, unsigned func(sums *int32, src *byte, step int, taps *int, count int, w *int32, pixels, channels int)
	first, last      func(dst *float32, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zeros *int32, factors *float32)
	extremes         func(x *float32, n int, low, high *float32)
	even, away       func(dst *byte, x *float32, n int, factor float32, zero, low, high int32)
}

var (
	rowsAVX2   = rowsAMD64{8, depthwiseAVX2Signed, depthwiseAVX2Unsigned, scaleAVX2First, scaleAVX2Last, rangeAVX2, quantizeAVX2Even, quantizeAVX2Away}
	rowsAVX512 = rowsAMD64{16, depthwiseAVX512Signed, depthwiseAVX512Unsigned, scaleAVX512First, scaleAVX512Last, rangeAVX512, quantizeAVX512Even, quantizeAVX512Away}
	rowsVNNI   = rowsAMD64{16, depthwiseVNNISigned, depthwiseVNNIUnsigned, scaleAVX512First, scaleAVX512Last, rangeAVX512, quantizeAVX512Even, quantizeAVX512Away}
)

// with gives a level its functions on rows.
func (t Integer) with(r *rowsAMD64) Integer {
	t.Depthwise = func(sums []int32, src []byte, step int, taps []int, w []int32, pixels, channels int, unsigned bool) {
		depthwiseFits(sums, src, step, taps, w, pixels, channels)
		if unsigned {
			r.unsigned(&sums[0], &src[0], step, &taps[0], len(taps), &w[0], pixels, channels)
		} else {
			r.signed(&sums[0], &src[0], step, &taps[0], len(taps), &w[0], pixels, channels)
		}
	}
	t.Scale = func(dst []float32, stride int, sums []int32, sumStride, rows, columns int, s Scaler, zeros []int32, factors []float32) {
		s.fits(dst, stride, sums, sumStride, rows, columns, zeros, factors)
		if s.Last {
			r.last(&dst[0], stride, &sums[0], sumStride, rows, columns, &s.parameters[s.from], s.size, &zeros[0], &factors[0])
		} else {
			r.first(&dst[0], stride, &sums[0], sumStride, rows, columns, &s.parameters[s.from], s.size, &zeros[0], &factors[0])
		}
	}
	t.Range = func(x []float32) (low, high float32) {
		whole := len(x) / r.lanes * r.lanes
		low, high = rangeGeneric(x[whole:])
		if whole > 0 {
			var a, b float32
			r.extremes(&x[0], whole, &a, &b)
			low, high = min(low, a), max(high, b)
		}
		return low, high
	}
	t.Quantize = func(dst []byte, x []float32, factor float32, zero, low, high int32, even bool) {
		dst = dst[:len(x)]
		whole := len(x) / r.lanes * r.lanes
		if whole > 0 && even {
			r.even(&dst[0], &x[0], whole, factor, zero, low, high)
		} else if whole > 0 {
			r.away(&dst[0], &x[0], whole, factor, zero, low, high)
		}
		quantizeGeneric(dst[whole:], x[whole:], factor, zero, low, high, even)
	}
	return t
}
