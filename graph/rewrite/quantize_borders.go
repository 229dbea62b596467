package rewrite

import (
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// quantizeBorders lets a value cross between float and integers once: a
// QUANTIZE that takes back a DEQUANTIZE of the same scale is gone, also when
// the elements were moved between the two (they are moved as integers then),
// and equal borders of one tensor are one. A DEQUANTIZE after a QUANTIZE
// rounds, and stays. It is exact.
var quantizeBorders = pass("quantize-borders", "QUANTIZE and DEQUANTIZE that cancel or repeat are merged", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorQUANTIZE && op.Code != schema.BuiltinOperatorDEQUANTIZE {
		return false
	}
	x, y := op.Inputs[0], op.Outputs[0]
	if twin, ok := d.sameBorder(op); ok && d.replace(y, twin) {
		return true
	}
	if op.Code == schema.BuiltinOperatorQUANTIZE {
		if before := d.maker(x); before != nil && before.Code == schema.BuiltinOperatorDEQUANTIZE {
			integers := before.Inputs[0]
			return d.sameKind(integers, y) && d.replace(y, integers)
		}
		if d.moveAsIntegers(x, y) {
			return true
		}
	}
	d.borders[x] = append(d.borders[x], y)
	return false
})

// sameBorder finds an earlier QUANTIZE or DEQUANTIZE with the same result.
func (d *draft) sameBorder(op *graph.Op) (int, bool) {
	y := op.Outputs[0]
	for _, t := range d.borders[op.Inputs[0]] {
		if maker := d.maker(t); maker != nil && maker.Code == op.Code && d.sameKind(t, y) {
			return t, true
		}
	}
	return 0, false
}

// movers are operators of one data operand that move elements and leave them
// as they are.
var movers = setOf(schema.BuiltinOperatorRESHAPE, schema.BuiltinOperatorTRANSPOSE, schema.BuiltinOperatorSQUEEZE,
	schema.BuiltinOperatorEXPAND_DIMS, schema.BuiltinOperatorSLICE, schema.BuiltinOperatorSTRIDED_SLICE,
	schema.BuiltinOperatorDEPTH_TO_SPACE, schema.BuiltinOperatorSPACE_TO_DEPTH)

// moveAsIntegers finds DEQUANTIZE, movers, then the QUANTIZE from x to y, and
// writes the movers on the integers.
func (d *draft) moveAsIntegers(x, y int) bool {
	var chain []graph.Op
	at := x
	for {
		maker := d.maker(at)
		if maker == nil || len(maker.Outputs) != 1 {
			return false
		}
		if maker.Code == schema.BuiltinOperatorDEQUANTIZE {
			at = maker.Inputs[0]
			break
		}
		if !movers[maker.Code] {
			return false
		}
		chain = append(chain, *maker)
		at = maker.Inputs[0]
	}
	if !d.sameKind(at, y) {
		return false
	}
	for i, mover := range slices.Backward(chain) {
		inputs := slices.Clone(mover.Inputs)
		inputs[0] = at
		to := y
		if i > 0 {
			to = d.shaped(y, "moved", d.shape(mover.Outputs[0]))
		}
		d.emit(mover.Code, mover.Options, inputs, []int{to})
		at = to
	}
	return true
}
