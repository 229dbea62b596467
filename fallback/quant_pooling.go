package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	accepts := func(o operands) *delegate.Refusal {
		if r := firstRefusal(o.counts(1, 1, 1), o.types(0, graph.Int8, graph.Uint8)); r != nil {
			return r
		}
		if r := firstRefusal(o.outTypes(0, o.in(0).Type), isAffine("the input", o.in(0), 0), isAffine("the output", o.out(0), 0)); r != nil {
			return r
		}
		if !sameScale(o.in(0), o.out(0)) {
			return delegate.Refuse(delegate.ReasonQuantization, "input and output differ in scale or zero point")
		}
		return integerFusable(options[schema.Pool2DOptionsT](o.op).FusedActivationFunction)
	}
	register(schema.BuiltinOperatorAVERAGE_POOL_2D, kernel{accepts: accepts, prepare: func(n *node) (compute, error) {
		return prepareQuantPool(n, true)
	}})
	register(schema.BuiltinOperatorMAX_POOL_2D, kernel{accepts: accepts, prepare: func(n *node) (compute, error) {
		return prepareQuantPool(n, false)
	}})
}

func prepareQuantPool(n *node, average bool) (compute, error) {
	if n.in[0].tensor.Type == graph.Uint8 {
		return prepareIntegerPool[uint8](n, average)
	}
	return prepareIntegerPool[int8](n, average)
}

// prepareIntegerPool pools integers as they are: scale and zero point stay.
func prepareIntegerPool[T int8 | uint8](n *node, average bool) (compute, error) {
	p, err := poolShapes(n)
	if err != nil {
		return nil, err
	}
	low, high := activationRange(n.out[0].tensor, options[schema.Pool2DOptionsT](n.op).FusedActivationFunction)
	least, _ := integerRange(n.out[0].tensor.Type)
	return func() {
		x, y := integersOf[T](n.in[0]), integersOf[T](n.out[0])
		line := p.w.out * p.channels
		n.pool.each(p.batch*p.h.out, func(i int) {
			image := x[i/p.h.out*p.h.in*p.w.in*p.channels:]
			fromY, toY, startY := p.h.span(i % p.h.out)
			values := takeIntegers(p.channels)
			defer values.give()
			for ox := range p.w.out {
				if n.pool.stopped() { // a window may be as large as the image
					return
				}
				fromX, toX, startX := p.w.span(ox)
				for c := range values.data {
					values.data[c] = least
				}
				if average {
					clear(values.data)
				}
				for ky := fromY; ky < toY; ky++ {
					for kx := fromX; kx < toX; kx++ {
						collect(values.data, image[((startY+ky)*p.w.in+startX+kx)*p.channels:][:p.channels], average)
					}
				}
				out := y[i*line+ox*p.channels:][:p.channels]
				count := int32((toY - fromY) * (toX - fromX))
				for c, v := range values.data {
					if average && count > 0 {
						v = dividedRounded(v, count)
					}
					out[c] = T(clampInteger(v, low, high))
				}
			}
		})
	}, nil
}

// collect adds a pixel to the sums, or takes the larger values.
func collect[T int8 | uint8](values []int32, pixel []T, sum bool) {
	values = values[:len(pixel)]
	if sum {
		for c, v := range pixel {
			values[c] += int32(v)
		}
		return
	}
	for c, v := range pixel {
		values[c] = max(values[c], int32(v))
	}
}

// dividedRounded is a/b to the nearest, halves away from zero; b > 0.
func dividedRounded(a, b int32) int32 {
	if a > 0 {
		return (a + b/2) / b
	}
	return (a - b/2) / b
}
