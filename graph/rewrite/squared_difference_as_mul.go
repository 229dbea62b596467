package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// squaredDifferenceAsMul writes (x − y)² as d·d with d = x − y.
var squaredDifferenceAsMul = pass("squared-difference-as-mul", "SQUARED_DIFFERENCE becomes SUB and MUL", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorSQUARED_DIFFERENCE || !d.all(op, graph.Float32) {
		return false
	}
	difference := d.like(op.Outputs[0], "difference")
	d.emit(schema.BuiltinOperatorSUB, &schema.SubOptionsT{}, op.Inputs, []int{difference})
	d.mulInto(difference, difference, op.Outputs[0], graph.ActNone)
	return true
})
