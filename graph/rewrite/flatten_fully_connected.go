package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// flattenFullyConnected takes a fully connected layer's leading dimensions
// together, [tokens, in] to [tokens, out], for delegates without
// keep_num_dims. It moves no bytes.
var flattenFullyConnected = pass("flatten-fully-connected", "FULLY_CONNECTED works on [tokens, channels] only", func(d *draft, op *graph.Op) bool {
	o := options[schema.FullyConnectedOptionsT](op)
	if op.Code != schema.BuiltinOperatorFULLY_CONNECTED || !d.fixed || !o.KeepNumDims || len(op.Inputs) < 2 || len(op.Outputs) != 1 {
		return false
	}
	x, y, w := op.Inputs[0], op.Outputs[0], d.shape(op.Inputs[1])
	if len(w) != 2 || w[0] == 0 || w[1] == 0 || elements(d.shape(x))%w[1] != 0 || !perTensor(d.tensor(x)) || !perTensor(d.tensor(y)) {
		return false
	}
	rows := elements(d.shape(x)) / w[1]
	if rows*w[0] != elements(d.shape(y)) {
		return false
	}
	o.KeepNumDims = false
	inputs := append([]int{d.reshaped(x, rows, w[1])}, op.Inputs[1:]...)
	flat := y
	if len(d.shape(y)) != 2 {
		flat = d.shaped(y, "rows", []int{rows, w[0]})
	}
	d.emit(op.Code, &o, inputs, []int{flat})
	if flat != y {
		d.reshapeInto(flat, y)
	}
	return true
})
