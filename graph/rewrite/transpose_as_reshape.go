package rewrite

import "nanoflux/graph"

// transposeAsReshape writes a TRANSPOSE that only moves dimensions of size 1,
// and so no byte, as a RESHAPE.
var transposeAsReshape = pass("transpose-as-reshape", "TRANSPOSE that moves no byte becomes RESHAPE", func(d *draft, op *graph.Op) bool {
	perm, ok := d.permutation(op)
	if !ok || !d.fixed {
		return false
	}
	x, y := op.Inputs[0], op.Outputs[0]
	shape := d.shape(x)
	last := -1
	for _, p := range perm {
		if shape[p] == 1 {
			continue
		}
		if p < last {
			return false
		}
		last = p
	}
	if !d.sameKind(x, y) {
		return false
	}
	d.reshapeInto(x, y)
	return true
})
