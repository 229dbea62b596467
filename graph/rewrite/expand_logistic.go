package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// expandLogistic writes the sigmoid 1/(1 + e⁻ˣ) as ½ + ½·tanh(x/2). SiLU is
// x·LOGISTIC(x) in the format, so this is SiLU's form too. The absolute error
// is a unit in the last place of 1; small values of the sigmoid lose digits.
var expandLogistic = pass("expand-logistic", "LOGISTIC (and so SiLU) becomes MUL, ADD and TANH", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorLOGISTIC || !d.all(op, graph.Float32) {
		return false
	}
	y := op.Outputs[0]
	half := d.number(y, 0.5)
	t := d.unary(schema.BuiltinOperatorTANH, d.mul(y, op.Inputs[0], half), "tanh")
	d.addInto(d.mul(y, t, half), half, y, graph.ActNone)
	return true
})
