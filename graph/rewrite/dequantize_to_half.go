package rewrite

import (
	"math"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// dequantizeToHalf stores integer constants behind DEQUANTIZE as float16.
// Core ML and NNAPI look through DEQUANTIZE of a half constant, and not of an
// integer one. The file grows by half as much as with fold-dequantize; each
// weight is rounded to 11 bits, a relative error of at most 2⁻¹¹.
var dequantizeToHalf = approximation("dequantize-to-half", "integer constants behind DEQUANTIZE become float16 (the model grows, weights are rounded to 11 bits)", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorDEQUANTIZE || d.tensor(op.Inputs[0]).Type == graph.Float16 || d.tensor(op.Outputs[0]).Type != graph.Float32 {
		return false
	}
	x := op.Inputs[0]
	a, ok := d.constant(x)
	if !ok {
		return false
	}
	real, ok := dequantized(a, d.tensor(x).Quantization)
	if !ok {
		return false
	}
	out := graph.NewArray(graph.Float16, a.Shape...)
	for i, v := range graph.View[float32](real.Data) {
		h, ok := toHalf(v)
		if !ok {
			return false
		}
		graph.View[uint16](out.Data)[i] = h
	}
	d.emit(op.Code, op.Options, []int{d.newConstant(x, "half", out, nil)}, op.Outputs)
	return true
})

// toHalf rounds to the nearest float16, ties to even. ok is false where that
// loses what a weight is: beyond ±65504, or a number that becomes 0.
func toHalf(v float32) (h uint16, ok bool) {
	sign := uint16(math.Float32bits(v) >> 16 & 0x8000)
	size := math.Abs(float64(v))
	if size == 0 {
		return sign, true
	}
	// Normal halves have 10 bits behind the first; below 2⁻¹⁴ the distance of
	// neighbours stays 2⁻²⁴.
	_, exponent := math.Frexp(size)
	step := math.Ldexp(1, max(exponent-11, -24))
	steps := math.RoundToEven(size / step)
	if !(steps*step <= 65504) || steps == 0 {
		return 0, false
	}
	if exponent-11 <= -24 {
		return sign | uint16(steps), true
	}
	// steps is from 1024 to 2048; 2048 carries into the exponent by itself.
	return sign | (uint16(exponent+14)<<10 + uint16(steps) - 1024), true
}
