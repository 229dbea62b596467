package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/fallback/simd"
	"nanoflux/graph"
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

	// What a run computes with.
	image, weights, bias, out []float32
	low, high                 float32
	act                       activation // nil unless it is more than a range
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
	fused := options[schema.DepthwiseConv2DOptionsT](n.op).FusedActivationFunction
	d.low, d.high = rangeOf(fused)
	if fused == graph.ActTanh {
		d.act = fusedActivation(fused)
	}
	if !n.has(2) {
		d.bias = make([]float32, d.channels*d.multiplier)
		if err := n.work(len(d.bias), 4); err != nil {
			return nil, err
		}
	}
	// A multiplication takes about eight times as long as in a matrix product.
	least := 1 + littleWork/8/max(1, d.w.out*d.channels*d.multiplier*d.h.kernel*d.w.kernel)
	lines := func(from, to int) {
		for i := from; i < to && !n.pool.stopped(); i++ {
			d.line(i)
		}
	}
	return func() {
		d.image, d.weights, d.out = n.in[0].floats(), n.in[1].floats(), n.out[0].floats()
		if n.has(2) {
			d.bias = n.in[2].floats()
		}
		n.pool.chunks(d.batch*d.h.out, least, lines)
	}, nil
}

// rangeOf is where a fused activation moves values to.
func rangeOf(a graph.Activation) (low, high float32) {
	switch a {
	case graph.ActRelu:
		return 0, infinity
	case graph.ActRelu6:
		return 0, 6
	case graph.ActReluN1To1:
		return -1, 1
	}
	return -infinity, infinity
}

// line computes output line i, counted through the images of the batch.
func (d *depthwise) line(i int) {
	outs := d.channels * d.multiplier
	image := d.image[i/d.h.out*d.h.in*d.w.in*d.channels:]
	out := d.out[i*d.w.out*outs:][:d.w.out*outs]
	fromY, toY, startY := d.h.span(i % d.h.out)
	for ox := 0; ox < d.w.out && !d.pool.stopped(); { // the kernel may be as large as the image
		fromX, toX, startX := d.w.span(ox)
		pixels := 1
		if fromX == 0 && toX == d.w.kernel {
			// Neighbours whose windows are inside, too.
			pixels = min(d.w.out-ox, (d.w.in-1-startX-(d.w.kernel-1)*d.w.dilation)/d.w.stride+1)
		}
		pixel := out[ox*outs:]
		ox += pixels
		if fromY >= toY || fromX >= toX { // nothing of the image is in the window
			copy(pixel[:outs], d.bias)
			vectors.Clamp(pixel[:outs], pixel, d.low, d.high)
			continue
		}
		weights := d.weights[(fromY*d.w.kernel+fromX)*outs:]
		in := image[((startY+fromY*d.h.dilation)*d.w.in+startX+fromX*d.w.dilation)*d.channels:]
		if d.multiplier > 1 {
			d.multiply(pixel, in, weights, pixels, toY-fromY, toX-fromX)
			continue
		}
		simd.Active().Depthwise(simd.DepthwiseWindow{
			Out: pixel, In: in, Weights: weights, Bias: d.bias,
			Channels: d.channels, Pixels: pixels, Rows: toY - fromY, Columns: toX - fromX,
			InRow: d.h.dilation * d.w.in * d.channels, InColumn: d.w.dilation * d.channels, InPixel: d.w.stride * d.channels, OutPixel: outs,
			WeightRow: d.w.kernel * outs, WeightColumn: outs,
			Low: d.low, High: d.high,
		})
	}
	if d.act != nil {
		d.act(out)
	}
}

// multiply computes pixels whose channels have several outputs each.
func (d *depthwise) multiply(out, in, weights []float32, pixels, rows, columns int) {
	outs := d.channels * d.multiplier
	for p := range pixels {
		pixel := out[p*outs:][:outs]
		copy(pixel, d.bias)
		for y := range rows {
			for x := range columns {
				from := in[(y*d.h.dilation*d.w.in+x*d.w.dilation+p*d.w.stride)*d.channels:][:d.channels]
				tap := weights[(y*d.w.kernel+x)*outs:][:outs]
				for c, v := range from {
					for m := range d.multiplier {
						pixel[c*d.multiplier+m] += float32(v * tap[c*d.multiplier+m])
					}
				}
			}
		}
		vectors.Clamp(pixel, pixel, d.low, d.high)
	}
}
