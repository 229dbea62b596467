package fallback

import (
	"math"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// Hybrid operators have float32 activations and int8 weights: the input is
// quantized in each run (dynamic-range quantization), the product is one of
// integers, and the sums become float32 again.

func init() {
	register(schema.BuiltinOperatorFULLY_CONNECTED, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(hybridOperands(o, 0), denseWeights(o), fusable(options[schema.FullyConnectedOptionsT](o.op).FusedActivationFunction))
		},
		prepare: prepareHybridFullyConnected,
	})
	register(schema.BuiltinOperatorCONV_2D, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(hybridOperands(o, 0), fusable(options[schema.Conv2DOptionsT](o.op).FusedActivationFunction))
		},
		prepare: prepareHybridConv,
	})
	register(schema.BuiltinOperatorDEPTHWISE_CONV_2D, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(hybridOperands(o, 3), fusable(options[schema.DepthwiseConv2DOptionsT](o.op).FusedActivationFunction))
		},
		prepare: prepareHybridDepthwise,
	})
}

// hybridOperands refuses what is not float32 with symmetric int8 weights, whose
// scales may run along the given dimension.
func hybridOperands(o operands, dimension int) *delegate.Refusal {
	r := firstRefusal(o.counts(2, 3, 1), o.types(0, graph.Float32), o.types(1, graph.Int8), o.outTypes(0, graph.Float32))
	if r == nil && o.in(2) != nil {
		r = o.types(2, graph.Float32)
	}
	if r != nil {
		return r
	}
	w := o.in(1)
	if r := firstRefusal(isAffine("the weights", w, lengthOf(w, dimension)), symmetric("the weights", w)); r != nil {
		return r
	}
	if w.Sparsity != nil {
		return delegate.Refuse(delegate.ReasonConstant, "sparse weights")
	}
	return perChannel(o, 1, dimension)
}

// dynamic is one part of an input, quantized: real = scale·value. Values are
// integers less the zero point.
type dynamic struct {
	scale  float32
	values []float32
}

// quantizeSymmetric fills values with integers of −127…127.
func (d *dynamic) quantizeSymmetric(x []float32) {
	largest := float32(0)
	for _, v := range x {
		if v < 0 {
			v = -v
		}
		largest = max(largest, v)
	}
	if largest == 0 {
		d.scale = 1
		clear(d.values)
		return
	}
	d.scale = largest / 127
	inverse := 127 / largest
	for i, v := range x {
		d.values[i] = float32(clampInteger(roundAway(float32(v*inverse)), -127, 127))
	}
}

// quantizeAsymmetric fills values with integers of −128…127 less the zero point
// for which the range of x, with 0, fits.
func (d *dynamic) quantizeAsymmetric(x []float32) {
	low, high := float32(0), float32(0)
	for _, v := range x {
		low, high = min(low, v), max(high, v)
	}
	if low == high {
		d.scale = 1
		clear(d.values)
		return
	}
	scale := (float64(high) - float64(low)) / 255
	fromLow, fromHigh := -128-float64(low)/scale, 127-float64(high)/scale
	zero := fromHigh
	if 128+math.Abs(float64(low)/scale) < 127+math.Abs(float64(high)/scale) {
		zero = fromLow
	}
	zero = math.Round(min(max(zero, -128), 127))
	d.scale = float32(scale)
	inverse := 1 / d.scale
	for i, v := range x {
		q := clampInteger(roundAway(float32(v*inverse))+int32(zero), -128, 127)
		d.values[i] = float32(q) - float32(zero)
	}
}

