package graph

import (
	"nanoflux/graph/schema"
)

// FullyConnected is act(x·wᵀ + bias).
//
//	x    [..., in]       FLOAT32, INT8, …
//	w    [out, in]       as x; or INT8 with FLOAT32 x (a hybrid operator)
//	bias [out] or None   FLOAT32, or INT32 for integer x
//
// The output is [..., out], of x's type.
func (b *Builder) FullyConnected(x, w, bias T, act Activation) T {
	code := schema.BuiltinOperatorFULLY_CONNECTED
	in, ok := b.operand(code, x, 0, anyRank)
	if !ok {
		return failed
	}
	weights, ok := b.operand(code, w, 1, 2)
	if !ok {
		return failed
	}
	rank := len(in.Shape)
	if rank < 2 || in.Shape[rank-1] != weights.Shape[1] {
		b.fail("%v: input %s %v does not go with weights %s %v", code, quoted(in.Name), in.Shape, quoted(weights.Name), weights.Shape)
		return failed
	}
	if !b.biasFits(code, bias, weights.Shape[0]) {
		return failed
	}
	shape := append(append([]int(nil), in.Shape[:rank-1]...), weights.Shape[0])
	options := &schema.FullyConnectedOptionsT{FusedActivationFunction: act, KeepNumDims: rank > 2}
	return b.one(code, options, []T{x, w, bias}, in.Type, shape)
}

// biasFits checks a bias [n], or None.
func (b *Builder) biasFits(code OpCode, bias T, n int) bool {
	if bias == None {
		return true
	}
	t, ok := b.operand(code, bias, 2, 1)
	if ok && t.Shape[0] != n {
		b.fail("%v: bias %s has %d elements, must have %d", code, quoted(t.Name), t.Shape[0], n)
		return false
	}
	return ok
}

// ConvOptions are the settings of a convolution. Strides and dilations of 0
// stand for 1.
type ConvOptions struct {
	StrideH, StrideW     int
	DilationH, DilationW int
	Padding              Padding
	Activation           Activation
}

func (o ConvOptions) withDefaults() ConvOptions {
	for _, p := range []*int{&o.StrideH, &o.StrideW, &o.DilationH, &o.DilationW} {
		if *p == 0 {
			*p = 1
		}
	}
	return o
}

// Conv2D is a convolution with one stride for both directions.
//
//	x    [batch, height, width, in]
//	w    [out, kernel height, kernel width, in]   (in/groups for a grouped one)
//	bias [out], or None for zeros
//
// The output is [batch, height', width', out].
func (b *Builder) Conv2D(x, w, bias T, stride int, padding Padding, act Activation) T {
	return b.Conv2DWith(x, w, bias, ConvOptions{StrideH: stride, StrideW: stride, Padding: padding, Activation: act})
}

// Conv2DWith is Conv2D with all settings.
func (b *Builder) Conv2DWith(x, w, bias T, o ConvOptions) T {
	code := schema.BuiltinOperatorCONV_2D
	in, weights, ok := b.convOperands(code, x, w)
	if !ok {
		return failed
	}
	perGroup := weights.Shape[3]
	if perGroup == 0 || in.Shape[3]%perGroup != 0 || weights.Shape[0]%(in.Shape[3]/perGroup) != 0 {
		b.fail("%v: input %s %v does not go with weights %s %v", code, quoted(in.Name), in.Shape, quoted(weights.Name), weights.Shape)
		return failed
	}
	o = o.withDefaults()
	channels := weights.Shape[0]
	h, w2, ok := b.windows(code, in.Shape, weights.Shape[1:3], o)
	if !ok || !b.biasFits(code, bias, channels) {
		return failed
	}
	options := &schema.Conv2DOptionsT{
		Padding: o.Padding, StrideH: int32(o.StrideH), StrideW: int32(o.StrideW),
		DilationHFactor: int32(o.DilationH), DilationWFactor: int32(o.DilationW),
		FusedActivationFunction: o.Activation,
	}
	return b.one(code, options, []T{x, w, b.orZeroBias(&in, &weights, bias, channels)}, in.Type, []int{in.Shape[0], h, w2, channels})
}

// DepthwiseConv2D convolves each channel on its own.
//
//	x    [batch, height, width, channels]
//	w    [1, kernel height, kernel width, channels·multiplier]
//	bias [channels·multiplier], or None for zeros
//
// The output is [batch, height', width', channels·multiplier].
func (b *Builder) DepthwiseConv2D(x, w, bias T, stride int, padding Padding, act Activation) T {
	return b.DepthwiseConv2DWith(x, w, bias, ConvOptions{StrideH: stride, StrideW: stride, Padding: padding, Activation: act})
}

