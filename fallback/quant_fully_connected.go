package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorFULLY_CONNECTED, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if r := o.counts(2, 3, 1); r != nil {
				return r
			}
			if r := quantizedProduct(o, 0, 1, 2, lengthOf(o.in(1), 0), 0); r != nil {
				return r
			}
			if len(o.in(1).Quantization.Scale) > 1 {
				if r := symmetric("the weights", o.in(1)); r != nil {
					return r
				}
			}
			return firstRefusal(denseWeights(o), integerFusable(options[schema.FullyConnectedOptionsT](o.op).FusedActivationFunction))
		},
		prepare: prepareQuantFullyConnected,
	})
}

func prepareQuantFullyConnected(n *node) (compute, error) {
	rows, in, out, err := fullyConnectedShapes(n)
	if err != nil {
		return nil, err
	}
	x, w, y := n.in[0].tensor, n.in[1].tensor, n.out[0].tensor
	r := newRequantizer(x, w, y, options[schema.FullyConnectedOptionsT](n.op).FusedActivationFunction, out)
	if len(r.multipliers) == 1 {
		r.perTensor(x, w, y)
	}
	p, err := newQuantProduct(n, quantOperands{left: 0, bias: 2, groups: 1, columns: out, depth: in, requantizer: r})
	if err != nil {
		return nil, err
	}
	p.rows(rows, matrixLeft(rows, in), 0)
	return p.compute, nil
}
