package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph/schema"
)

func init() {
	accepts := func(o operands) *delegate.Refusal {
		return firstRefusal(o.counts(1, 1, 1), floatOperands(o), fusable(options[schema.Pool2DOptionsT](o.op).FusedActivationFunction))
	}
	register(schema.BuiltinOperatorAVERAGE_POOL_2D, kernel{accepts: accepts, prepare: func(n *node) (compute, error) {
		return preparePool(n, averageWindow)
	}})
	register(schema.BuiltinOperatorMAX_POOL_2D, kernel{accepts: accepts, prepare: func(n *node) (compute, error) {
		return preparePool(n, maxWindow)
	}})
}

// pooling is the geometry of a pooling over x [batch, height, width, channels].
type pooling struct {
	batch, channels int
	h, w            axis
}

// poolShapes checks the operand and gives the output its shape.
func poolShapes(n *node) (*pooling, error) {
	o := options[schema.Pool2DOptionsT](n.op)
	x := n.in[0].shape
	if len(x) != 4 {
		return nil, fmt.Errorf("input %v must have 4 dimensions", x)
	}
	p := &pooling{batch: x[0], channels: x[3]}
	var err error
	if p.h, err = newAxis(x[1], int(o.FilterHeight), int(o.StrideH), 1, o.Padding); err != nil {
		return nil, err
	}
	if p.w, err = newAxis(x[2], int(o.FilterWidth), int(o.StrideW), 1, o.Padding); err != nil {
		return nil, err
	}
	return p, n.shape(0, p.batch, p.h.out, p.w.out, p.channels)
}

// window is the input pixels under one output pixel: pixel(y, x) for y in
// [fromY, toY) and x in [fromX, toX).
type window struct {
	image           []float32
	width, channels int
	fromY, toY      int
	fromX, toX      int
}

func (w *window) pixel(y, x int) []float32 {
	return w.image[(y*w.width+x)*w.channels:][:w.channels]
}

func preparePool(n *node, f func(out []float32, w window)) (compute, error) {
	p, err := poolShapes(n)
	if err != nil {
		return nil, err
	}
	act := fusedActivation(options[schema.Pool2DOptionsT](n.op).FusedActivationFunction)
	line := p.w.out * p.channels
	one := func(i int) {
		x, y := n.in[0].floats(), n.out[0].floats()
		w := window{image: x[i/p.h.out*p.h.in*p.w.in*p.channels:], width: p.w.in, channels: p.channels}
		fromY, toY, startY := p.h.span(i % p.h.out)
		w.fromY, w.toY = startY+fromY, startY+toY
		out := y[i*line : (i+1)*line]
		for ox := range p.w.out {
			if n.pool.stopped() { // a window may be as large as the image
				return
			}
			fromX, toX, startX := p.w.span(ox)
			w.fromX, w.toX = startX+fromX, startX+toX
			f(out[ox*p.channels:(ox+1)*p.channels], w)
		}
		if act != nil {
			act(out)
		}
	}
	return func() { n.pool.each(p.batch*p.h.out, one) }, nil
}

// averageWindow divides by the number of pixels inside the image.
func averageWindow(out []float32, w window) {
	clear(out)
	for y := w.fromY; y < w.toY; y++ {
		for x := w.fromX; x < w.toX; x++ {
			vectors.Add(out, out, w.pixel(y, x))
		}
	}
	vectors.DivScalar(out, out, float32((w.toY-w.fromY)*(w.toX-w.fromX)))
}

func maxWindow(out []float32, w window) {
	copy(out, w.pixel(w.fromY, w.fromX))
	for y := w.fromY; y < w.toY; y++ {
		for x := w.fromX; x < w.toX; x++ {
			vectors.Max(out, out, w.pixel(y, x))
		}
	}
}