// DepthwiseConv2DWith is DepthwiseConv2D with all settings.
func (b *Builder) DepthwiseConv2DWith(x, w, bias T, o ConvOptions) T {
	code := schema.BuiltinOperatorDEPTHWISE_CONV_2D
	in, weights, ok := b.convOperands(code, x, w)
	if !ok {
		return failed
	}
	channels := weights.Shape[3]
	if weights.Shape[0] != 1 || in.Shape[3] == 0 || channels%in.Shape[3] != 0 {
		b.fail("%v: input %s %v does not go with weights %s %v", code, quoted(in.Name), in.Shape, quoted(weights.Name), weights.Shape)
		return failed
	}
	o = o.withDefaults()
	h, w2, ok := b.windows(code, in.Shape, weights.Shape[1:3], o)
	if !ok || !b.biasFits(code, bias, channels) {
		return failed
	}
	options := &schema.DepthwiseConv2DOptionsT{
		Padding: o.Padding, StrideH: int32(o.StrideH), StrideW: int32(o.StrideW),
		DilationHFactor: int32(o.DilationH), DilationWFactor: int32(o.DilationW),
		DepthMultiplier: int32(channels / in.Shape[3]), FusedActivationFunction: o.Activation,
	}
	return b.one(code, options, []T{x, w, b.orZeroBias(&in, &weights, bias, channels)}, in.Type, []int{in.Shape[0], h, w2, channels})
}

// TransposeConv is the transposed convolution of x [batch, h, w, in] with
// w [out, kernel height, kernel width, in] to an output of the given height
// and width, which must be one that Conv2D would turn into [h, w].
func (b *Builder) TransposeConv(x, w, bias T, height, width int, o ConvOptions) T {
	code := schema.BuiltinOperatorTRANSPOSE_CONV
	in, weights, ok := b.convOperands(code, x, w)
	if !ok {
		return failed
	}
	o = o.withDefaults()
	if in.Shape[3] != weights.Shape[3] || o.DilationH != 1 || o.DilationW != 1 {
		b.fail("%v: input %s %v does not go with weights %s %v, or is dilated", code, quoted(in.Name), in.Shape, quoted(weights.Name), weights.Shape)
		return failed
	}
	out := []int{in.Shape[0], height, width, weights.Shape[0]}
	h, w2, ok := b.windows(code, out, weights.Shape[1:3], o)
	if !ok || !b.biasFits(code, bias, weights.Shape[0]) {
		return failed
	}
	if h != in.Shape[1] || w2 != in.Shape[2] {
		b.fail("%v: an output of %dx%d belongs to an input of %dx%d, not %dx%d", code, height, width, h, w2, in.Shape[1], in.Shape[2])
		return failed
	}
	options := &schema.TransposeConvOptionsT{
		Padding: o.Padding, StrideH: int32(o.StrideH), StrideW: int32(o.StrideW), FusedActivationFunction: o.Activation,
	}
	inputs := []T{b.int32Const("output_shape", out), w, x}
	if bias != None {
		inputs = append(inputs, bias)
	}
	return b.Op(code, 0, options, inputs, Tensor{Type: in.Type, Shape: out, Quantization: b.inherited([]T{x}, in.Type)})[0]
}

func (b *Builder) convOperands(code OpCode, x, w T) (in, weights Tensor, ok bool) {
	if in, ok = b.operand(code, x, 0, 4); !ok {
		return in, weights, false
	}
	weights, ok = b.operand(code, w, 1, 4)
	return in, weights, ok
}

// orZeroBias makes a bias of n zeros when there is none: the runtime's
// convolutions insist on one.
func (b *Builder) orZeroBias(in, weights *Tensor, bias T, n int) T {
	if bias != None {
		return bias
	}
	switch in.Type {
	case Float32:
		return b.Const("bias", Array{Type: Float32, Shape: []int{n}, Data: Bytes(make([]float32, n))})
	case Int16:
		return b.QuantizedConst("bias", Array{Type: Int64, Shape: []int{n}, Data: Bytes(make([]int64, n))}, biasQuantization(in, weights))
	}
	return b.QuantizedConst("bias", Array{Type: Int32, Shape: []int{n}, Data: Bytes(make([]int32, n))}, biasQuantization(in, weights))
}

