package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorDEPTHWISE_CONV_2D, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if r := o.counts(2, 3, 1); r != nil {
				return r
			}
			if r := quantizedProduct(o, 0, 1, 2, lengthOf(o.in(1), 3), 3); r != nil {
				return r
			}
			if o.in(0).Type == graph.Int8 {
				if r := symmetric("the weights", o.in(1)); r != nil {
					return r
				}
			}
			return integerFusable(options[schema.DepthwiseConv2DOptionsT](o.op).FusedActivationFunction)
		},
		prepare: func(n *node) (compute, error) {
			if n.in[0].tensor.Type == graph.Uint8 {
				return prepareQuantDepthwise[uint8](n)
			}
			return prepareQuantDepthwise[int8](n)
		},
	})
}

func prepareQuantDepthwise[T int8 | uint8](n *node) (compute, error) {
	d, err := depthwiseShapes(n)
	if err != nil {
		return nil, err
	}
	x, w, y := n.in[0].tensor, n.in[1].tensor, n.out[0].tensor
	// TensorFlow Lite computes eight int8 channels at once; what is left over,
	// and uint8, it rounds otherwise.
	outs := d.channels * d.multiplier
	upward := outs / 8 * 8
	if x.Type == graph.Uint8 {
		upward = 0
	}
	r := newRequantizer(x, w, y, options[schema.DepthwiseConv2DOptionsT](n.op).FusedActivationFunction, upward)
	if x.Type == graph.Uint8 {
		r.perTensor(x, w, y)
	}
	zeroX, zeroW := affineOf(x).zero, affineOf(w).zero
	return func() {
		r.bias = biasOf(n, 2)
		in, weights, out := integersOf[T](n.in[0]), integersOf[T](n.in[1]), integersOf[T](n.out[0])
		taps := takeIntegers(len(weights))
		defer taps.give()
		for i, v := range weights {
			taps.data[i] = int32(v) - zeroW
		}
		line := d.w.out * outs
		n.pool.each(d.batch*d.h.out, func(i int) {
			image := in[i/d.h.out*d.h.in*d.w.in*d.channels:]
			sums := takeIntegers(outs)
			defer sums.give()
			for ox := range d.w.out {
				if n.pool.stopped() { // the kernel may be as large as the image
					return
				}
				depthwisePixel(d, sums.data, image, taps.data, zeroX, i%d.h.out, ox)
				write(r, out[i*line+ox*outs:], 0, sums.data)
			}
		})
	}, nil
}

// depthwisePixel sums the taps of one output pixel.
func depthwisePixel[T int8 | uint8](d *depthwise, sums []int32, image []T, w []int32, zero int32, oy, ox int) {
	outs := len(sums)
	fromY, toY, startY := d.h.span(oy)
	fromX, toX, startX := d.w.span(ox)
	clear(sums)
	for ky := fromY; ky < toY; ky++ {
		for kx := fromX; kx < toX; kx++ {
			iy, ix := startY+ky*d.h.dilation, startX+kx*d.w.dilation
			in := image[(iy*d.w.in+ix)*d.channels:][:d.channels]
			tap := w[(ky*d.w.kernel+kx)*outs:][:outs]
			if d.multiplier == 1 {
				sums := sums[:len(in)]
				tap := tap[:len(in)]
				for c, v := range in {
					sums[c] += (int32(v) - zero) * tap[c]
				}
				continue
			}
			for c, v := range in {
				for m := range d.multiplier {
					sums[c*d.multiplier+m] += (int32(v) - zero) * tap[c*d.multiplier+m]
				}
			}
		}
	}
}
