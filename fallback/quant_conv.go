package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorCONV_2D, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if r := o.counts(2, 3, 1); r != nil {
				return r
			}
			if r := quantizedProduct(o, 0, 1, 2, lengthOf(o.in(1), 0), 0); r != nil {
				return r
			}
			if o.in(0).Type == graph.Int8 {
				if r := symmetric("the weights", o.in(1)); r != nil {
					return r
				}
			}
			return integerFusable(options[schema.Conv2DOptionsT](o.op).FusedActivationFunction)
		},
		prepare: prepareQuantConv,
	})
}

func prepareQuantConv(n *node) (compute, error) {
	c, err := convShapes(n)
	if err != nil {
		return nil, err
	}
	x, w, y := n.in[0].tensor, n.in[1].tensor, n.out[0].tensor
	upward := c.out
	if c.groups > 1 { // TensorFlow Lite's reference kernel
		upward = 0
	}
	r := newRequantizer(x, w, y, options[schema.Conv2DOptionsT](n.op).FusedActivationFunction, upward)
	if x.Type == graph.Uint8 {
		r.perTensor(x, w, y)
	}
	p, err := newQuantProduct(n, quantOperands{left: 0, bias: 2, groups: c.groups, columns: c.out / c.groups, depth: c.depth(), requantizer: r})
	if err != nil {
		return nil, err
	}
	p.padding = newPadding(n.pool, c.batch, c.channels, c.h, c.w, 1, 0)
	if p.padding.needed() {
		if err := n.work(p.padding.bytes(), 1); err != nil {
			return nil, err
		}
	}
	p.rows(c.pixels(), windowsLeft(c, p.padding), c.channels/c.groups)
	return p.compute, nil
}

// windowsLeft is the left-hand side of a convolution, for one group of channels.
func windowsLeft(c *convolution, p *padding) integerLeft {
	pixel, line, image := p.strides()
	l := integerLeft{width: max(1, c.w.out), height: max(1, c.h.out), pixel: pixel * c.w.stride, line: line * c.h.stride, image: image}
	if c.groups == 1 && c.w.dilation == 1 {
		l.length = c.w.kernel * c.channels
		for ky := range c.h.kernel {
			l.pieces = append(l.pieces, ky*c.h.dilation*line)
		}
		return l
	}
	l.length = c.channels / c.groups
	for ky := range c.h.kernel {
		for kx := range c.w.kernel {
			l.pieces = append(l.pieces, ky*c.h.dilation*line+kx*c.w.dilation*pixel)
		}
	}
	return l
}
