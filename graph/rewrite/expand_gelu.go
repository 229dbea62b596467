package rewrite

import (
	"math"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// The two forms of GELU (Hendrycks and Gimpel, arXiv 1606.08415):
//
//	x·Φ(x)                                  with erf, by default
//	½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))  approximate
//
// They differ by at most 4.8·10⁻⁴, where |x| is about 2.

const cubic = 0.044715

// expandGelu writes GELU's approximate form with MUL, ADD and TANH. The other
// form needs erf, which the format has no operator for.
var expandGelu = pass("expand-gelu", "GELU (tanh form) becomes MUL, ADD and TANH", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorGELU || !d.all(op, graph.Float32) || !options[schema.GeluOptionsT](op).Approximate {
		return false
	}
	x, y := op.Inputs[0], op.Outputs[0]
	root := math.Sqrt(2 / math.Pi)
	// √(2/π)·(x + c·x³) = x·(√(2/π) + √(2/π)·c·x²)
	slope := d.mul(y, d.mul(y, x, x), d.number(y, float32(root*cubic)))
	angle := d.mul(y, x, d.sum(y, slope, d.number(y, float32(root))))
	gate := d.sum(y, d.unary(schema.BuiltinOperatorTANH, angle, "tanh"), d.number(y, 1))
	d.mulInto(d.mul(y, x, d.number(y, 0.5)), gate, y, graph.ActNone)
	return true
})
