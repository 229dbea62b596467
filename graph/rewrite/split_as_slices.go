package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// mostParts is how many parts XNNPACK splits into or joins at once.
const mostParts = 4

// splitAsSlices writes a SPLIT into more than four parts as one SLICE a part.
// It is exact.
var splitAsSlices = pass("split-as-slices", "SPLIT into more than 4 parts becomes SLICEs", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorSPLIT || !d.fixed || len(op.Outputs) <= mostParts {
		return false
	}
	x := op.Inputs[1]
	shape := d.shape(x)
	given, ok := d.ints(op.Inputs[0])
	if !ok || len(given) != 1 {
		return false
	}
	axis, ok := counted(given[0], len(shape))
	if !ok || shape[axis]%len(op.Outputs) != 0 || elements(shape) == 0 {
		return false
	}
	size := shape[axis] / len(op.Outputs)
	for i, y := range op.Outputs {
		begin := make([]int, len(shape))
		begin[axis] = i * size
		extent := append([]int(nil), shape...)
		extent[axis] = size
		d.emit(schema.BuiltinOperatorSLICE, &schema.SliceOptionsT{}, []int{x, d.list(y, "begin", begin), d.list(y, "size", extent)}, []int{y})
	}
	return true
})
