package fallback

import (
	"errors"
	"math"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorSOFTMAX, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if r := firstRefusal(o.counts(1, 1, 1), o.types(0, graph.Int8, graph.Uint8)); r != nil {
				return r
			}
			return firstRefusal(o.outTypes(0, o.in(0).Type), isAffine("the input", o.in(0), 0), isAffine("the output", o.out(0), 0))
		},
		prepare: func(n *node) (compute, error) {
			if n.in[0].tensor.Type == graph.Uint8 {
				return prepareQuantSoftmax[uint8](n)
			}
			return prepareQuantSoftmax[int8](n)
		},
	})
}

// prepareQuantSoftmax looks e^(β·scale·(x − max)) up, and divides in float32.
func prepareQuantSoftmax[T int8 | uint8](n *node) (compute, error) {
	shape := n.in[0].shape
	if len(shape) == 0 {
		return nil, errors.New("the input is a scalar, must have at least one dimension")
	}
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	in, out := affineOf(n.in[0].tensor), affineOf(n.out[0].tensor)
	low, high := integerRange(n.out[0].tensor.Type)
	step := float32(in.scale * options[schema.SoftmaxOptionsT](n.op).Beta)
	var table [256]float32 // by the distance from the largest
	for d := range table {
		table[d] = float32(math.Exp(float64(float32(-step * float32(d)))))
	}
	width := shape[len(shape)-1]
	some := func(from, to int) {
		x, y := integersOf[T](n.in[0]), integersOf[T](n.out[0])
		for i := from; i < to; i++ {
			row, probabilities := x[i*width:(i+1)*width], y[i*width:(i+1)*width]
			top := row[0]
			for _, v := range row {
				top = max(top, v)
			}
			sum := float32(0)
			for _, v := range row {
				sum += table[int(top)-int(v)]
			}
			inverse := 1 / float32(sum*out.scale)
			for k, v := range row {
				p := roundAway(float32(table[int(top)-int(v)] * inverse))
				probabilities[k] = T(clampInteger(saturatingAdd(p, out.zero), low, high))
			}
		}
	}
	return func() {
		if width > 0 {
			n.pool.chunks(sizeOf(shape)/width, 1+(1<<12)/width, some)
		}
	}, nil
}
