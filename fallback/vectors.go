package fallback

import (
	"math"

	"nanoflux/fallback/simd"
)

// vectors are the loops on float32 slices for this processor.
var vectors = &simd.Active().Vector

var infinity = float32(math.Inf(1))

// onLines makes a lineFunc of a function of two slices and those of a slice and
// one number: a with the number second, and b with the number first.
func onLines(both func(out, a, b []float32), second, first func(out, a []float32, s float32)) lineFunc[float32, float32] {
	return func(out, a, b []float32, sa, sb int) {
		switch {
		case sa == 1 && sb == 1:
			both(out, a, b)
		case sa == 1:
			second(out, a, b[0])
		case sb == 1:
			first(out, b, a[0])
		case len(out) > 0:
			both(out[:1], a, b)
			for i := range out {
				out[i] = out[0]
			}
		}
	}
}

// clampedTo is the function that moves numbers into a range; NaN stays.
func clampedTo(low, high float32) func(out, in []float32) {
	return func(out, in []float32) { vectors.Clamp(out, in, low, high) }
}

// sumOf adds the elements in an order that depends on their number only.
func sumOf(x []float32) float32 { return vectors.Sum(x) }

// leakyLine is PRELU of one value with many slopes.
func leakyLine(out, slopes []float32, x float32) {
	if x < 0 {
		vectors.MulScalar(out, slopes, x)
		return
	}
	for i := range out {
		out[i] = x
	}
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
