package fallback

import (
	"math"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// The quantized kernels give the integers of TensorFlow Lite's built-in kernels
// on x86-64, bit for bit, on every platform. Where those kernels round
// differently from each other, so do these; each says how. (On arm64 the
// library itself rounds matrix products once instead of twice, and is now and
// then one step off its own results on x86-64.)

// affine is a quantization per tensor: real = scale · (integer − zero).
type affine struct {
	scale float32
	zero  int32
}

// affineOf reads the quantization of a tensor that isAffine accepted.
func affineOf(t *graph.Tensor) affine {
	a := affine{scale: t.Quantization.Scale[0]}
	if len(t.Quantization.ZeroPoint) > 0 {
		a.zero = int32(t.Quantization.ZeroPoint[0])
	}
	return a
}

// isAffine refuses a tensor without affine quantization. channels is how many
// scales it may have when there is more than one; 0 for none. (That scales are
// positive and zero points in the type's range, graph.Check has seen to.)
func isAffine(name string, t *graph.Tensor, channels int) *delegate.Refusal {
	if t == nil {
		return delegate.Refuse(delegate.ReasonShape, "%s is left out", name)
	}
	q := t.Quantization
	if q == nil || len(q.Scale) == 0 || q.Details != nil {
		return delegate.Refuse(delegate.ReasonQuantization, "%s has no affine quantization", name)
	}
	if len(q.Scale) > 1 && len(q.Scale) != channels {
		return delegate.Refuse(delegate.ReasonQuantization, "%s has %d scales", name, len(q.Scale))
	}
	return nil
}

// symmetric refuses a tensor whose zero point is not 0.
func symmetric(name string, t *graph.Tensor) *delegate.Refusal {
	for _, z := range t.Quantization.ZeroPoint {
		if z != 0 {
			return delegate.Refuse(delegate.ReasonQuantization, "%s has the zero point %d; takes 0", name, z)
		}
	}
	return nil
}

// integerRange is the range of the small integer types.
func integerRange(t graph.TensorType) (low, high int32) {
	switch t {
	case graph.Uint8:
		return 0, math.MaxUint8
	case graph.Int16:
		return math.MinInt16, math.MaxInt16
	case graph.Int32:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt8, math.MaxInt8
}

// activationRange is the range of an output's integers under a fused
// activation.
func activationRange(t *graph.Tensor, a graph.Activation) (low, high int32) {
	low, high = integerRange(t.Type)
	q := affineOf(t)
	at := func(real float32) int32 { return saturatingAdd(roundAway(real/q.scale), q.zero) }
	switch a {
	case graph.ActRelu:
		low = max(low, at(0))
	case graph.ActRelu6:
		low, high = max(low, at(0)), min(high, at(6))
	case graph.ActReluN1To1:
		low, high = max(low, at(-1)), min(high, at(1))
	}
	return low, high
}

// integerFusable refuses activations that quantized kernels cannot fuse as a
// range.
func integerFusable(a graph.Activation) *delegate.Refusal {
	switch a {
	case graph.ActNone, graph.ActRelu, graph.ActRelu6, graph.ActReluN1To1:
		return nil
	}
	return delegate.Refuse(delegate.ReasonOption, "fused activation %v on integers", a)
}

// roundAway rounds to the nearest integer, halves away from zero.
func roundAway(x float32) int32 { return nearest(math.Round(float64(x))) }

// nearest is a whole number as int32: the nearest where none holds it, 0 for NaN.
func nearest(whole float64) int32 {
	switch {
	case whole >= math.MaxInt32:
		return math.MaxInt32
	case whole <= math.MinInt32:
		return math.MinInt32
	case whole != whole:
		return 0
	}
	return int32(whole)
}

// saturatingAdd is a + b within int32.
func saturatingAdd(a, b int32) int32 {
	return int32(min(max(int64(a)+int64(b), -1<<31), 1<<31-1))
}

// multiplier is a real factor as a 31-bit fraction: mantissa · 2^(shift−31).
type multiplier struct {
	mantissa int32
	shift    int
}

// newMultiplier gives the fraction nearest to a real factor ≥ 0; 0 for factors
// below 2^−32.
func newMultiplier(real float64) multiplier {
	if real == 0 {
		return multiplier{}
	}
	fraction, shift := math.Frexp(real)
	mantissa := int64(math.Round(fraction * (1 << 31)))
	if mantissa == 1<<31 {
		mantissa /= 2
		shift++
	}
	if shift < -31 {
		return multiplier{}
	}
	return multiplier{mantissa: int32(mantissa), shift: min(shift, 30)}
}

// twice multiplies and rounds twice: the product's high half with halves up,
// then the right shift with halves away from zero. Element-wise and depthwise
// kernels do this (gemmlowp's fixed-point arithmetic).
func (m multiplier) twice(x int32) int32 {
	left, right := max(m.shift, 0), max(-m.shift, 0)
	return divideRounded(highHalf(x<<left, m.mantissa), right)
}

// highHalf is a·b/2^31, rounded to the nearest, halves up, saturating.
func highHalf(a, b int32) int32 {
	if a == b && a == math.MinInt32 {
		return math.MaxInt32
	}
	return int32((int64(a)*int64(b) + 1<<30) >> 31)
}

// divideRounded is x/2^n to the nearest, halves away from zero.
func divideRounded(x int32, n int) int32 {
	mask := int32(1)<<n - 1
	threshold := mask >> 1
	if x < 0 {
		threshold++
	}
	y := x >> n
	if x&mask > threshold {
		y++
	}
	return y
}

// upward multiplies and rounds twice as well, but the right shift with halves
// up. Matrix products and convolutions do this.
func (m multiplier) upward(x int32) int32 {
	left, right := max(m.shift, 0), max(-m.shift, 0)
	y := highHalf(x<<left, m.mantissa)
	if right == 0 {
		return y
	}
	return int32((int64(y) + int64(1)<<(right-1)) >> right)
}

// clampInteger limits x to [low, high].
func clampInteger(x, low, high int32) int32 { return min(max(x, low), high) }
