package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// rsqrtAsPow writes 1/√x as x to the power of −½.
var rsqrtAsPow = pass("rsqrt-as-pow", "RSQRT becomes POW", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorRSQRT || !d.all(op, graph.Float32) {
		return false
	}
	y := op.Outputs[0]
	d.emit(schema.BuiltinOperatorPOW, &schema.PowOptionsT{}, []int{op.Inputs[0], d.number(y, -0.5)}, []int{y})
	return true
})
