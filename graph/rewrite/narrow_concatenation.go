package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// narrowConcatenation joins more than four tensors in groups of at most four.
// It is exact.
var narrowConcatenation = pass("narrow-concatenation", "CONCATENATION of more than 4 tensors becomes several", func(d *draft, op *graph.Op) bool {
	o := options[schema.ConcatenationOptionsT](op)
	if op.Code != schema.BuiltinOperatorCONCATENATION || !d.fixed || len(op.Inputs) <= mostParts || o.FusedActivationFunction != graph.ActNone {
		return false
	}
	y := op.Outputs[0]
	axis, ok := counted(int(o.Axis), len(d.shape(y)))
	if !ok {
		return false
	}
	for _, x := range op.Inputs {
		if len(d.shape(x)) != len(d.shape(y)) || !d.sameKind(x, y) {
			return false
		}
	}
	parts := op.Inputs
	for len(parts) > mostParts {
		var joined []int
		for from := 0; from < len(parts); from += mostParts {
			group := parts[from:min(from+mostParts, len(parts))]
			if len(group) == 1 {
				joined = append(joined, group[0])
				continue
			}
			shape := append([]int(nil), d.shape(group[0])...)
			shape[axis] = 0
			for _, x := range group {
				shape[axis] += d.shape(x)[axis]
			}
			part := d.shaped(y, "part", shape)
			d.emit(op.Code, &o, group, []int{part})
			joined = append(joined, part)
		}
		parts = joined
	}
	d.emit(op.Code, &o, parts, []int{y})
	return true
})