// biasQuantization is that of sums of products: the input's scale times the
// weights', channel by channel.
func biasQuantization(in, weights *Tensor) *Quantization {
	if in.Quantization == nil || weights.Quantization == nil || len(in.Quantization.Scale) != 1 {
		return nil
	}
	q := &Quantization{}
	for _, s := range weights.Quantization.Scale {
		q.Scale = append(q.Scale, s*in.Quantization.Scale[0])
		q.ZeroPoint = append(q.ZeroPoint, 0)
	}
	return q
}

// windows is the output height and width of windows of size kernel moved over
// shape [batch, height, width, channels].
func (b *Builder) windows(code OpCode, shape, kernel []int, o ConvOptions) (h, w int, ok bool) {
	if o.StrideH < 1 || o.StrideW < 1 || o.DilationH < 1 || o.DilationW < 1 || kernel[0] < 1 || kernel[1] < 1 {
		b.fail("%v: kernel %v, strides %d and %d, dilations %d and %d must be positive", code, kernel, o.StrideH, o.StrideW, o.DilationH, o.DilationW)
		return 0, 0, false
	}
	h = windowCount(shape[1], kernel[0], o.StrideH, o.DilationH, o.Padding)
	w = windowCount(shape[2], kernel[1], o.StrideW, o.DilationW, o.Padding)
	if h < 1 || w < 1 {
		b.fail("%v: a kernel of %v does not fit into %v", code, kernel, shape)
		return 0, 0, false
	}
	return h, w, true
}

// windowCount is how many windows fit: ⌈size/stride⌉ with SAME padding,
// ⌈(size − extent + 1)/stride⌉ with VALID.
func windowCount(size, kernel, stride, dilation int, padding Padding) int {
	if padding == Valid {
		size -= (kernel - 1) * dilation
	}
	if size <= 0 {
		return 0
	}
	return (size + stride - 1) / stride
}

// PoolOptions are the settings of a pooling. Strides of 0 stand for the window.
type PoolOptions struct {
	Height, Width    int // the window
	StrideH, StrideW int
	Padding          Padding
	Activation       Activation
}

// AveragePool2D is the mean of each window of x [batch, height, width,
// channels]; padding does not count.
func (b *Builder) AveragePool2D(x T, o PoolOptions) T {
	return b.pool(schema.BuiltinOperatorAVERAGE_POOL_2D, x, o)
}

// MaxPool2D is the largest element of each window of x [batch, height, width,
// channels].
func (b *Builder) MaxPool2D(x T, o PoolOptions) T {
	return b.pool(schema.BuiltinOperatorMAX_POOL_2D, x, o)
}

func (b *Builder) pool(code OpCode, x T, o PoolOptions) T {
	in, ok := b.operand(code, x, 0, 4)
	if !ok {
		return failed
	}
	if o.StrideH == 0 {
		o.StrideH = o.Height
	}
	if o.StrideW == 0 {
		o.StrideW = o.Width
	}
	conv := ConvOptions{StrideH: o.StrideH, StrideW: o.StrideW, Padding: o.Padding}.withDefaults()
	h, w, ok := b.windows(code, in.Shape, []int{o.Height, o.Width}, conv)
	if !ok {
		return failed
	}
	options := &schema.Pool2DOptionsT{
		Padding: o.Padding, StrideH: int32(o.StrideH), StrideW: int32(o.StrideW),
		FilterHeight: int32(o.Height), FilterWidth: int32(o.Width), FusedActivationFunction: o.Activation,
	}
	return b.one(code, options, []T{x}, in.Type, []int{in.Shape[0], h, w, in.Shape[3]})
}

// BatchMatMul is the product of the last two dimensions, x [..., m, k] by
// y [..., k, n], giving [..., m, n]. adjX and adjY transpose the last two
// dimensions of x and y first. Leading dimensions are broadcast.
func (b *Builder) BatchMatMul(x, y T, adjX, adjY bool) T {
	code := schema.BuiltinOperatorBATCH_MATMUL
	p, okP := b.operand(code, x, 0, anyRank)
	q, okQ := b.operand(code, y, 1, anyRank)
	if !okP || !okQ {
		return failed
	}
	if len(p.Shape) < 2 || len(q.Shape) < 2 {
		b.fail("%v: shapes %v and %v must have 2 dimensions or more", code, p.Shape, q.Shape)
		return failed
	}
	m, kx := lastTwo(p.Shape, adjX)
	ky, n := lastTwo(q.Shape, adjY)
	lead, ok := broadcastShapes(p.Shape[:len(p.Shape)-2], q.Shape[:len(q.Shape)-2])
	if !ok || kx != ky {
		b.fail("%v: shapes %v (%s) and %v (%s) do not go together", code, p.Shape, quoted(p.Name), q.Shape, quoted(q.Name))
		return failed
	}
	return b.one(code, &schema.BatchMatMulOptionsT{AdjX: adjX, AdjY: adjY}, []T{x, y}, p.Type, append(lead, m, n))
}

