package fallback

import (
	"nanoflux/delegate"
	"nanoflux/fallback/simd"
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

// prepareQuantPool pools integers as they are: scale and zero point stay.
func prepareQuantPool(n *node, average bool) (compute, error) {
	shape, err := poolShapes(n)
	if err != nil {
		return nil, err
	}
	p := &integerPool{pooling: shape, n: n, kernels: &simd.Active().Integer, unsigned: isUnsigned(n.in[0].tensor)}
	p.low, p.high = activationRange(n.out[0].tensor, options[schema.Pool2DOptionsT](n.op).FusedActivationFunction)
	p.whole = (p.channels + 15) / 16 * 16
	if err := n.work(p.taps(), 8); err != nil {
		return nil, err
	}
	if average {
		if err := n.work(min(p.taps(), averageTaps)+1, 4*p.whole); err != nil {
			return nil, err
		}
		p.ones = make([]int32, min(p.taps(), averageTaps)*p.whole)
		for i := range p.ones {
			p.ones[i] = 1
		}
	}
	p.lines = p.computeLines
	return func() {
		n.pool.chunks(p.batch*p.h.out, 1+(1<<15)/max(1, p.w.out*p.channels*p.h.kernel*p.w.kernel), p.lines)
	}, nil
}

// averageTaps is how many pixels of a window are summed at once.
const averageTaps = 64

// integerPool is AVERAGE_POOL_2D, or MAX_POOL_2D without ones, on bytes.
type integerPool struct {
	*pooling
	n         *node
	kernels   *simd.Integer
	unsigned  bool
	low, high int32
	// ones are weights [tap][whole] of 1; whole is the number of channels, rounded
	// up as the kernels want it.
	ones  []int32
	whole int
	lines func(from, to int) // computeLines, made once
}

// taps is the most pixels that a window has.
func (p *integerPool) taps() int { return min(p.h.kernel, p.h.in) * min(p.w.kernel, p.w.in) }

func (p *integerPool) computeLines(from, to int) {
	x, y := p.n.in[0].data, p.n.out[0].data
	s := takeIntegerScratch(0, p.taps(), 0)
	defer s.give()
	t := takeIntegers(2 * p.whole)
	defer t.give()
	for i := from; i < to; i++ {
		image := x[i/p.h.out*p.h.in*p.w.in*p.channels:]
		fromY, toY, startY := p.h.span(i % p.h.out)
		for ox := range p.w.out {
			if p.n.pool.stopped() { // a window may be as large as the image
				return
			}
			fromX, toX, startX := p.w.span(ox)
			taps := s.offsets[:0]
			for ky := fromY; ky < toY; ky++ {
				for kx := fromX; kx < toX; kx++ {
					taps = append(taps, ((startY+ky)*p.w.in+startX+kx)*p.channels)
				}
			}
			out := y[(i*p.w.out+ox)*p.channels:][:p.channels]
			if p.ones == nil {
				p.largest(out, image, taps)
			} else {
				p.average(out, image, taps, t.data[:p.whole], t.data[p.whole:])
			}
		}
	}
}

// largest fills out with the largest of the taps, clamped.
func (p *integerPool) largest(out, image []byte, taps []int) {
	least := byte(0x80)
	if p.unsigned {
		least = 0
	}
	fill(out, least)
	for _, at := range taps {
		p.kernels.Largest(out, image[at:][:p.channels], p.unsigned)
	}
	for c, v := range out {
		if p.unsigned {
			out[c] = byte(clampInteger(int32(v), p.low, p.high))
		} else {
			out[c] = byte(clampInteger(int32(int8(v)), p.low, p.high))
		}
	}
}

// average fills out with the rounded average of the taps, clamped.
func (p *integerPool) average(out, image []byte, taps []int, sums, part []int32) {
	count := int32(len(taps))
	clear(sums)
	for len(taps) > 0 {
		some := taps[:min(len(taps), averageTaps)]
		taps = taps[len(some):]
		if last := some[len(some)-1]; last+p.whole <= len(image) {
			p.kernels.Depthwise(part, image, 0, some, p.ones, 1, p.whole, p.unsigned)
			for c, v := range part {
				sums[c] += v
			}
			continue
		}
		for _, at := range some { // the kernels would read behind the input
			for c, v := range image[at:][:p.channels] {
				if p.unsigned {
					sums[c] += int32(v)
				} else {
					sums[c] += int32(int8(v))
				}
			}
		}
	}
	for c := range out {
		v := sums[c]
		if count > 0 {
			v = dividedRounded(v, count)
		}
		out[c] = byte(clampInteger(v, p.low, p.high))
	}
}

// dividedRounded is a/b to the nearest, halves away from zero; b > 0.
func dividedRounded(a, b int32) int32 {
	if a > 0 {
		return (a + b/2) / b
	}
	return (a - b/2) / b
}
