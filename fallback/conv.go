package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/fallback/simd"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorCONV_2D, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(o.counts(2, 3, 1), floatOperands(o),
				fusable(options[schema.Conv2DOptionsT](o.op).FusedActivationFunction))
		},
		prepare: prepareConv,
	})
}

// convolution is the geometry of CONV_2D: x [batch, height, width, channels],
// w [out, kernel height, kernel width, channels/groups].
type convolution struct {
	batch, channels, out, groups int
	h, w                         axis
}

// depth is the number of weights of one output channel.
func (c *convolution) depth() int { return c.h.kernel * c.w.kernel * c.channels / c.groups }

// pixels is the number of output positions.
func (c *convolution) pixels() int { return c.batch * c.h.out * c.w.out }

// convShapes checks the operands of CONV_2D and gives the output its shape.
func convShapes(n *node) (*convolution, error) {
	o := options[schema.Conv2DOptionsT](n.op)
	x, w := n.in[0].shape, n.in[1].shape
	if len(x) != 4 || len(w) != 4 {
		return nil, fmt.Errorf("input %v and weights %v must have 4 dimensions", x, w)
	}
	c := &convolution{batch: x[0], channels: x[3], out: w[0]}
	if w[3] == 0 || c.channels == 0 || c.channels%w[3] != 0 || c.out%(c.channels/w[3]) != 0 {
		return nil, fmt.Errorf("input %v does not go with weights %v", x, w)
	}
	c.groups = c.channels / w[3]
	if n.has(2) && n.in[2].elements() != c.out {
		return nil, fmt.Errorf("bias has %d elements, must have %d", n.in[2].elements(), c.out)
	}
	var err error
	if c.h, err = newAxis(x[1], w[1], int(o.StrideH), int(max(1, o.DilationHFactor)), o.Padding); err != nil {
		return nil, err
	}
	if c.w, err = newAxis(x[2], w[2], int(o.StrideW), int(max(1, o.DilationWFactor)), o.Padding); err != nil {
		return nil, err
	}
	return c, n.shape(0, c.batch, c.h.out, c.w.out, c.out)
}

func prepareConv(n *node) (compute, error) {
	c, err := convShapes(n)
	if err != nil {
		return nil, err
	}
	x, w, y := n.in[0], n.in[1], n.out[0]
	outs, depth := c.out/c.groups, c.depth()
	weights := make([]*packed, c.groups)
	if w.constant {
		if n.state == nil {
			for g := range weights {
				weights[g] = n.packConstant(w, g*outs*depth, outs, depth)
			}
			n.state = weights
			n.unneeded(1)
		}
		weights = n.state.([]*packed)
		if len(weights) != c.groups {
			return nil, fmt.Errorf("%d groups, the weights were packed for %d", c.groups, len(weights))
		}
	}
	if !w.constant {
		if err := n.workPacked(c.groups, outs, depth); err != nil {
			return nil, err
		}
	}
	act := fusedActivation(options[schema.Conv2DOptionsT](n.op).FusedActivationFunction)
	products := make([]product, c.groups)
	for g := range products {
		products[g] = product{pool: n.pool, rows: c.pixels(), left: c.left(g), stride: c.out, act: act}
	}
	if c.groups == 1 {
		n.product = &products[0]
	}
	return func() {
		for g := range products {
			if !w.constant {
				weights[g] = packColumns(weights[g], n.pool, w.floats()[g*outs*depth:], outs, depth, depth, 1)
			}
			p := &products[g]
			p.w, p.left.data, p.out = weights[g], x.floats(), y.floats()[g*outs:]
			if n.has(2) {
				p.bias = n.in[2].floats()[g*outs:][:outs]
			}
			p.run()
		}
	}, nil
}

// window writes elements [from, from+len(dst)) of output position row's window
// of the image x, [kernel height, kernel width, channels of the group], zero
// outside.
func (c *convolution) window(dst, x []float32, group, row, from int) {
	perGroup := c.channels / c.groups
	ox := row % c.w.out
	oy := row / c.w.out % c.h.out
	image := x[row/(c.w.out*c.h.out)*c.h.in*c.w.in*c.channels+group*perGroup:]
	y0, x0 := oy*c.h.stride-c.h.before, ox*c.w.stride-c.w.before
	// Taps that follow one another in the image are copied at once.
	run := 1
	if c.w.dilation == 1 && c.groups == 1 {
		run = c.w.kernel
	}
	for tap, at := from/perGroup, from%perGroup; len(dst) > 0; at = 0 {
		ky, kx := tap/c.w.kernel, tap%c.w.kernel
		taps := min(run, c.w.kernel-kx)
		n := min(taps*perGroup-at, len(dst))
		iy, ix := y0+ky*c.h.dilation, x0+kx*c.w.dilation
		switch {
		case iy < 0 || iy >= c.h.in || ix >= c.w.in || ix+taps <= 0:
			clear(dst[:n])
		case ix >= 0 && ix+taps <= c.w.in:
			copy(dst[:n], image[(iy*c.w.in+ix)*c.channels+at:])
		default: // the part of the run inside the image, and zeros around it
			begin := max(0, -ix*perGroup-at)
			end := min(n, (c.w.in-ix)*perGroup-at)
			clear(dst[:min(begin, n)])
			if begin < end {
				copy(dst[begin:end], image[(iy*c.w.in+ix)*c.channels+at+begin:])
			}
			clear(dst[max(end, 0):n])
		}
		dst = dst[n:]
		tap += taps
	}
}

// pack packs elements [from, from+len(row)) of the windows of count output
// positions from first on into a panel [len(row)][height]. Neighbours whose
// windows lie inside the image are strided rows of it and packed together;
// others one by one. row is scratch.
func (c *convolution) pack(dst, x []float32, group, first, count, height int, row []float32, from int) {
	depth := len(row)
	run := c.w.kernel * c.channels
	for i, n := 0, 1; i < count; i += n {
		position := first + i
		ox, line := position%c.w.out, position/c.w.out
		x0 := ox*c.w.stride - c.w.before
		n = min(count-i, c.w.out-ox, (c.w.in-c.w.kernel-x0)/c.w.stride+1)
		if c.groups > 1 || c.w.dilation > 1 || x0 < 0 || n <= 1 {
			n = 1
			c.window(row, x, group, position, from)
			simd.Active().PackRows(dst[i:], row, 1, height, depth, depth)
			continue
		}
		y0 := line%c.h.out*c.h.stride - c.h.before
		image := x[line/c.h.out*c.h.in*c.w.in*c.channels:]
		// Lines of the windows, each a run of taps.
		for k := from; k < from+depth; {
			ky, at := k/run, k%run
			length := min(run-at, from+depth-k)
			panel := dst[(k-from)*height+i:]
			if iy := y0 + ky*c.h.dilation; iy >= 0 && iy < c.h.in {
				simd.Active().PackRows(panel, image[(iy*c.w.in+x0)*c.channels+at:], n, height, length, c.w.stride*c.channels)
			} else {
				for j := range length {
					clear(panel[j*height:][:n])
				}
			}
			k += length
		}
	}
}

// left is the left-hand side of a group's product.
func (c *convolution) left(group int) leftRows {
	if c.h.kernel == 1 && c.w.kernel == 1 && c.h.stride == 1 && c.w.stride == 1 && c.groups == 1 {
		return leftRows{stride: c.channels, step: 1}
	}
	return leftRows{windows: c, group: group}
}
