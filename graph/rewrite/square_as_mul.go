package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// squareAsMul writes x² as x·x, which every delegate has.
var squareAsMul = pass("square-as-mul", "SQUARE becomes x·x", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorSQUARE || !d.all(op, graph.Float32) {
		return false
	}
	d.mulInto(op.Inputs[0], op.Inputs[0], op.Outputs[0], graph.ActNone)
	return true
})
