package fallback

import (
	"nanoflux/delegate"
	"nanoflux/fallback/simd"
	"nanoflux/graph"
)

// requantizer says how the integer sums of a product become output integers:
// zero + multiplier[column]·(sum + bias[column]), clamped.
type requantizer struct {
	multipliers []multiplier // one, or one a column
	zero        int32
	low, high   int32
	// upward is how many columns multiplier.upward rounds; multiplier.twice
	// does the rest.
	upward int
}

// newRequantizer is for an input with scale in, weights w and output out.
func newRequantizer(in, w, out *graph.Tensor, a graph.Activation, upward int) *requantizer {
	r := &requantizer{zero: affineOf(out).zero, upward: upward}
	r.low, r.high = activationRange(out, a)
	x, y := float64(affineOf(in).scale), float64(affineOf(out).scale)
	for _, s := range w.Quantization.Scale {
		r.multipliers = append(r.multipliers, newMultiplier(x*float64(s)/y))
	}
	return r
}

// perTensor replaces the multipliers by that of weights with one scale, whose
// product with the input's scale is rounded to float32 (as for FULLY_CONNECTED,
// and for uint8 in general).
func (r *requantizer) perTensor(in, w, out *graph.Tensor) {
	product := float32(affineOf(in).scale * w.Quantization.Scale[0])
	r.multipliers = []multiplier{newMultiplier(float64(product) / float64(affineOf(out).scale))}
}

// plan gives the factors of all columns to the kernels; the biases are to be set.
func (r *requantizer) plan(columns int) *simd.Requantizer {
	q := simd.NewRequantizer(columns)
	for i := range columns {
		m := r.multipliers[min(i, len(r.multipliers)-1)]
		q.Column(i, m.mantissa, m.shift, i >= r.upward)
	}
	q.Zero, q.Low, q.High = r.zero, r.low, r.high
	return q
}

// quantizedProduct refuses operands that a quantized matrix product or
// convolution does not take: int8 with symmetric weights (one scale, or one for
// each of the channels outputs along dimension), or uint8 with one scale each.
func quantizedProduct(o operands, x, w, bias int, channels, dimension int) *delegate.Refusal {
	t := o.in(x)
	r := firstRefusal(o.types(x, graph.Int8, graph.Uint8))
	if r == nil {
		r = firstRefusal(o.types(w, t.Type), o.outTypes(0, t.Type))
	}
	if r == nil && o.in(bias) != nil {
		r = o.types(bias, graph.Int32)
	}
	if r != nil {
		return r
	}
	weights := o.in(w)
	if weights.Sparsity != nil {
		return delegate.Refuse(delegate.ReasonConstant, "sparse weights")
	}
	if t.Type == graph.Uint8 {
		channels = 0
	}
	if r := firstRefusal(isAffine("the input", t, 0), isAffine("the weights", weights, channels), isAffine("the output", o.out(0), 0)); r != nil {
		return r
	}
	return perChannel(o, w, dimension)
}

// perChannel refuses weights whose scales do not run along the given dimension,
// or whose shape may change under their scales.
func perChannel(o operands, w, dimension int) *delegate.Refusal {
	q := o.in(w).Quantization
	if len(q.Scale) == 1 {
		return nil
	}
	if q.Dimension != dimension {
		return delegate.Refuse(delegate.ReasonQuantization, "the weights' scales run along dimension %d; takes %d", q.Dimension, dimension)
	}
	if !o.m.IsConstant(o.sub, o.op.Inputs[w]) {
		return delegate.Refuse(delegate.ReasonConstant, "the weights have many scales and are not constant")
	}
	return nil
}

// lengthOf is the size of a tensor's dimension; 0 where there is none.
func lengthOf(t *graph.Tensor, dimension int) int {
	if t == nil || dimension >= len(t.Shape) {
		return 0
	}
	return t.Shape[dimension]
}

// integersOf views the data of a value.
func integersOf[T graph.Element](v *value) []T { return graph.View[T](v.data)[:v.elements()] }

// biasOf is the int32 data of input i, or nil when it is left out.
func biasOf(n *node, i int) []int32 {
	if !n.has(i) {
		return nil
	}
	return integersOf[int32](n.in[i])
}
