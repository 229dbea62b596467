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

// transposed is the geometry of TRANSPOSE_CONV (output shape, w [out, kernel
// height, kernel width, in], x [batch, height, width, in], bias).
type transposed struct {
	batch, in, out int
	// h and w are those of the convolution that it transposes: from the
	// output to the input.
	h, w axis
}

// pixels is the number of input positions, columns the number of products of
// each.
func (c *transposed) pixels() int  { return c.batch * c.h.out * c.w.out }
func (c *transposed) columns() int { return c.out * c.h.kernel * c.w.kernel }

// transposedShapes checks the operands and gives the output its shape.
func transposedShapes(n *node) (*transposed, error) {
	o := options[schema.TransposeConvOptionsT](n.op)
	shape, err := n.ints(0)
	if err != nil {
		return nil, err
	}
	w, x := n.in[1].shape, n.in[2].shape
	if len(shape) != 4 || len(w) != 4 || len(x) != 4 || w[3] != x[3] || shape[3] != w[0] || shape[0] != x[0] {
		return nil, fmt.Errorf("input %v, weights %v and output %v do not go together", x, w, shape)
	}
	c := &transposed{batch: x[0], in: w[3], out: w[0]}
	if c.h, err = newAxis(shape[1], w[1], int(o.StrideH), 1, o.Padding); err != nil {
		return nil, err
	}
	if c.w, err = newAxis(shape[2], w[2], int(o.StrideW), 1, o.Padding); err != nil {
		return nil, err
	}
	if c.h.out != x[1] || c.w.out != x[2] {
		return nil, fmt.Errorf("an input of %d×%d cannot give an output of %d×%d with this stride and padding", x[1], x[2], shape[1], shape[2])
	}
	if n.has(3) && n.in[3].elements() != w[0] {
		return nil, fmt.Errorf("bias has %d elements, must have %d", n.in[3].elements(), w[0])
	}
	if err := n.shape(0, shape...); err != nil {
		return nil, err
	}
	products, err := graph.Elements([]int{c.batch, c.h.out, c.w.out, c.out, c.h.kernel, c.w.kernel})
	if err != nil {
		return nil, err
	}
	return c, n.work(products, 4)
}

// scatter adds the products of all input pixels, [pixel][out][tap], to the
// output pixels that their windows cover.
func scatter[T float32 | int32](c *transposed, pool *pool, out, products []T) {
	pool.each(c.batch, func(b int) {
		image := out[b*c.h.in*c.w.in*c.out:]
		for i := range c.h.out * c.w.out {
			from := products[(b*c.h.out*c.w.out+i)*c.columns():]
			scatterPixel(image, from, c.out, c.h, c.w, i/c.w.out, i%c.w.out)
		}
	})
}

// prepareTransposeConv computes a product x·w for every input pixel, and adds
// the results where the convolution that it transposes would have read.
func prepareTransposeConv(n *node) (compute, error) {
	c, err := transposedShapes(n)
	if err != nil {
		return nil, err
	}
	act := fusedActivation(options[schema.TransposeConvOptionsT](n.op).FusedActivationFunction)
	weights, pack, err := packedWeights(n, n.in[1], c.columns(), c.in)
	if err != nil {
		return nil, err
	}
	var products []float32
	return func() {
		y := n.out[0].floats()
		// Column (out, tap) of the product is row (out, tap) of w: its layout
		// is [out][tap][in] already.
		right := weights
		if pack != nil {
			right = pack()
		}
		if products == nil {
			products = make([]float32, c.pixels()*c.columns())
		}
		p := product{pool: n.pool, rows: c.pixels(), left: leftRows{data: n.in[2].floats(), stride: c.in, step: 1}, w: right, out: products, stride: c.columns()}
		p.run()
		for i := 0; i < len(y); i += c.out {
			if n.has(3) {
				copy(y[i:i+c.out], n.in[3].floats())
			} else {
				clear(y[i : i+c.out])
			}
		}
		scatter(c, n.pool, y, products)
		if act != nil {
			act(y)
		}
	}, nil
}

// scatterPixel adds one input pixel's products [out][tap] to the output pixels
// that its window covers.
func scatterPixel[T float32 | int32](image, from []T, outs int, h, w axis, oy, ox int) {
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
