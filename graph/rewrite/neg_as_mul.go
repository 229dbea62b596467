package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// negAsMul writes −x as (−1)·x.
var negAsMul = pass("neg-as-mul", "NEG becomes MUL by −1", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorNEG || !d.all(op, graph.Float32) {
		return false
	}
	d.mulInto(op.Inputs[0], d.number(op.Outputs[0], -1), op.Outputs[0], graph.ActNone)
	return true
})
