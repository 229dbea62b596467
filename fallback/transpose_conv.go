package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorTRANSPOSE_CONV, kernel{
		accepts: func(o operands) *delegate.Refusal {
			r := firstRefusal(o.counts(3, 4, 1), o.types(0, graph.Int32), o.types(1, graph.Float32), o.types(2, graph.Float32),
				o.outTypes(0, graph.Float32), fusable(options[schema.TransposeConvOptionsT](o.op).FusedActivationFunction))
			if r == nil && o.in(3) != nil {
				r = o.types(3, graph.Float32)
			}
			return r
		},
		prepare: prepareTransposeConv,
	})
}

// prepareTransposeConv computes TRANSPOSE_CONV (output shape, w [out, kernel
// height, kernel width, in], x [batch, height, width, in], bias) as a product
// x·w for every input pixel, whose results are added where the convolution
// that it transposes would have read.
func prepareTransposeConv(n *node) (compute, error) {
	o := options[schema.TransposeConvOptionsT](n.op)
	shape, err := n.ints(0)
	if err != nil {
		return nil, err
	}
	w, x := n.in[1].shape, n.in[2].shape
	if len(shape) != 4 || len(w) != 4 || len(x) != 4 || w[3] != x[3] || shape[3] != w[0] || shape[0] != x[0] {
		return nil, fmt.Errorf("input %v, weights %v and output %v do not go together", x, w, shape)
	}
	h, err := newAxis(shape[1], w[1], int(o.StrideH), 1, o.Padding)
	if err != nil {
		return nil, err
	}
	wide, err := newAxis(shape[2], w[2], int(o.StrideW), 1, o.Padding)
	if err != nil {
		return nil, err
	}
	if h.out != x[1] || wide.out != x[2] {
		return nil, fmt.Errorf("an input of %d×%d cannot give an output of %d×%d with this stride and padding", x[1], x[2], shape[1], shape[2])
	}
	if n.has(3) && n.in[3].elements() != w[0] {
		return nil, fmt.Errorf("bias has %d elements, must have %d", n.in[3].elements(), w[0])
	}
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	outs, taps, in := w[0], w[1]*w[2], w[3]
	columns := outs * taps
	act := fusedActivation(o.FusedActivationFunction)
	var reused *packed
	var products []float32
	return func() {
		y := n.out[0].floats()
		// Column (out, tap) of the product is row (out, tap) of w: its layout
		// is [out][tap][in] already.
		reused = packColumns(reused, n.pool, n.in[1].floats(), columns, in, in, 1)
		pixels := x[0] * x[1] * x[2]
		if products == nil {
			products = make([]float32, pixels*columns)
		}
		p := product{pool: n.pool, rows: pixels, row: matrixRows(n.in[2].floats(), in), w: reused, out: products, stride: columns}
		p.run()
		for i := 0; i < len(y); i += outs {
			if n.has(3) {
				copy(y[i:i+outs], n.in[3].floats())
			} else {
				clear(y[i : i+outs])
			}
		}
		n.pool.each(x[0], func(b int) {
			image := y[b*shape[1]*shape[2]*outs:]
			for i := range x[1] * x[2] {
				from := products[(b*x[1]*x[2]+i)*columns:]
				scatterPixel(image, from, outs, h, wide, i/x[2], i%x[2])
			}
		})
		if act != nil {
			act(y)
		}
	}, nil
}

// scatterPixel adds one input pixel's products [out][tap] to the output pixels
// that its window covers.
func scatterPixel(image, from []float32, outs int, h, w axis, oy, ox int) {
	fromY, toY, startY := h.span(oy)
	fromX, toX, startX := w.span(ox)
	taps := h.kernel * w.kernel
	for ky := fromY; ky < toY; ky++ {
		for kx := fromX; kx < toX; kx++ {
			pixel := image[((startY+ky)*w.in+startX+kx)*outs:][:outs]
			tap := ky*w.kernel + kx
			for c := range pixel {
				pixel[c] += from[c*taps+tap]
			}
		}
	}
}
