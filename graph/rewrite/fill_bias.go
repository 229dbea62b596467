package rewrite

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// fillBias gives FULLY_CONNECTED and CONV_2D without a bias one of zeros, for
// delegates that want three inputs. It is exact.
var fillBias = pass("fill-bias", "FULLY_CONNECTED and CONV_2D get a bias of zeros", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorFULLY_CONNECTED && op.Code != schema.BuiltinOperatorCONV_2D {
		return false
	}
	if len(op.Inputs) < 2 || len(op.Inputs) > 2 && op.Inputs[2] != graph.NoTensor {
		return false
	}
	x, w := op.Inputs[0], op.Inputs[1]
	if len(d.shape(w)) == 0 || d.shape(w)[0] == 0 || d.shape(w)[0] > mostAdded || !d.sameArithmetic(x, w, graph.NoTensor, op.Outputs[0]) {
		return false
	}
	bias := d.zeroBias(linear{x: x, w: w, y: op.Outputs[0], out: d.shape(w)[0]})
	d.emit(op.Code, op.Options, []int{x, w, bias}, op.Outputs)
	return true
})
