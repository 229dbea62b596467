package rewrite

import (
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// meanAsFullyConnected writes the mean (or sum) over the last dimension as a
// product with a column of 1/n (or 1), for delegates that reduce only over
// height and width. What else the operator reduces over follows in one of its
// kind. The order of summation changes.
var meanAsFullyConnected = pass("mean-as-fully-connected", "MEAN and SUM over the last dimension become FULLY_CONNECTED", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorMEAN && op.Code != schema.BuiltinOperatorSUM {
		return false
	}
	x, y := op.Inputs[0], op.Outputs[0]
	shape := d.shape(x)
	axes, ok := d.ints(op.Inputs[1])
	last := len(shape) - 1
	if !d.fixed || !ok || last < 1 || d.tensor(x).Type != graph.Float32 || shape[last] == 0 || shape[last] > mostAdded {
		return false
	}
	others := slices.DeleteFunc(axes, func(a int) bool { return a == last || a == -1 })
	keep := options[schema.ReducerOptionsT](op).KeepDims
	if len(others) == len(axes) || len(others) > 0 && !keep {
		return false
	}
	weight := float32(1)
	if op.Code == schema.BuiltinOperatorMEAN {
		weight = float32(1 / float64(shape[last]))
	}
	w := d.shared(y, "weights", graph.Array{Type: graph.Float32, Shape: []int{1, shape[last]}, Data: graph.Bytes(repeated(weight, shape[last]))})
	column := append(slices.Clone(shape[:last]), 1)
	product := y
	if len(others) > 0 || !slices.Equal(d.shape(y), column) {
		product = d.shaped(y, "column", column)
	}
	d.emit(schema.BuiltinOperatorFULLY_CONNECTED, &schema.FullyConnectedOptionsT{KeepNumDims: last > 1},
		[]int{x, w, graph.NoTensor}, []int{product})
	switch {
	case len(others) > 0:
		d.emit(op.Code, &schema.ReducerOptionsT{KeepDims: true}, []int{product, d.list(y, "axes", others)}, []int{y})
	case product != y:
		d.reshapeInto(product, y)
	}
	return true
})

// mostAdded is the most elements of a constant that a pass adds for a tensor
// that may be of any size.
const mostAdded = 1 << 20

func repeated(value float32, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = value
	}
	return out
}
