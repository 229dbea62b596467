package rewrite

import (
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// mergeReshapes makes one RESHAPE of two in a row, takes away those that
// change nothing, and lets equal ones of one tensor be one. It is exact.
var mergeReshapes = pass("merge-reshapes", "neighbouring RESHAPEs become one or none", mergeReshape)

func mergeReshape(d *draft, op *graph.Op) bool {
	if !d.isReshape(op) || !d.fixed {
		return false
	}
	x, y := op.Inputs[0], op.Outputs[0]
	if !d.sameKind(x, y) || elements(d.shape(x)) != elements(d.shape(y)) {
		return false
	}
	from := x
	if before := d.maker(x); before != nil && d.isReshape(before) && d.sameKind(before.Inputs[0], x) {
		from = before.Inputs[0]
	}
	if slices.Equal(d.shape(from), d.shape(y)) && d.replace(y, from) {
		return true
	}
	if twin, ok := d.twin(from, y); ok && d.replace(y, twin) {
		return true
	}
	if from == x {
		return false
	}
	d.reshapeInto(from, y)
	return true
}

// isReshape: op is a RESHAPE to the shape that its output has in the file. One
// whose shape a run computes, or that has another in its operand, is left alone.
func (d *draft) isReshape(op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorRESHAPE {
		return false
	}
	shape := d.shape(op.Outputs[0])
	if len(op.Inputs) < 2 || op.Inputs[1] == graph.NoTensor {
		return true
	}
	given, ok := d.ints(op.Inputs[1])
	return ok && slices.EqualFunc(given, shape, func(n, size int) bool { return n == size || n == -1 })
}

// twin finds the output of a RESHAPE of x that is just like y.
func (d *draft) twin(x, y int) (int, bool) {
	for _, t := range d.reshapes[x] {
		if t != y && d.sameKind(t, y) && slices.Equal(d.shape(t), d.shape(y)) {
			return t, true
		}
	}
	return 0, false
}

// sameKind: one's elements can stand for the other's.
func (d *draft) sameKind(x, y int) bool {
	a, b := d.tensor(x), d.tensor(y)
	return a.Type == b.Type && sameQuantization(a.Quantization, b.Quantization)
}

// sameQuantization: the same numbers mean the same. Per-channel quantization
// is never the same: a reshape loses its channels.
func sameQuantization(p, q *graph.Quantization) bool {
	none := func(q *graph.Quantization) bool { return q == nil || len(q.Scale) == 0 && q.Details == nil }
	if none(p) || none(q) {
		return none(p) && none(q)
	}
	return len(p.Scale) == 1 && len(q.Scale) == 1 && p.Details == nil && q.Details == nil &&
		p.Scale[0] == q.Scale[0] && p.ZeroPoint[0] == q.ZeroPoint[0]
}
