package rewrite

import (
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// mergeTransposes makes one TRANSPOSE of two in a row, and none of one that
// leaves everything where it is. It is exact.
var mergeTransposes = pass("merge-transposes", "neighbouring TRANSPOSEs become one or none", func(d *draft, op *graph.Op) bool {
	perm, ok := d.permutation(op)
	if !ok {
		return false
	}
	x, y := op.Inputs[0], op.Outputs[0]
	if slices.IsSorted(perm) {
		return d.sameKind(x, y) && d.replace(y, x)
	}
	before := d.maker(x)
	if before == nil {
		return false
	}
	first, ok := d.permutation(before)
	if !ok || !d.sameKind(before.Inputs[0], x) {
		return false
	}
	x, both := before.Inputs[0], permuted(first, perm)
	if slices.IsSorted(both) && d.sameKind(x, y) && d.replace(y, x) {
		return true
	}
	d.transposeInto(x, y, both)
	return true
})

// permutation is the constant permutation of a TRANSPOSE.
func (d *draft) permutation(op *graph.Op) ([]int, bool) {
	if op.Code != schema.BuiltinOperatorTRANSPOSE || len(op.Inputs) != 2 {
		return nil, false
	}
	perm, ok := d.ints(op.Inputs[1])
	if !ok || len(perm) != len(d.shape(op.Inputs[0])) {
		return nil, false
	}
	perm = slices.Clone(perm)
	seen := make([]bool, len(perm))
	for i, p := range perm {
		p, ok = counted(p, len(perm))
		if !ok || seen[p] {
			return nil, false
		}
		perm[i], seen[p] = p, true
	}
	return perm, true
}
