package rewrite

import (
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// fullyConnectedToConv writes a fully connected layer as a 1×1 convolution of
// an image of one row, [1, 1, tokens, in]. Core ML takes FULLY_CONNECTED for
// one token only, Hexagon and old NNAPI none that keeps dimensions, Hexagon
// none with a scale a channel; all of them take the convolution.
//
// The weights' buffer is shared: [out, in] and [out, 1, 1, in] are the same
// bytes. Float layers are exact up to the order of summation. In 8-bit ones a
// layer with one scale rounds its factor as convolutions do, which can move a
// result by one step.
var fullyConnectedToConv = pass("fully-connected-to-conv", "FULLY_CONNECTED becomes a 1×1 CONV_2D", func(d *draft, op *graph.Op) bool {
	l, ok := d.linear(op)
	if !ok {
		return false
	}
	filter, ok := d.relaid(l.w, []int{l.out, 1, 1, l.in})
	if !ok {
		return false
	}
	bias := l.bias
	if bias == graph.NoTensor {
		bias = d.zeroBias(l)
	}
	image := imageShape(d.shape(l.x), l.in)
	x := d.reshaped(l.x, image...)
	y, shape := l.y, append(slices.Clone(image[:3]), l.out)
	if !slices.Equal(d.shape(y), shape) {
		y = d.shaped(l.y, "conv", shape)
	}
	d.emit(schema.BuiltinOperatorCONV_2D, &schema.Conv2DOptionsT{
		Padding: graph.Valid, StrideH: 1, StrideW: 1, DilationHFactor: 1, DilationWFactor: 1,
		FusedActivationFunction: l.options.FusedActivationFunction, QuantizedBiasType: l.options.QuantizedBiasType,
	}, []int{x, filter, bias}, []int{y})
	if y != l.y {
		d.reshapeInto(y, l.y)
	}
	return true
})

// imageShape is the shape of rank 4 in which x, of rows of n, is an image.
func imageShape(shape []int, n int) []int {
	rank := len(shape)
	if rank == 0 || rank > 4 || shape[rank-1] != n {
		return []int{1, 1, elements(shape) / n, n}
	}
	return append(slices.Clone([]int{1, 1, 1, 1}[:4-rank]), shape...)
}

// linear is a FULLY_CONNECTED that can be written another way: rows of in
// elements times weights [out, in], in float32 or in 8 bits. The weights are in
// the file, behind a DEQUANTIZE at most.
type linear struct {
	x, w, bias, y int
	in, out       int
	options       schema.FullyConnectedOptionsT
}

func (d *draft) linear(op *graph.Op) (l linear, ok bool) {
	if op.Code != schema.BuiltinOperatorFULLY_CONNECTED || !d.fixed || len(op.Inputs) < 2 || len(op.Outputs) != 1 {
		return l, false
	}
	l = linear{x: op.Inputs[0], w: op.Inputs[1], bias: graph.NoTensor, y: op.Outputs[0], options: options[schema.FullyConnectedOptionsT](op)}
	if len(op.Inputs) > 2 {
		l.bias = op.Inputs[2]
	}
	w := d.tensor(l.w)
	if l.x == graph.NoTensor || len(w.Shape) != 2 || l.options.WeightsFormat != schema.FullyConnectedOptionsWeightsFormatDEFAULT {
		return l, false
	}
	l.out, l.in = w.Shape[0], w.Shape[1]
	n := elements(d.shape(l.x))
	if l.in == 0 || l.out == 0 || l.out > mostAdded || n == 0 || n%l.in != 0 || n/l.in*l.out != elements(d.shape(l.y)) {
		return l, false
	}
	return l, d.sameArithmetic(l.x, l.w, l.bias, l.y)
}

// sameArithmetic: FULLY_CONNECTED and CONV_2D compute the same of these types.
// Float activations with 8-bit weights are not among them: they are rounded to
// 8 bits for each row there, for each image here.
func (d *draft) sameArithmetic(x, w, bias, y int) bool {
	t := d.tensor(x).Type
	if d.tensor(w).Type != t || d.tensor(y).Type != t {
		return false
	}
	switch t {
	case graph.Float32:
		return bias == graph.NoTensor || d.tensor(bias).Type == graph.Float32
	case graph.Int8:
		return (bias == graph.NoTensor || d.tensor(bias).Type == graph.Int32) &&
			d.oneScale(x) && symmetric(d.tensor(w).Quantization)
	}
	return false
}

// symmetric: zero is zero in every channel, as a convolution wants its weights.
func symmetric(q *graph.Quantization) bool {
	return q != nil && len(q.Scale) > 0 && !slices.ContainsFunc(q.ZeroPoint, func(z int64) bool { return z != 0 })
}

// relaid gives weights w another shape with the same outermost dimension: a
// constant with the same buffer, behind a DEQUANTIZE of its own if w has one.
func (d *draft) relaid(w int, shape []int) (int, bool) {
	if _, ok := d.constant(w); ok {
		return d.sameBuffer(w, shape)
	}
	maker := d.maker(w)
	if maker == nil || maker.Code != schema.BuiltinOperatorDEQUANTIZE {
		return 0, false
	}
	code, settings, stored := maker.Code, maker.Options, maker.Inputs[0]
	if _, ok := d.constant(stored); !ok {
		return 0, false
	}
	again, ok := d.sameBuffer(stored, shape)
	if !ok {
		return 0, false
	}
	y := d.shaped(w, "filter", shape)
	d.emit(code, settings, []int{again}, []int{y})
	return y, true
}

// sameBuffer is constant t in another shape with the same outermost dimension,
// the only one that its scales may run along.
func (d *draft) sameBuffer(t int, shape []int) (int, bool) {
	x := *d.tensor(t)
	if q := x.Quantization; q != nil && (q.Details != nil || len(q.Scale) > 1 && q.Dimension != 0) || x.Sparsity != nil {
		return 0, false
	}
	x.Shape, x.ShapeSignature = slices.Clone(shape), nil
	return d.add(t, "filter", x), true
}

// zeroBias is a bias of zeros for a layer.
func (d *draft) zeroBias(l linear) int {
	a := graph.NewArray(graph.Float32, l.out)
	w := d.tensor(l.w).Quantization
	if d.tensor(l.x).Type == graph.Float32 {
		return d.shared(l.y, "bias", a)
	}
	// An integer bias has the scale of the products.
	a.Type = graph.Int32
	q := &graph.Quantization{}
	for _, s := range w.Scale {
		q.Scale = append(q.Scale, s*d.tensor(l.x).Quantization.Scale[0])
		q.ZeroPoint = append(q.ZeroPoint, 0)
	}
	return d.newConstant(l.y, "bias", a, q)
}
