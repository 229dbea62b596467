package rewrite

import (
	"math"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// foldDequantize computes DEQUANTIZE of constants: weights become float32, for
// delegates that take nothing else as weights. The file grows, by two for
// float16 and by four for 8 bits, which is why this pass is its own. It is
// exact: the same product, or the same half, as the operator computes.
var foldDequantize = pass("fold-dequantize", "constants behind DEQUANTIZE become float32 (the model grows)", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorDEQUANTIZE {
		return false
	}
	x, y := op.Inputs[0], op.Outputs[0]
	a, ok := d.constant(x)
	if !ok || d.isOutput[y] || d.tensor(y).Type != graph.Float32 {
		return false
	}
	out, ok := dequantized(a, d.tensor(x).Quantization)
	return ok && d.replace(y, d.newConstant(y, "folded", out, nil))
})

// dequantized is the float32 value of a.
func dequantized(a graph.Array, q *graph.Quantization) (graph.Array, bool) {
	out := graph.NewArray(graph.Float32, a.Shape...)
	to := graph.View[float32](out.Data)
	if a.Type == graph.Float16 {
		for i, h := range graph.View[uint16](a.Data) {
			to[i] = half(h)
		}
		return out, true
	}
	if q == nil || len(q.Scale) == 0 || q.Details != nil {
		return graph.Array{}, false
	}
	switch a.Type {
	case graph.Int8:
		affine(to, graph.View[int8](a.Data), a.Shape, q)
	case graph.Uint8:
		affine(to, graph.View[uint8](a.Data), a.Shape, q)
	case graph.Int16:
		affine(to, graph.View[int16](a.Data), a.Shape, q)
	default:
		return graph.Array{}, false
	}
	return out, true
}

// affine is to[i] = scale·(codes[i] − zero point).
func affine[E int8 | uint8 | int16](to []float32, codes []E, shape []int, q *graph.Quantization) {
	inner := len(codes) // elements that share a scale, in a row
	if len(q.Scale) > 1 {
		inner = elements(shape[q.Dimension+1:])
	}
	for from := 0; from < len(codes) && inner > 0; from += inner {
		c := from / inner % len(q.Scale)
		scale, zero := q.Scale[c], int32(q.ZeroPoint[c])
		for i, v := range codes[from : from+inner] {
			to[from+i] = scale * float32(int32(v)-zero)
		}
	}
}

// half is the value of a float16 (IEEE 754 binary16).
func half(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero, and below the smallest normal number: fraction·2⁻²⁴
		f := float32(fraction) * 0x1p-24
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 0x1f: // infinity and not a number
		return math.Float32frombits(sign | 0x7f800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