func lastTwo(shape []int, swapped bool) (rows, columns int) {
	rows, columns = shape[len(shape)-2], shape[len(shape)-1]
	if swapped {
		return columns, rows
	}
	return rows, columns
}

// Softmax is eˣ / Σeˣ over the last dimension.
func (b *Builder) Softmax(x T) T {
	return b.fixedRange(b.unary(schema.BuiltinOperatorSOFTMAX, &schema.SoftmaxOptionsT{Beta: 1}, x), sigmoidRange)
}

// LogSoftmax is the logarithm of Softmax.
func (b *Builder) LogSoftmax(x T) T {
	return b.fixedRange(b.unary(schema.BuiltinOperatorLOG_SOFTMAX, &schema.LogSoftmaxOptionsT{}, x), logSoftmaxRange)
}

// Logistic is 1 / (1 + e⁻ˣ).
func (b *Builder) Logistic(x T) T {
	return b.fixedRange(b.unary(schema.BuiltinOperatorLOGISTIC, nil, x), sigmoidRange)
}

// Tanh is the hyperbolic tangent of x.
func (b *Builder) Tanh(x T) T {
	return b.fixedRange(b.unary(schema.BuiltinOperatorTANH, nil, x), unitRange)
}

// The runtime accepts only these output quantizations for functions with a
// fixed range.
var (
	sigmoidRange = map[TensorType]Quantization{
		Int8:  {Scale: []float32{1.0 / 256}, ZeroPoint: []int64{-128}},
		Uint8: {Scale: []float32{1.0 / 256}, ZeroPoint: []int64{0}},
		Int16: {Scale: []float32{1.0 / 32768}, ZeroPoint: []int64{0}},
	}
	unitRange = map[TensorType]Quantization{
		Int8:  {Scale: []float32{1.0 / 128}, ZeroPoint: []int64{0}},
		Uint8: {Scale: []float32{1.0 / 128}, ZeroPoint: []int64{128}},
		Int16: {Scale: []float32{1.0 / 32768}, ZeroPoint: []int64{0}},
	}
	logSoftmaxRange = map[TensorType]Quantization{
		Int8:  {Scale: []float32{16.0 / 256}, ZeroPoint: []int64{127}},
		Uint8: {Scale: []float32{16.0 / 256}, ZeroPoint: []int64{255}},
	}
)

func (b *Builder) fixedRange(x T, ranges map[TensorType]Quantization) T {
	if t := b.tensor(x); t != nil && t.Quantization != nil {
		if q, ok := ranges[t.Type]; ok {
			t.Quantization = &q
		}
	}
	return x
}

// Relu is max(x, 0).
func (b *Builder) Relu(x T) T { return b.unary(schema.BuiltinOperatorRELU, nil, x) }

// Relu6 is min(max(x, 0), 6).
func (b *Builder) Relu6(x T) T { return b.unary(schema.BuiltinOperatorRELU6, nil, x) }

// LeakyRelu is x where positive, alpha·x elsewhere.
func (b *Builder) LeakyRelu(x T, alpha float32) T {
	return b.unary(schema.BuiltinOperatorLEAKY_RELU, &schema.LeakyReluOptionsT{Alpha: alpha}, x)
}

// Elu is x where positive, eˣ − 1 elsewhere.
func (b *Builder) Elu(x T) T { return b.unary(schema.BuiltinOperatorELU, nil, x) }

// Prelu is x where positive, alpha·x elsewhere; alpha is broadcast.
func (b *Builder) Prelu(x, alpha T) T {
	return b.binary(schema.BuiltinOperatorPRELU, nil, x, alpha)
}

// HardSwish is x · min(max(x + 3, 0), 6) / 6.
func (b *Builder) HardSwish(x T) T {
	return b.unary(schema.BuiltinOperatorHARD_SWISH, &schema.HardSwishOptionsT{}, x)
}

// Gelu is x·Φ(x) with the normal distribution's Φ: exact by the error
// function, or approximate by a hyperbolic tangent.
func (b *Builder) Gelu(x T, approximate bool) T {
	return b.unary(schema.BuiltinOperatorGELU, &schema.GeluOptionsT{Approximate: approximate}, x)
}

// L2Normalization divides x by its length along the last dimension.
func (b *Builder) L2Normalization(x T) T {
	return b.fixedRange(b.unary(schema.BuiltinOperatorL2_NORMALIZATION, &schema.L2NormOptionsT{}, x), unitRange)
}
