package fallback

import (
	"fmt"
	"math"
	"unsafe"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorRESIZE_BILINEAR, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(o.counts(2, 2, 1), o.types(0, graph.Float32), o.types(1, graph.Int32), o.outTypes(0, graph.Float32))
		},
		prepare: prepareResizeBilinear,
	})
	register(schema.BuiltinOperatorRESIZE_NEAREST_NEIGHBOR, kernel{accepts: withIndices(2, 1), prepare: prepareResizeNearest})
}

// resizeShapes reads the target size, input 1 [height, width], and gives the
// output its shape.
func resizeShapes(n *node) (x []int, height, width int, err error) {
	x = n.in[0].shape
	size, err := n.ints(1)
	if err != nil {
		return nil, 0, 0, err
	}
	if len(x) != 4 || len(size) != 2 || size[0] < 1 || size[1] < 1 || x[1] < 1 || x[2] < 1 {
		return nil, 0, 0, fmt.Errorf("input %v cannot be resized to %v", x, size)
	}
	if err := n.shape(0, x[0], size[0], size[1], x[3]); err != nil {
		return nil, 0, 0, err
	}
	if n.empty() { // the sizes may be anything then
		return x, size[0], size[1], nil
	}
	return x, size[0], size[1], n.work(size[0]+size[1], int(unsafe.Sizeof(tap{})))
}

// scaleOf is the step in the input for one step in the output.
func scaleOf(in, out int, alignCorners bool) float32 {
	if alignCorners && out > 1 {
		return float32(in-1) / float32(out-1)
	}
	return float32(in) / float32(out)
}

// tap is where an output line lies between two input lines.
type tap struct {
	low, high int
	weight    float32 // of high
}

// bilinearTaps are the taps of one direction.
func bilinearTaps(in, out int, alignCorners, halfPixel bool) []tap {
	scale := scaleOf(in, out, alignCorners)
	taps := make([]tap, out)
	for o := range taps {
		at := float32(float32(o) * scale)
		if halfPixel {
			at = float32((float32(o)+0.5)*scale) - 0.5
		}
		low := max(int(math.Floor(float64(at))), 0)
		high := min(int(math.Ceil(float64(at))), in-1)
		taps[o] = tap{low: min(low, in-1), high: max(high, 0), weight: at - float32(low)}
	}
	return taps
}

func prepareResizeBilinear(n *node) (compute, error) {
	o := options[schema.ResizeBilinearOptionsT](n.op)
	x, height, width, err := resizeShapes(n)
	if err != nil {
		return nil, err
	}
	if n.empty() {
		return func() {}, nil
	}
	rows := bilinearTaps(x[1], height, o.AlignCorners, o.HalfPixelCenters)
	columns := bilinearTaps(x[2], width, o.AlignCorners, o.HalfPixelCenters)
	channels := x[3]
	size := x[2] * channels // of a line of the input
	one := func(i int) {
		image := n.in[0].floats()[i/height*x[1]*size:]
		r := rows[i%height]
		line := image[r.low*size:][:size]
		if r.weight != 0 && r.low != r.high {
			scratch := takeScratch(size)
			defer scratch.give()
			vectors.Mix(scratch.data, line, image[r.high*size:], 1-r.weight, r.weight)
			line = scratch.data
		}
		mixPixels(n.out[0].floats()[i*width*channels:][:width*channels], line, columns, channels)
	}
	return func() { n.pool.each(x[0]*height, one) }, nil
}

// mixPixels computes a line of pixels between those of another line.
func mixPixels(out, line []float32, columns []tap, channels int) {
	const fewest = 8 // channels worth a call
	for o, c := range columns {
		pixel := out[o*channels:][:channels]
		a, b := line[c.low*channels:][:channels], line[c.high*channels:][:channels]
		switch {
		case c.weight == 0 || c.low == c.high:
			copy(pixel, a)
		case channels >= fewest:
			vectors.Mix(pixel, a, b, 1-c.weight, c.weight)
		default:
			for k := range pixel {
				pixel[k] = float32(a[k]*(1-c.weight)) + float32(b[k]*c.weight)
			}
		}
	}
}

func prepareResizeNearest(n *node) (compute, error) {
	o := options[schema.ResizeNearestNeighborOptionsT](n.op)
	x, height, width, err := resizeShapes(n)
	if err != nil {
		return nil, err
	}
	if n.empty() {
		return func() {}, nil
	}
	nearest := func(in, out int) []int {
		scale := scaleOf(in, out, o.AlignCorners)
		list := make([]int, out)
		for i := range list {
			at := float32(i)
			if o.HalfPixelCenters {
				at += 0.5
			}
			at *= scale
			if o.AlignCorners {
				at = float32(math.Round(float64(at)))
			}
			list[i] = min(max(int(math.Floor(float64(at))), 0), in-1)
		}
		return list
	}
	rows, columns := nearest(x[1], height), nearest(x[2], width)
	pixel := x[3] * elementSize(n.in[0].tensor.Type)
	one := func(i int) {
		line, out := n.in[0].data[(i/height*x[1]+rows[i%height])*x[2]*pixel:], n.out[0].data[i*width*pixel:]
		for o, c := range columns {
			copy(out[o*pixel:][:pixel], line[c*pixel:])
		}
	}
	return func() { n.pool.each(x[0]*height, one) }, nil
}
