package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// rsqrtAsDiv writes 1/√x as the division that it is.
var rsqrtAsDiv = pass("rsqrt-as-div", "RSQRT becomes SQRT and DIV", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorRSQRT || !d.all(op, graph.Float32) {
		return false
	}
	y := op.Outputs[0]
	root := d.unary(schema.BuiltinOperatorSQRT, op.Inputs[0], "sqrt")
	d.emit(schema.BuiltinOperatorDIV, &schema.DivOptionsT{}, []int{d.number(y, 1), root}, []int{y})
	return true
})
