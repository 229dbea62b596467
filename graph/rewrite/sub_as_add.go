package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// subAsAdd writes x − y as x + (−1)·y. Rounding is the same: the sign of a
// float is exact. A constant y is negated in the file.
var subAsAdd = pass("sub-as-add", "SUB becomes ADD of the negated operand", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorSUB || !d.all(op, graph.Float32) {
		return false
	}
	x, y := op.Inputs[0], op.Inputs[1]
	d.addInto(x, d.negated(y), op.Outputs[0], options[schema.SubOptionsT](op).FusedActivationFunction)
	return true
})

// negated gives −y.
func (d *draft) negated(y int) int {
	a, ok := d.constant(y)
	if !ok {
		out := d.like(y, "negated")
		d.mulInto(y, d.number(y, -1), out, graph.ActNone)
		return out
	}
	return d.mapped(y, "negated", a, func(v float32) float32 { return -v })
}

// mapped is a constant of f of a's values. a is the value of tensor t.
func (d *draft) mapped(t int, hint string, a graph.Array, f func(float32) float32) int {
	out := graph.NewArray(graph.Float32, a.Shape...)
	to := graph.View[float32](out.Data)
	for i, v := range graph.View[float32](a.Data) {
		to[i] = f(v)
	}
	return d.newConstant(t, hint, out, nil)
}
