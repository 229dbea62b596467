package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// convToFullyConnected writes a 1×1 convolution as a fully connected layer, for
// backends whose matrix product is faster than their convolution. The weights'
// buffer is shared. It is as exact as fullyConnectedToConv.
var convToFullyConnected = pass("conv-to-fully-connected", "a 1×1 CONV_2D becomes FULLY_CONNECTED", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorCONV_2D || !d.fixed || len(op.Inputs) < 2 || len(op.Outputs) != 1 {
		return false
	}
	o := options[schema.Conv2DOptionsT](op)
	x, w, y, bias := op.Inputs[0], op.Inputs[1], op.Outputs[0], graph.NoTensor
	if len(op.Inputs) > 2 {
		bias = op.Inputs[2]
	}
	image, filter := d.shape(x), d.shape(w)
	if len(image) != 4 || len(filter) != 4 || filter[1] != 1 || filter[2] != 1 || filter[3] != image[3] ||
		o.StrideH > 1 || o.StrideW > 1 || elements(image) == 0 || filter[0] == 0 || !d.sameArithmetic(x, w, bias, y) {
		return false
	}
	weights, ok := d.relaid(w, []int{filter[0], filter[3]})
	if !ok {
		return false
	}
	inputs := []int{x, weights}
	if bias != graph.NoTensor {
		inputs = append(inputs, bias)
	}
	d.emit(schema.BuiltinOperatorFULLY_CONNECTED, &schema.FullyConnectedOptionsT{
		KeepNumDims: true, FusedActivationFunction: o.FusedActivationFunction, QuantizedBiasType: o.QuantizedBiasType,
	}, inputs, []int{y})
	return true
})
