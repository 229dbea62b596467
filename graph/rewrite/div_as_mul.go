package rewrite

import (
	"math"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// divAsMul writes x / y as a product where the reciprocal can be had without a
// division: of a constant, and of a square root as RSQRT. Each rounds once
// more than the division, by half a unit in the last place.
var divAsMul = pass("div-as-mul", "DIV by a constant or a square root becomes MUL", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorDIV || !d.all(op, graph.Float32) {
		return false
	}
	y, ok := d.reciprocal(op.Inputs[1])
	if !ok {
		return false
	}
	d.mulInto(op.Inputs[0], y, op.Outputs[0], options[schema.DivOptionsT](op).FusedActivationFunction)
	return true
})

// reciprocal gives 1/y for a constant, all of whose reciprocals are numbers of
// full precision, and for a square root.
func (d *draft) reciprocal(y int) (int, bool) {
	if a, ok := d.constant(y); ok {
		for _, v := range graph.View[float32](a.Data) {
			if r := math.Abs(1 / float64(v)); !(r >= smallestNormal && r <= math.MaxFloat32) {
				return 0, false
			}
		}
		return d.mapped(y, "reciprocal", a, func(v float32) float32 { return 1 / v }), true
	}
	root := d.maker(y)
	if root == nil || root.Code != schema.BuiltinOperatorSQRT {
		return 0, false
	}
	return d.unary(schema.BuiltinOperatorRSQRT, root.Inputs[0], "rsqrt"), true
}

// smallestNormal is the smallest float32 that has all 24 bits.
const smallestNormal = 0x1p-126
