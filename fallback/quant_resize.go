package fallback

import (
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorRESIZE_BILINEAR, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(o.counts(2, 2, 1), o.types(0, graph.Int8), o.types(1, graph.Int32), o.outTypes(0, graph.Int8))
		},
		prepare: prepareIntegerResize,
	})
}

// integerTap is a tap whose weight is in units of 1/1024.
type integerTap struct {
	low, high int
	weight    int64 // of high
}

// integerTaps are the taps of one direction, in fixed point with 10 bits.
func integerTaps(in, out int, alignCorners, halfPixel bool) []integerTap {
	const one = 1 << 10
	step := (one*in + out/2) / out
	if alignCorners && out > 1 {
		step = (one*(in-1) + (out-1)/2) / (out - 1)
	}
	taps := make([]integerTap, out)
	for o := range taps {
		at := o * step
		if halfPixel {
			at += step/2 - one/2
		}
		low := max(at/one, 0)
		taps[o] = integerTap{low: min(low, in-1), high: max(0, min((at+one-1)/one, in-1)), weight: int64(at - one*low)}
	}
	return taps
}

func prepareIntegerResize(n *node) (compute, error) {
	o := options[schema.ResizeBilinearOptionsT](n.op)
	x, height, width, err := resizeShapes(n)
	if err != nil {
		return nil, err
	}
	if n.empty() {
		return func() {}, nil
	}
	rows := integerTaps(x[1], height, o.AlignCorners, o.HalfPixelCenters)
	columns := integerTaps(x[2], width, o.AlignCorners, o.HalfPixelCenters)
	channels := x[3]
	return func() {
		in, out := integersOf[int8](n.in[0]), integersOf[int8](n.out[0])
		n.pool.each(x[0]*height, func(i int) {
			image := in[i/height*x[1]*x[2]*channels:]
			r := rows[i%height]
			low, high := image[r.low*x[2]*channels:], image[r.high*x[2]*channels:]
			line := out[i*width*channels:]
			for o, c := range columns {
				a, b := low[c.low*channels:], low[c.high*channels:]
				d, e := high[c.low*channels:], high[c.high*channels:]
				for k := range channels {
					sum := int64(a[k])*(1024-r.weight)*(1024-c.weight) + int64(b[k])*(1024-r.weight)*c.weight +
						int64(d[k])*r.weight*(1024-c.weight) + int64(e[k])*r.weight*c.weight
					half := int64(1 << 19)
					if sum <= 0 {
						half = -half
					}
					line[o*channels+k] = int8((sum + half) / (1 << 20))
				}
			}
		})
	}, nil
}

func init() {
	register(schema.BuiltinOperatorRESIZE_BILINEAR, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(o.counts(2, 2, 1), o.types(0, graph.Uint8), o.types(1, graph.Int32), o.outTypes(0, graph.Uint8))
		},
		prepare: prepareByteResize,
	})
}

// prepareByteResize interpolates uint8 in float32.
func prepareByteResize(n *node) (compute, error) {
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
	return func() {
		in, out := n.in[0].data, n.out[0].data
		n.pool.each(x[0]*height, func(i int) {
			image := in[i/height*x[1]*x[2]*channels:]
			r := rows[i%height]
			low, high := image[r.low*x[2]*channels:], image[r.high*x[2]*channels:]
			line := out[i*width*channels:]
			for o, c := range columns {
				wa, wb := float32((1-r.weight)*(1-c.weight)), float32((1-r.weight)*c.weight)
				wd, we := float32(r.weight*(1-c.weight)), float32(r.weight*c.weight)
				a, b := low[c.low*channels:], low[c.high*channels:]
				d, e := high[c.low*channels:], high[c.high*channels:]
				for k := range channels {
					sum := float32(float32(a[k])*wa) + float32(float32(b[k])*wb) + float32(float32(d[k])*wd) + float32(float32(e[k])*we)
					line[o*channels+k] = uint8(sum + 0.5)
				}
			}
		})
	}, nil
}
