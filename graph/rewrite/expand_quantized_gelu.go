package rewrite

import (
	"math"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// expandQuantizedGelu writes an 8-bit GELU, of either form, with MUL, ADD and
// LOGISTIC, by
//
//	½·(1 + tanh u) = σ(2u),  2u = x·(a + b·x²)
//
// Each value between has the range that it needs for the x that can come, cut
// where the sigmoid is 0 or 1 to within 1/2500. The result is within 0.01, or
// one step if that is more, of the rounded exact one.
var expandQuantizedGelu = approximation("expand-quantized-gelu", "8-bit GELU becomes MUL, ADD and LOGISTIC, off by at most 0.01 or one step", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorGELU || !d.all(op, graph.Int8) || !d.oneScale(op.Inputs[0]) || !d.oneScale(op.Outputs[0]) {
		return false
	}
	x, y := op.Inputs[0], op.Outputs[0]
	q := d.tensor(x).Quantization
	scale, zero := float64(q.Scale[0]), float64(q.ZeroPoint[0])
	const sure = 8 // 1 − σ(8) is 1/2982
	a := 2 * math.Sqrt(2/math.Pi)
	b := a * cubic
	largest := scale * max(math.MaxInt8-zero, zero-math.MinInt8) // |x|

	// √b·x has the codes of x: only the scale changes. Its square is b·x².
	root := float64(float32(scale * math.Sqrt(b)))
	stretched := d.quantized(y, "stretched", root, int64(zero))
	d.mulInto(x, d.code(y, math.Sqrt(b)), stretched, graph.ActNone)
	// 4.2 is beyond where x·(a + b·x²) passes 8. TensorFlow Lite's first
	// versions of MUL want an output scale above the product of the inputs'.
	most := min(largest, 4.2)
	step := max(b*most*most/255, root*root*1.01)
	square := d.quantized(y, "square", step, math.MinInt8)
	d.mulInto(stretched, stretched, square, graph.ActNone)
	slope := d.quantized(y, "slope", (a+255*step)/255, math.MinInt8)
	d.addInto(square, d.code(y, a), slope, graph.ActNone)
	angle := d.quantized(y, "angle", max(min(sure, largest*(a+b*most*most))/127, scale*(a+255*step)/255*1.01), 0)
	d.mulInto(x, slope, angle, graph.ActNone)
	gate := d.quantized(y, "gate", 1.0/256, math.MinInt8)
	d.emit(schema.BuiltinOperatorLOGISTIC, nil, []int{angle}, []int{gate})
	d.mulInto(x, gate, y, graph.ActNone)
	return true
})

// oneScale: t is quantized with one scale for all elements.
func (d *draft) oneScale(t int) bool {
	x := d.tensor(t)
	return x.Quantization != nil && len(x.Quantization.Scale) == 1 && perTensor(x)
}

// quantized adds a tensor of the type and shape of t with another scale.
func (d *draft) quantized(t int, hint string, scale float64, zero int64) int {
	out := d.like(t, hint)
	d.tensor(out).Quantization = &graph.Quantization{Scale: []float32{float32(scale)}, ZeroPoint: []int64{zero}}
	return out
}

// code is a positive INT8 constant of rank 0, exact up to the scale's rounding.
func (d *draft) code(base int, value float64) int {
	return d.newConstant(base, "number", graph.Array{Type: graph.Int8, Data: []byte{math.MaxInt8}},
		&graph.Quantization{Scale: []float32{float32(value / math.MaxInt8)}, ZeroPoint: []int64{0}})
}
