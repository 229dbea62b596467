package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorDEPTHWISE_CONV_2D, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(o.counts(2, 3, 1), floatOperands(o),
				fusable(options[schema.DepthwiseConv2DOptionsT](o.op).FusedActivationFunction))
		},
		prepare: prepareDepthwise,
	})
}

// depthwise is the geometry of DEPTHWISE_CONV_2D: x [batch, height, width,
// channels], w [1, kernel height, kernel width, channels·multiplier].
type depthwise struct {
	batch, channels, multiplier int
	h, w                        axis
	pool                        *pool
}

// depthwiseShapes checks the operands and gives the output its shape.
func depthwiseShapes(n *node) (*depthwise, error) {
	o := options[schema.DepthwiseConv2DOptionsT](n.op)
	x, w := n.in[0].shape, n.in[1].shape
	if len(x) != 4 || len(w) != 4 || w[0] != 1 || x[3] == 0 || w[3]%x[3] != 0 {
		return nil, fmt.Errorf("input %v does not go with depthwise weights %v", x, w)
	}
	d := &depthwise{pool: n.pool, batch: x[0], channels: x[3], multiplier: w[3] / x[3]}
	if n.has(2) && n.in[2].elements() != w[3] {
		return nil, fmt.Errorf("bias has %d elements, must have %d", n.in[2].elements(), w[3])
	}
	var err error
	if d.h, err = newAxis(x[1], w[1], int(o.StrideH), int(max(1, o.DilationHFactor)), o.Padding); err != nil {
		return nil, err
	}
	if d.w, err = newAxis(x[2], w[2], int(o.StrideW), int(max(1, o.DilationWFactor)), o.Padding); err != nil {
		return nil, err
	}
	return d, n.shape(0, d.batch, d.h.out, d.w.out, w[3])
}

func prepareDepthwise(n *node) (compute, error) {
	d, err := depthwiseShapes(n)
	if err != nil {
		return nil, err
	}
	act := fusedActivation(options[schema.DepthwiseConv2DOptionsT](n.op).FusedActivationFunction)
	return func() {
		x, w, y := n.in[0].floats(), n.in[1].floats(), n.out[0].floats()
		var bias []float32
		if n.has(2) {
			bias = n.in[2].floats()
		}
		// One line of output pixels is the unit of work.
		line := d.w.out * d.channels * d.multiplier
		n.pool.each(d.batch*d.h.out, func(i int) {
			image := x[i/d.h.out*d.h.in*d.w.in*d.channels:]
			out := y[i*line : (i+1)*line]
			d.line(out, image, w, bias, i%d.h.out)
			if act != nil {
				act(out)
			}
		})
	}, nil
}

// line computes the output pixels of row oy of one image.
func (d *depthwise) line(out, image, w, bias []float32, oy int) {
	outs := d.channels * d.multiplier
	fromY, toY, startY := d.h.span(oy)
	for ox := range d.w.out {
		if d.pool.stopped() { // the kernel may be as large as the image
			return
		}
		pixel := out[ox*outs : (ox+1)*outs]
		if bias != nil {
			copy(pixel, bias)
		} else {
			clear(pixel)
		}
		fromX, toX, startX := d.w.span(ox)
		for ky := fromY; ky < toY; ky++ {
			iy := startY + ky*d.h.dilation
			for kx := fromX; kx < toX; kx++ {
				ix := startX + kx*d.w.dilation
				in := image[(iy*d.w.in+ix)*d.channels:][:d.channels]
				tap := w[(ky*d.w.kernel+kx)*outs:][:outs]
				if d.multiplier == 1 {
					vectors.MulAdd(pixel, in, tap)
					continue
				}
				for c, v := range in {
					for m := range d.multiplier {
						pixel[c*d.multiplier+m] += float32(v * tap[c*d.multiplier+m])
					}
				}
			}
		}
	}
}