func prepareHybridFullyConnected(n *node) (compute, error) {
	rows, in, out, err := fullyConnectedShapes(n)
	if err != nil {
		return nil, err
	}
	o := options[schema.FullyConnectedOptionsT](n.op)
	scales := n.in[1].tensor.Quantization.Scale
	act := fusedActivation(o.FusedActivationFunction)
	return func() {
		x, y := n.in[0].floats(), n.out[0].floats()
		quantized := takeScratch(len(x))
		defer quantized.give()
		factors := make([]float32, rows)
		n.pool.chunks(rows, 1+(1<<14)/in, func(from, to int) {
			for i := from; i < to; i++ {
				d := dynamic{values: quantized.data[i*in : (i+1)*in]}
				if o.AsymmetricQuantizeInputs {
					d.quantizeAsymmetric(x[i*in : (i+1)*in])
				} else {
					d.quantizeSymmetric(x[i*in : (i+1)*in])
				}
				factors[i] = d.scale
			}
		})
		var bias []float32
		if n.has(2) {
			bias = n.in[2].floats()
		}
		p := integerProduct[int8]{
			pool: n.pool, rows: rows, columns: out, depth: in,
			row: matrixRows(quantized.data, in),
			w:   integersOf[int8](n.in[1]),
			finish: func(row, column int, sums []int32) {
				to := y[row*out+column:][:len(sums)]
				scale := float32(factors[row] * scales[0])
				for i, s := range sums {
					if len(scales) > 1 {
						scale = float32(factors[row] * scales[column+i])
					}
					v := float32(float32(s) * scale)
					if bias != nil {
						v += bias[column+i]
					}
					to[i] = v
				}
				if act != nil {
					act(to)
				}
			},
		}
		p.run()
	}, nil
}

func prepareHybridConv(n *node) (compute, error) {
	c, err := convShapes(n)
	if err != nil {
		return nil, err
	}
	scales := n.in[1].tensor.Quantization.Scale
	act := fusedActivation(options[schema.Conv2DOptionsT](n.op).FusedActivationFunction)
	return func() {
		x, y := n.in[0].floats(), n.out[0].floats()
		quantized := takeScratch(len(x))
		defer quantized.give()
		factors := make([]float32, c.batch)
		size := len(x) / max(1, c.batch)
		for i := range factors {
			d := dynamic{values: quantized.data[i*size : (i+1)*size]}
			if len(scales) > 1 {
				d.quantizeAsymmetric(x[i*size : (i+1)*size])
			} else {
				d.quantizeSymmetric(x[i*size : (i+1)*size])
			}
			factors[i] = d.scale
		}
		var bias []float32
		if n.has(2) {
			bias = n.in[2].floats()
		}
		convProducts(n.pool, c, quantized.data, integersOf[int8](n.in[1]), 0, func(row, column int, sums []int32) {
			to := y[row*c.out+column:][:len(sums)]
			factor := factors[row/(c.h.out*c.w.out)]
			scale := float32(factor * scales[0])
			for i, s := range sums {
				v := float32(s)
				if len(scales) > 1 {
					v = float32(float32(v*scales[column+i]) * factor)
				} else {
					v = float32(v * scale)
				}
				if bias != nil {
					v += bias[column+i]
				}
				to[i] = v
			}
			if act != nil {
				act(to)
			}
		})
	}, nil
}

// prepareHybridDepthwise quantizes each image of the batch with a zero point.
func prepareHybridDepthwise(n *node) (compute, error) {
	d, err := depthwiseShapes(n)
	if err != nil {
		return nil, err
	}
	scales := n.in[1].tensor.Quantization.Scale
	act := fusedActivation(options[schema.DepthwiseConv2DOptionsT](n.op).FusedActivationFunction)
	return func() {
		x, w, y := n.in[0].floats(), integersOf[int8](n.in[1]), n.out[0].floats()
		quantized := takeScratch(len(x))
		defer quantized.give()
		factors := make([]float32, d.batch)
		size := len(x) / max(1, d.batch)
		for i := range factors {
			q := dynamic{values: quantized.data[i*size : (i+1)*size]}
			q.quantizeAsymmetric(x[i*size : (i+1)*size])
			factors[i] = q.scale
		}
		taps := takeScratch(len(w))
		defer taps.give()
		for i, v := range w {
			taps.data[i] = float32(v)
		}
		outs := d.channels * d.multiplier
		line := d.w.out * outs
		n.pool.each(d.batch*d.h.out, func(i int) {
			b := i / d.h.out
			out := y[i*line : (i+1)*line]
			d.line(out, quantized.data[b*size:], taps.data, nil, i%d.h.out)
			for k := range out {
				c := k % outs
				v := float32(out[k] * float32(scales[min(c, len(scales)-1)]*factors[b]))
				if n.has(2) {
					v += n.in[2].floats()[c]
				}
				out[k] = v
			}
			if act != nil {
				act(out)
			}
		})
	}, nil
}
