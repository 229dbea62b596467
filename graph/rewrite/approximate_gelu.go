package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// approximateGelu takes the approximate form for the other one.
var approximateGelu = approximation("approximate-gelu", "GELU takes its tanh form, off by at most 5e-4", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorGELU || !d.all(op, graph.Float32) || options[schema.GeluOptionsT](op).Approximate {
		return false
	}
	d.emit(op.Code, &schema.GeluOptionsT{Approximate: true}, op.Inputs, op.Outputs)
	return true
})
