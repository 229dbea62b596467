package fallback

import (
	"nanoflux/delegate"
	"nanoflux/fallback/simd"
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
		prepare: prepareQuantDepthwise,
	})
}

func prepareQuantDepthwise(n *node) (compute, error) {
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
	p, err := newDepthwiseSums(n, d, isUnsigned(x))
	if err != nil {
		return nil, err
	}
	if err := n.work(outs+16, 32); err != nil {
		return nil, err
	}
	result := &requantizedRows{kernels: p.kernels, q: r.plan(outs), stride: outs}
	p.store = result
	zero := affineOf(x).zero
	margin := []byte{byte(zero)}
	bound := false
	return func() {
		if p.pack(n.in[1].data, isUnsigned(w), affineOf(w).zero); !bound {
			bias := biasOf(n, 2)
			for c, to := 0, result.q.Bias(); c < outs; c++ {
				if to[c] = -zero * p.sums[c]; bias != nil {
					to[c] += bias[c]
				}
			}
			bound = p.packed && (bias == nil || n.in[2].constant)
		}
		result.out = n.out[0].data
		p.run(n.in[0].data, margin)
		result.out = nil
	}, nil
}

// depthwiseSums computes the sums of DEPTHWISE_CONV_2D on bytes.
type depthwiseSums struct {
	*depthwise
	kernels *simd.Integer
	padding *padding
	store   integerStore // gets [pixels][outputs]
	// taps are where those of a window are, from its beginning on.
	taps []int
	// weights less their zero point, [tap][whole]; whole is the number of
	// outputs, rounded up as the kernels want it. sums are those of each output.
	weights []int32
	whole   int
	sums    []int32
	// constant weights are packed once.
	constant, packed bool
	unsigned         bool
	// block is how many pixels are computed at once.
	block int

	data  []byte
	lines func(from, to int) // computeLines, made once
}

func newDepthwiseSums(n *node, d *depthwise, unsigned bool) (*depthwiseSums, error) {
	outs := d.channels * d.multiplier
	p := &depthwiseSums{depthwise: d, kernels: &simd.Active().Integer, whole: (outs + 15) / 16 * 16, constant: n.in[1].constant, unsigned: unsigned}
	// What the kernels read beyond the last pixel must be there.
	p.padding = newPadding(n.pool, d.batch, d.channels, d.h, d.w, d.multiplier, p.whole-outs)
	if err := n.work(d.h.kernel*d.w.kernel, 4*p.whole+8); err != nil {
		return nil, err
	}
	if p.padding.needed() {
		if err := n.work(p.padding.bytes(), 1); err != nil {
			return nil, err
		}
	}
	pixel, line, _ := p.padding.strides()
	for ky := range d.h.kernel {
		for kx := range d.w.kernel {
			p.taps = append(p.taps, ky*d.h.dilation*line+kx*d.w.dilation*pixel)
		}
	}
	p.sums, p.weights = make([]int32, outs), make([]int32, len(p.taps)*p.whole)
	p.block = max(4, min(64, (1<<12)/p.whole))
	p.lines = p.computeLines
	return p, nil
}

// pack takes the weights, once when they are constant.
func (p *depthwiseSums) pack(from []byte, unsigned bool, zero int32) {
	if p.packed {
		return
	}
	outs := len(p.sums)
	clear(p.sums)
	for t := range p.taps {
		for c := range outs {
			v := int32(int8(from[t*outs+c]))
			if unsigned {
				v = int32(from[t*outs+c])
			}
			p.sums[c] += v - zero
			p.weights[t*p.whole+c] = int32(uint16(v - zero))
		}
	}
	p.packed = p.constant
}

// run computes all lines of an input. margin is what stands for zero outside it.
func (p *depthwiseSums) run(x, margin []byte) {
	p.data = p.padding.of(x, margin)
	p.pool.chunks(p.batch*p.h.out, 1+(1<<15)/max(1, p.w.out*p.whole*len(p.taps)), p.lines)
	p.data = nil
}

func (p *depthwiseSums) computeLines(from, to int) {
	pixel, line, image := p.padding.strides()
	outs := len(p.sums)
	s := takeIntegers(p.block * p.whole)
	defer s.give()
	for i := from; i < to; i++ {
		if p.pool.stopped() {
			return
		}
		at := i/p.h.out*image + i%p.h.out*p.h.stride*line
		for ox := 0; ox < p.w.out; ox += p.block {
			n := min(p.block, p.w.out-ox)
			p.kernels.Depthwise(s.data, p.data[at+ox*p.w.stride*pixel:], p.w.stride*pixel, p.taps, p.weights, n, p.whole, p.unsigned)
			p.store.store(i*p.w.out+ox, 0, n, outs, s.data, p.whole)
		}
	}
}
