package rewrite

import (
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// shapeAsReshape writes the operators that only change a shape as the one that
// all delegates have, and PACK and UNPACK as CONCATENATION and SPLIT with it.
// No byte changes.
var shapeAsReshape = pass("shape-as-reshape", "SQUEEZE, EXPAND_DIMS, PACK and UNPACK become RESHAPE, CONCATENATION and SPLIT", func(d *draft, op *graph.Op) bool {
	if !d.fixed {
		return false
	}
	switch op.Code {
	case schema.BuiltinOperatorSQUEEZE, schema.BuiltinOperatorEXPAND_DIMS:
		x, y := op.Inputs[0], op.Outputs[0]
		if elements(d.shape(x)) != elements(d.shape(y)) || !perTensor(d.tensor(x)) {
			return false
		}
		d.reshapeInto(x, y)
		return true
	case schema.BuiltinOperatorPACK:
		return d.packAsConcatenation(op)
	case schema.BuiltinOperatorUNPACK:
		return d.unpackAsSplit(op)
	}
	return false
})

func (d *draft) packAsConcatenation(op *graph.Op) bool {
	y := op.Outputs[0]
	axis, ok := counted(int(options[schema.PackOptionsT](op).Axis), len(d.shape(y)))
	if !ok || d.shape(y)[axis] != len(op.Inputs) {
		return false
	}
	part := slices.Clone(d.shape(y))
	part[axis] = 1
	parts := make([]int, len(op.Inputs))
	for _, x := range op.Inputs {
		if elements(d.shape(x)) != elements(part) || !perTensor(d.tensor(x)) {
			return false
		}
	}
	for i, x := range op.Inputs {
		parts[i] = d.reshaped(x, part...)
	}
	d.emit(schema.BuiltinOperatorCONCATENATION, &schema.ConcatenationOptionsT{Axis: int32(axis)}, parts, []int{y})
	return true
}

func (d *draft) unpackAsSplit(op *graph.Op) bool {
	x := op.Inputs[0]
	axis, ok := counted(int(options[schema.UnpackOptionsT](op).Axis), len(d.shape(x)))
	if !ok || d.shape(x)[axis] != len(op.Outputs) || !perTensor(d.tensor(x)) {
		return false
	}
	part := slices.Clone(d.shape(x))
	part[axis] = 1
	parts := make([]int, len(op.Outputs))
	for _, y := range op.Outputs {
		if elements(d.shape(y)) != elements(part) {
			return false
		}
	}
	for i, y := range op.Outputs {
		parts[i] = d.shaped(y, "part", part)
	}
	d.splitInto(x, axis, parts)
	for i, y := range op.Outputs {
		d.reshapeInto(parts[i], y)
	}
	return true
}

// splitInto writes the SPLIT of x into equal parts along axis.
func (d *draft) splitInto(x, axis int, parts []int) {
	d.emit(schema.BuiltinOperatorSPLIT, &schema.SplitOptionsT{NumSplits: int32(len(parts))}, []int{d.axis(parts[0], axis), x}, parts)
}

// counted makes axis count from the front.
func counted(axis, rank int) (int, bool) {
	if axis < 0 {
		axis += rank
	}
	return axis, axis >= 0 && axis < rank
}
