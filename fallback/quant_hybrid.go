package fallback

import (
	"math"

	"nanoflux/delegate"
	"nanoflux/fallback/simd"
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

// dynamicRange is how one part of an input is quantized: real = scale · (integer −
// zero).
type dynamicRange struct {
	scale float32
	zero  int32
}

// quantizeSymmetric fills q with integers of −127…127.
func quantizeSymmetric(k *simd.Integer, q []byte, x []float32) dynamicRange {
	low, high := k.Range(x)
	largest := max(-low, high)
	if largest == 0 {
		clear(q)
		return dynamicRange{scale: 1}
	}
	k.Quantize(q, x, 127/largest, 0, -127, 127, false)
	return dynamicRange{scale: largest / 127}
}

// quantizeAsymmetric fills q with integers of −128…127, with the zero point for
// which the range of x, with 0, fits.
func quantizeAsymmetric(k *simd.Integer, q []byte, x []float32) dynamicRange {
	low, high := k.Range(x)
	if low == high {
		clear(q)
		return dynamicRange{scale: 1}
	}
	scale := (float64(high) - float64(low)) / 255
	fromLow, fromHigh := -128-float64(low)/scale, 127-float64(high)/scale
	zero := fromHigh
	if 128+math.Abs(float64(low)/scale) < 127+math.Abs(float64(high)/scale) {
		zero = fromLow
	}
	d := dynamicRange{scale: float32(scale), zero: nearest(math.Round(min(max(zero, -128), 127)))}
	k.Quantize(q, x, 1/d.scale, d.zero, -128, 127, false)
	return d
}

// hybrid is the state of a node with float32 activations and int8 weights.
type hybrid struct {
	n       *node
	kernels *simd.Integer
	// quantized is the input; parts are its rows or images of size elements, each
	// quantized for itself.
	quantized   []byte
	parts, size int
	asymmetric  bool
	// margins are the parts' zero points as bytes; zeros (as the kernels pack
	// integers: with shift) and factors are those of the output's rows, of which
	// each part has so many.
	zeros   []int32
	factors []float32
	margins []byte
	rows    int
	shift   int32
	some    func(from, to int)
}

func newHybrid(n *node, parts, size, rows int, asymmetric bool) (*hybrid, error) {
	h := &hybrid{n: n, kernels: &simd.Active().Integer, parts: parts, size: size, rows: rows, asymmetric: asymmetric}
	if err := n.work(parts, size+1); err != nil {
		return nil, err
	}
	if err := n.work(parts*rows, 8); err != nil {
		return nil, err
	}
	h.quantized = make([]byte, parts*size)
	h.zeros, h.factors, h.margins = make([]int32, parts*rows), make([]float32, parts*rows), make([]byte, parts)
	h.some = h.quantizeParts
	return h, nil
}

// quantize takes the node's input.
func (h *hybrid) quantize() { h.n.pool.chunks(h.parts, 1+(1<<14)/max(1, h.size), h.some) }

func (h *hybrid) quantizeParts(from, to int) {
	x := h.n.in[0].floats()
	for i := from; i < to; i++ {
		part, q := x[i*h.size:(i+1)*h.size], h.quantized[i*h.size:(i+1)*h.size]
		var d dynamicRange
		if h.asymmetric {
			d = quantizeAsymmetric(h.kernels, q, part)
		} else {
			d = quantizeSymmetric(h.kernels, q, part)
		}
		h.margins[i] = byte(d.zero)
		for r := i * h.rows; r < (i+1)*h.rows; r++ {
			h.zeros[r], h.factors[r] = d.zero+h.shift, d.scale
		}
	}
}

// scaledRows stores sums as rows of floats.
type scaledRows struct {
	h      *hybrid
	s      *simd.Scaler
	stride int
	act    activation
	// column is the first one's place in out.
	column int
	out    []float32
}

// bind sets the parameters of the columns.
func (r *scaledRows) bind(columns, from int, sums []int32) {
	n := r.h.n
	scales := n.in[1].tensor.Quantization.Scale
	for j := range columns {
		bias := float32(math.Copysign(0, -1)) // what changes nothing when it is added
		if n.has(2) {
			bias = n.in[2].floats()[from+j]
		}
		r.s.Column(j, sums[j], scales[min(from+j, len(scales)-1)], bias)
	}
	r.column = from
}

func (r *scaledRows) store(row, column, rows, columns int, sums []int32, stride int) {
	out := r.out[row*r.stride+r.column+column:]
	r.h.kernels.Scale(out, r.stride, sums, stride, rows, columns, r.s, column, r.h.zeros[row:], r.h.factors[row:])
	if r.act == nil {
		return
	}
	for i := range rows {
		r.act(out[i*r.stride:][:columns])
	}
}

func prepareHybridFullyConnected(n *node) (compute, error) {
	rows, in, out, err := fullyConnectedShapes(n)
	if err != nil {
		return nil, err
	}
	o := options[schema.FullyConnectedOptionsT](n.op)
	weights, err := n.integerWeights(1, 1, out, in)
	if err != nil {
		return nil, err
	}
	h, err := newHybrid(n, rows, in, 1, o.AsymmetricQuantizeInputs)
	if err != nil {
		return nil, err
	}
	flip, shift := leftFlip(weights[0].kernels, false)
	h.shift = shift
	result := &scaledRows{h: h, s: simd.NewScaler(out), stride: out, act: fusedActivation(o.FusedActivationFunction)}
	p := integerProduct{pool: n.pool, rows: rows, left: matrixLeft(rows, in), flip: flip, w: weights[0], store: result}
	p.left.data = h.quantized
	bound := false
	return func() {
		if !bound {
			if !n.in[1].constant {
				n.packIntegers(weights, 1)
			}
			result.bind(out, 0, weights[0].sums)
			bound = n.in[1].constant && (!n.has(2) || n.in[2].constant)
		}
		h.quantize()
		result.out = n.out[0].floats()
		p.run()
		result.out = nil
	}, nil
}

func prepareHybridConv(n *node) (compute, error) {
	c, err := convShapes(n)
	if err != nil {
		return nil, err
	}
	outs := c.out / c.groups
	weights, err := n.integerWeights(1, c.groups, outs, c.depth())
	if err != nil {
		return nil, err
	}
	manyScales := len(n.in[1].tensor.Quantization.Scale) > 1
	h, err := newHybrid(n, c.batch, c.h.in*c.w.in*c.channels, c.h.out*c.w.out, manyScales)
	if err != nil {
		return nil, err
	}
	flip, shift := leftFlip(weights[0].kernels, false)
	h.shift = shift
	padding := newPadding(n.pool, c.batch, c.channels, c.h, c.w, 1, 0)
	if padding.needed() {
		if err := n.work(padding.bytes(), 1); err != nil {
			return nil, err
		}
	}
	act := fusedActivation(options[schema.Conv2DOptionsT](n.op).FusedActivationFunction)
	results, products := make([]scaledRows, c.groups), make([]integerProduct, c.groups)
	for g := range products {
		results[g] = scaledRows{h: h, s: simd.NewScaler(outs), stride: c.out, act: act}
		results[g].s.Last = manyScales
		products[g] = integerProduct{pool: n.pool, rows: c.pixels(), left: windowsLeft(c, padding), flip: flip, w: weights[g], store: &results[g]}
	}
	bound := false
	return func() {
		if !bound {
			if !n.in[1].constant {
				n.packIntegers(weights, 1)
			}
			for g := range results {
				results[g].bind(outs, g*outs, weights[g].sums)
			}
			bound = n.in[1].constant && (!n.has(2) || n.in[2].constant)
		}
		h.quantize()
		x := padding.of(h.quantized, h.margins)
		for g := range products {
			products[g].left.data = x[g*c.channels/c.groups:]
			results[g].out = n.out[0].floats()
			products[g].run()
			results[g].out = nil
		}
	}, nil
}

// prepareHybridDepthwise quantizes each image of the batch with a zero point.
func prepareHybridDepthwise(n *node) (compute, error) {
	d, err := depthwiseShapes(n)
	if err != nil {
		return nil, err
	}
	outs := d.channels * d.multiplier
	p, err := newDepthwiseSums(n, d, false)
	if err != nil {
		return nil, err
	}
	h, err := newHybrid(n, d.batch, d.h.in*d.w.in*d.channels, d.h.out*d.w.out, true)
	if err != nil {
		return nil, err
	}
	act := fusedActivation(options[schema.DepthwiseConv2DOptionsT](n.op).FusedActivationFunction)
	result := &scaledRows{h: h, s: simd.NewScaler(outs), stride: outs, act: act}
	p.store = result
	bound := false
	return func() {
		if p.pack(n.in[1].data, false, 0); !bound {
			result.bind(outs, 0, p.sums)
			bound = p.packed && (!n.has(2) || n.in[2].constant)
		}
		h.quantize()
		result.out = n.out[0].floats()
		p.run(h.quantized, h.margins)
		result.out = nil
	}, nil
}
