package onnx

import (
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// weights is a constant weight, or a refusal.
func (c *converter) weights(op *graph.Op, i int) (*constant, error) {
	if i >= len(op.Inputs) || !c.constant(op.Inputs[i]) {
		return nil, delegate.Refuse(delegate.ReasonConstant, "input %d must be constant", i)
	}
	k := c.constantOf(op.Inputs[i])
	if c.w8a16 && k.q == nil && len(k.shape) == 4 {
		out := 0
		if op.Code == schema.BuiltinOperatorDEPTHWISE_CONV_2D {
			out = 3
		}
		k = c.weights8(k, out)
	}
	return k, nil
}

// bias is the name of a bias, empty for none. Where the layer is quantized it is
// integers whose scale is the product of the input's and the weights'.
func (c *converter) bias(op *graph.Op, i, x int, w *constant) (string, error) {
	if i >= len(op.Inputs) || op.Inputs[i] == graph.NoTensor {
		return "", nil
	}
	t := op.Inputs[i]
	if !c.constant(t) {
		if c.quantize {
			return "", delegate.Refuse(delegate.ReasonConstant, "the bias must be constant")
		}
		return c.real(t, asFile), nil
	}
	k := c.constantOf(t)
	if k.typ == graph.Float32 || k.typ == graph.Float16 {
		if c.w8a16 && w != nil && w.q != nil {
			return c.realOf(c.bias32(k, x, w), true), nil
		}
		return c.use(k.floats()), nil
	}
	in := c.g.Tensors[x].Quantization
	if k.typ != graph.Int32 && k.typ != graph.Int64 || w == nil || w.q == nil || in == nil || len(in.Scale) != 1 {
		return "", delegate.Refuse(delegate.ReasonType, "a bias of %v here", k.typ)
	}
	q := &graph.Quantization{Scale: make([]float32, len(w.q.Scale)), ZeroPoint: make([]int64, len(w.q.Scale))}
	for i, s := range w.q.Scale {
		q.Scale[i] = s * in.Scale[0]
	}
	n := *k
	n.q = q
	if k.typ == graph.Int64 {
		n.key, n.typ = k.key+"n", graph.Int32
		n.load = func() []byte { return narrow(k.integers(), graph.Int32) }
	}
	return c.realOf(&n, true), nil
}

// fullyConnected is x·wᵀ + b over the last dimension.
func fullyConnected(c *converter, op *graph.Op) error {
	o := as[schema.FullyConnectedOptionsT](op)
	if o.WeightsFormat != schema.FullyConnectedOptionsWeightsFormatDEFAULT {
		return delegate.Refuse(delegate.ReasonOption, "shuffled weights")
	}
	x, w, out := op.Inputs[0], op.Inputs[1], op.Outputs[0]
	if c.rank(w) != 2 {
		return delegate.Refuse(delegate.ReasonRank, "weights of %d dimensions; takes 2", c.rank(w))
	}
	units, depth := c.shape(w)[0], c.shape(w)[1]
	n, err := graph.Elements(c.shape(x))
	if err != nil || depth == 0 || n%depth != 0 {
		return delegate.Refuse(delegate.ReasonShape, "input %v for weights %v", c.shape(x), c.shape(w))
	}
	rows := n / depth
	var k *constant
	if c.constant(w) {
		k = c.constantOf(w)
		if c.w8a16 && k.q == nil {
			k = c.weights8(k, 0)
		}
	}
	bias, err := c.bias(op, 2, x, k)
	if err != nil {
		return err
	}
	in := c.real(x, asFile)
	shape := c.shape(out)
	var y string
	if c.quantize {
		if c.rank(x) != 2 || c.shape(x)[1] != depth {
			in = c.again(c.reshaped(in, []int{rows, depth}), x)
		}
		weights := ""
		if k != nil {
			weights = c.realOf(k, true)
		} else {
			weights = c.real(w, asFile)
		}
		inputs := []string{in, weights}
		if bias != "" {
			inputs = append(inputs, bias)
		}
		y = c.node("Gemm", inputs, attribute{"transB", 1})
		if len(shape) != 2 {
			y = c.reshaped(c.again(y, out), shape)
		}
		return c.set(out, asFile, y, o.FusedActivationFunction)
	}
	flat := c.rank(x) == 0 || c.shape(x)[c.rank(x)-1] != depth || len(shape) != c.rank(x)
	if flat {
		in = c.reshaped(in, []int{rows, depth})
	}
	if k != nil {
		y = c.node("MatMul", []string{in, c.realOf(k.transposed(1, 0), true)})
	} else {
		y = c.node("MatMul", []string{in, c.node("Transpose", []string{c.real(w, asFile)}, attribute{"perm", []int{1, 0}})})
	}
	if bias != "" {
		y = c.node("Add", []string{y, bias})
	}
	if flat && !slices.Equal(shape, []int{rows, units}) {
		y = c.reshaped(y, shape)
	}
	return c.set(out, asFile, y, o.FusedActivationFunction)
}

// batchMatMul multiplies the matrices of the last two dimensions.
func batchMatMul(c *converter, op *graph.Op) error {
	o := as[schema.BatchMatMulOptionsT](op)
	var in []string
	for i, adjoint := range []bool{o.AdjX, o.AdjY} {
		t := op.Inputs[i]
		rank := c.rank(t)
		if rank < 2 {
			return delegate.Refuse(delegate.ReasonRank, "input %d has %d dimensions; takes 2 and more", i, rank)
		}
		var perm []int
		for d := range rank {
			perm = append(perm, d)
		}
		perm[rank-2], perm[rank-1] = rank-1, rank-2
		switch {
		case !adjoint:
			in = append(in, c.real(t, asFile))
		case c.constant(t):
			in = append(in, c.realOf(c.constantOf(t).transposed(perm...), false))
		default:
			in = append(in, c.again(c.node("Transpose", []string{c.real(t, asFile)}, attribute{"perm", perm}), t))
		}
	}
	return c.set(op.Outputs[0], asFile, c.node("MatMul", in), graph.ActNone)
}

// window is how a filter moves over a picture.
type window struct {
	size, stride, dilation [2]int // rows, columns
	same                   bool
}

// pads are ONNX's for the sizes of the input: rows before, columns before, rows
// after, columns after. They are those of TensorFlow's "same".
func (w window) pads(shape []int) []int {
	p := make([]int, 4)
	if !w.same {
		return p
	}
	for i := range 2 {
		out := (shape[1+i] + w.stride[i] - 1) / w.stride[i]
		total := max(0, (out-1)*w.stride[i]+(w.size[i]-1)*w.dilation[i]+1-shape[1+i])
		p[i], p[2+i] = total/2, total-total/2
	}
	return p
}

// attributes of a window over an input of that shape; an error for a stride or
// dilation of 0.
func (w window) attributes(shape []int, dilations bool) ([]attribute, error) {
	for i := range 2 {
		if w.size[i] < 1 || w.stride[i] < 1 || w.dilation[i] < 1 || len(shape) != 4 {
			return nil, delegate.Refuse(delegate.ReasonOption, "windows %v, strides %v and dilations %v over %v", w.size, w.stride, w.dilation, shape)
		}
	}
	list := []attribute{{"kernel_shape", w.size[:]}, {"strides", w.stride[:]}, {"pads", w.pads(shape)}}
	if dilations {
		list = append(list, attribute{"dilations", w.dilation[:]})
	}
	return list, nil
}

func conv(c *converter, op *graph.Op) error {
	o := as[schema.Conv2DOptionsT](op)
	w, err := c.weights(op, 1)
	if err != nil {
		return err
	}
	if len(w.shape) != 4 || c.rank(op.Inputs[0]) != 4 || w.shape[3] == 0 || c.shape(op.Inputs[0])[3]%w.shape[3] != 0 {
		return delegate.Refuse(delegate.ReasonShape, "input %v for weights %v", c.shape(op.Inputs[0]), w.shape)
	}
	groups := c.shape(op.Inputs[0])[3] / w.shape[3]
	win := window{[2]int{w.shape[1], w.shape[2]}, [2]int{int(o.StrideH), int(o.StrideW)}, [2]int{int(o.DilationHFactor), int(o.DilationWFactor)}, o.Padding == graph.Same}
	return c.convolved(op, w.transposed(0, 3, 1, 2), win, groups, o.FusedActivationFunction)
}

// depthwise: the filters of channel c are the outputs c·multiplier and following.
func depthwise(c *converter, op *graph.Op) error {
	o := as[schema.DepthwiseConv2DOptionsT](op)
	w, err := c.weights(op, 1)
	if err != nil {
		return err
	}
	if len(w.shape) != 4 || c.rank(op.Inputs[0]) != 4 {
		return delegate.Refuse(delegate.ReasonShape, "input %v for weights %v", c.shape(op.Inputs[0]), w.shape)
	}
	win := window{[2]int{w.shape[1], w.shape[2]}, [2]int{int(o.StrideH), int(o.StrideW)}, [2]int{int(o.DilationHFactor), int(o.DilationWFactor)}, o.Padding == graph.Same}
	return c.convolved(op, w.transposed(3, 0, 1, 2), win, c.shape(op.Inputs[0])[3], o.FusedActivationFunction)
}

func (c *converter) convolved(op *graph.Op, w *constant, win window, groups int, act graph.Activation) error {
	x := op.Inputs[0]
	attributes, err := win.attributes(c.shape(x), true)
	if err != nil {
		return err
	}
	bias, err := c.bias(op, 2, x, w)
	if err != nil {
		return err
	}
	picture := c.real(x, channelsFirst)
	if !c.quantize && groups == 1 && win.wrong(w.shape[1]) {
		picture = c.node("Pad", []string{picture, c.ints(0, 0, 0, 0, 0, enoughChannels-w.shape[1], 0, 0)}, attribute{"mode", "constant"})
		w = w.floats().moreChannels()
	}
	in := []string{picture, c.realOf(w, true)}
	if bias != "" {
		in = append(in, bias)
	}
	y := c.node("Conv", in, append(attributes, attribute{"group", groups})...)
	return c.set(op.Outputs[0], channelsFirst, y, act)
}

// Convolutions of floats with a stride of 2, a window larger than 8 and less than
// five channels give wrong values on HTP v73 and later (HTP 5.51: 0 dB against the
// right ones, with other sizes 69 dB). They get channels of zeros.
const (
	wrongStride    = 2
	rightSize      = 8
	enoughChannels = 5
)

func (w window) wrong(channels int) bool {
	return (w.stride[0] == wrongStride || w.stride[1] == wrongStride) && max(w.size[0], w.size[1]) > rightSize && channels < enoughChannels
}

// moreChannels fills the second dimension of FLOAT32 weights up with zeros.
func (k *constant) moreChannels() *constant {
	n := *k
	n.key += "c"
	n.shape = slices.Clone(k.shape)
	n.shape[1] = enoughChannels
	n.load = func() []byte {
		data := k.load()
		filter := k.shape[1] * k.shape[2] * k.shape[3] * 4
		room := filter / k.shape[1] * enoughChannels
		out := make([]byte, k.shape[0]*room)
		for i := range k.shape[0] {
			copy(out[i*room:], data[i*filter:(i+1)*filter])
		}
		return out
	}
	return &n
}

// transposeConv is the gradient of a convolution: its padding is that of the
// convolution from the output to the input.
func transposeConv(c *converter, op *graph.Op) error {
	o := as[schema.TransposeConvOptionsT](op)
	w, err := c.weights(op, 1)
	if err != nil {
		return err
	}
	x, out := op.Inputs[2], c.shape(op.Outputs[0])
	if len(w.shape) != 4 || c.rank(x) != 4 || len(out) != 4 || o.StrideH < 1 || o.StrideW < 1 {
		return delegate.Refuse(delegate.ReasonShape, "input %v for weights %v", c.shape(x), w.shape)
	}
	stride := [2]int{int(o.StrideH), int(o.StrideW)}
	pads, more := make([]int, 4), make([]int, 2)
	for i := range 2 {
		full := (c.shape(x)[1+i]-1)*stride[i] + w.shape[1+i]
		total := 0
		if o.Padding == graph.Same {
			total = max(0, full-out[1+i])
		}
		pads[i], pads[2+i] = total/2, total-total/2
		if more[i] = out[1+i] - full + total; more[i] < 0 {
			pads[2+i] -= more[i]
			more[i] = 0
		}
	}
	bias, err := c.bias(op, 3, x, w)
	if err != nil {
		return err
	}
	in := []string{c.real(x, channelsFirst), c.realOf(w.transposed(3, 0, 1, 2), true)}
	if bias != "" {
		in = append(in, bias)
	}
	y := c.node("ConvTranspose", in, attribute{"kernel_shape", w.shape[1:3]}, attribute{"strides", stride[:]}, attribute{"pads", pads}, attribute{"output_padding", more})
	return c.set(op.Outputs[0], channelsFirst, y, o.FusedActivationFunction)
}

// pool does not count what padding adds.
func pool(name string) writer {
	return func(c *converter, op *graph.Op) error {
		o := as[schema.Pool2DOptionsT](op)
		win := window{[2]int{int(o.FilterHeight), int(o.FilterWidth)}, [2]int{int(o.StrideH), int(o.StrideW)}, [2]int{1, 1}, o.Padding == graph.Same}
		attributes, err := win.attributes(c.shape(op.Inputs[0]), false)
		if err != nil {
			return err
		}
		y := c.node(name, []string{c.real(op.Inputs[0], channelsFirst)}, attributes...)
		return c.set(op.Outputs[0], channelsFirst, y, o.FusedActivationFunction)
	}
}

func resizeBilinear(c *converter, op *graph.Op) error {
	o := as[schema.ResizeBilinearOptionsT](op)
	return c.resizedTo(op, "linear", o.AlignCorners, o.HalfPixelCenters)
}

func resizeNearest(c *converter, op *graph.Op) error {
	o := as[schema.ResizeNearestNeighborOptionsT](op)
	return c.resizedTo(op, "nearest", o.AlignCorners, o.HalfPixelCenters)
}

// resizedTo gives a picture another size. With corners or half pixels the nearest
// element to a position between two is the later one; otherwise the one before.
func (c *converter) resizedTo(op *graph.Op, mode string, corners, half bool) error {
	x, out := op.Inputs[0], c.shape(op.Outputs[0])
	if c.rank(x) != 4 || len(out) != 4 {
		return delegate.Refuse(delegate.ReasonRank, "%d dimensions; takes 4", c.rank(x))
	}
	position, nearest := "asymmetric", "floor"
	switch {
	case corners && half:
		return delegate.Refuse(delegate.ReasonOption, "AlignCorners together with HalfPixelCenters")
	case corners:
		position, nearest = "align_corners", "round_prefer_ceil"
	case half:
		position, nearest = "half_pixel", "round_prefer_ceil"
	}
	sizes := c.ints(out[0], out[3], out[1], out[2])
	y := c.node("Resize", []string{c.real(x, channelsFirst), "", "", sizes}, attribute{"mode", mode}, attribute{"coordinate_transformation_mode", position}, attribute{"nearest_mode", nearest})
	return c.set(op.Outputs[0], channelsFirst, y, graph.ActNone)
}
