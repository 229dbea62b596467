package graph

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"nanoflux/graph/schema"
)

// The shapes below are those that the TFLite runtime (2.17.1 and
// ai-edge-litert 2.3.0) gave when it ran models that Builder had made.
func TestShapesAreTheRuntimes(t *testing.T) {
	image := func(b *Builder) T { return b.Input("x", Float32, 1, 4, 4, 3) }
	zeros := func(b *Builder, shape ...int) T { return b.Const("c", NewArray(Float32, shape...)) }
	for _, c := range []struct {
		name  string
		build func(b *Builder) T
		want  []int
	}{
		{"broadcast", func(b *Builder) T { return b.Add(zeros(b, 3, 1, 5), image2(b, 4, 5)) }, []int{3, 4, 5}},
		{"fully connected keeps dimensions", func(b *Builder) T {
			return b.FullyConnected(b.Input("x", Float32, 1, 2, 3), zeros(b, 4, 3), None, ActNone)
		}, []int{1, 2, 4}},
		{"same padding, stride 2", func(b *Builder) T {
			return b.Conv2D(b.Input("x", Float32, 1, 5, 6, 3), zeros(b, 4, 3, 3, 3), None, 2, Same, ActNone)
		}, []int{1, 3, 3, 4}},
		{"valid padding, dilation 2", func(b *Builder) T {
			return b.Conv2DWith(b.Input("x", Float32, 1, 5, 6, 3), zeros(b, 4, 3, 3, 3), None, ConvOptions{DilationH: 2, Padding: Valid})
		}, []int{1, 1, 4, 4}},
		{"grouped convolution", func(b *Builder) T {
			return b.Conv2D(b.Input("x", Float32, 1, 5, 6, 4), zeros(b, 4, 3, 3, 2), None, 1, Same, ActNone)
		}, []int{1, 5, 6, 4}},
		{"depthwise with a multiplier", func(b *Builder) T { return b.DepthwiseConv2D(image(b), zeros(b, 1, 3, 3, 6), None, 1, Same, ActNone) }, []int{1, 4, 4, 6}},
		{"transposed convolution", func(b *Builder) T {
			return b.TransposeConv(image(b), zeros(b, 5, 3, 3, 3), None, 8, 7, ConvOptions{StrideH: 2, StrideW: 2})
		}, []int{1, 8, 7, 5}},
		{"pooling", func(b *Builder) T {
			return b.MaxPool2D(image(b), PoolOptions{Height: 3, Width: 2, StrideH: 2, StrideW: 1, Padding: Same})
		}, []int{1, 2, 4, 3}},
		{"batched product", func(b *Builder) T {
			return b.BatchMatMul(b.Input("x", Float32, 2, 3, 5, 4), zeros(b, 3, 6, 5), true, true)
		}, []int{2, 3, 4, 6}},
		{"mean over all", func(b *Builder) T { return b.Mean(image(b), []int{0, 1, 2, -1}, false) }, nil},
		{"mean that keeps", func(b *Builder) T { return b.Mean(image(b), []int{1, -1}, true) }, []int{1, 1, 4, 1}},
		{"argmax", func(b *Builder) T { return b.ArgMax(image(b), 1) }, []int{1, 4, 3}},
		{"reshape with a rest", func(b *Builder) T { return b.Reshape(image(b), -1, 6) }, []int{8, 6}},
		{"reshape to a scalar", func(b *Builder) T { return b.Reshape(b.Input("x", Float32, 1, 1)) }, nil},
		{"squeeze all", func(b *Builder) T { return b.Squeeze(image(b)) }, []int{4, 4, 3}},
		{"expand at the end", func(b *Builder) T { return b.ExpandDims(image(b), -1) }, []int{1, 4, 4, 3, 1}},
		{"transpose", func(b *Builder) T { return b.Transpose(image(b), 0, 3, 1, 2) }, []int{1, 3, 4, 4}},
		{"concat", func(b *Builder) T { return b.Concat(-1, image(b), zeros(b, 1, 4, 4, 2)) }, []int{1, 4, 4, 5}},
		{"pack", func(b *Builder) T { x := image(b); return b.Pack(-1, x, x) }, []int{1, 4, 4, 3, 2}},
		{"unpack", func(b *Builder) T { return b.Unpack(image(b), -1)[2] }, []int{1, 4, 4}},
		{"split", func(b *Builder) T { return b.Split(image(b), 1, 2)[1] }, []int{1, 2, 4, 3}},
		{"split by sizes", func(b *Builder) T { return b.SplitV(image(b), -1, 1, 2)[1] }, []int{1, 4, 4, 2}},
		{"slice to the end", func(b *Builder) T { return b.Slice(image(b), []int{0, 1, 0, 2}, []int{1, 2, -1, 1}) }, []int{1, 2, 4, 1}},
		{"strided slice", func(b *Builder) T {
			o := schema.StridedSliceOptionsT{BeginMask: 1, EndMask: 2, ShrinkAxisMask: 8}
			return b.StridedSlice(image(b), []int{0, -1, 0, 0}, []int{1, 0, 4, 3}, []int{1, -1, 2, 1}, o)
		}, []int{1, 4, 2}},
		{"gather", func(b *Builder) T { return b.Gather(image(b), ConstOf(b, "i", []int32{0, 1}, 2, 1), 1) }, []int{1, 2, 1, 4, 3}},
		{"tile", func(b *Builder) T { return b.Tile(image(b), 2, 1, 1, 3) }, []int{2, 4, 4, 9}},
		{"pad", func(b *Builder) T { return b.Pad(image(b), [2]int{}, [2]int{1, 2}, [2]int{0, 1}, [2]int{}) }, []int{1, 7, 5, 3}},
		{"depth to space", func(b *Builder) T { return b.DepthToSpace(b.Input("x", Float32, 1, 2, 3, 8), 2) }, []int{1, 4, 6, 2}},
		{"space to depth", func(b *Builder) T { return b.SpaceToDepth(image(b), 2) }, []int{1, 2, 2, 12}},
		{"resize", func(b *Builder) T { return b.ResizeBilinear(image(b), 7, 9, false, true) }, []int{1, 7, 9, 3}},
	} {
		b := NewBuilder("shapes")
		y := c.build(b)
		b.Output("y", y)
		m, err := b.Model()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := m.Subgraphs[0].Tensors[y].Shape; !equalShapes(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func image2(b *Builder, shape ...int) T { return b.Input("z", Float32, shape...) }

// TestStridedSlicesAreThoseOfPython compares clampRange with walking through
// the elements.
func TestStridedSlicesAreThoseOfPython(t *testing.T) {
	for size := range 5 {
		for begin := -7; begin <= 7; begin++ {
			for end := -7; end <= 7; end++ {
				for _, stride := range []int{-3, -2, -1, 1, 2, 3} {
					from, to := clampRange(begin, end, stride, size, false, false)
					want := 0
					b, e := begin, end
					if b < 0 {
						b += size
					}
					if e < 0 {
						e += size
					}
					if stride > 0 {
						for i := max(b, 0); i < min(e, size); i += stride {
							want++
						}
					} else {
						for i := min(b, size-1); i > max(e, -1); i += stride {
							want++
						}
					}
					if got := strideCount(from, to, stride); got != want {
						t.Fatalf("[%d:%d:%d] of %d: %d elements, want %d", begin, end, stride, size, got, want)
					}
				}
			}
		}
	}
}

func TestOperatorVersionsCoverTheirTypes(t *testing.T) {
	quantized := func(b *Builder, t TensorType, shape ...int) T {
		return b.QuantizedInput("x", t, &Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{0}}, shape...)
	}
	weights := func(b *Builder, channels int) T {
		q := &Quantization{}
		for range channels {
			q.Scale, q.ZeroPoint = append(q.Scale, 0.1), append(q.ZeroPoint, 0)
		}
		return b.QuantizedConst("w", NewArray(Int8, 4, 4), q)
	}
	for _, c := range []struct {
		build func(b *Builder) T
		want  string
	}{
		{func(b *Builder) T { return b.Add(image2(b, 2), image2(b, 2)) }, "ADD 1"},
		{func(b *Builder) T { return b.Add(quantized(b, Int8, 2), quantized(b, Int8, 2)) }, "ADD 2"},
		{func(b *Builder) T { return b.Mul(quantized(b, Int8, 2), quantized(b, Int8, 2)) }, "MUL 2"},
		{func(b *Builder) T { return b.Quantized(b.Mul(quantized(b, Int8, 2), quantized(b, Int8, 2)), 0.25, 0) }, "MUL 3"},
		{func(b *Builder) T { return b.Sub(image2(b, 1, 2, 1, 2), image2(b, 2)) }, "SUB 1"},
		{func(b *Builder) T { return b.Sub(image2(b, 1, 1, 1, 3, 2), image2(b, 2)) }, "SUB 3"},
		{func(b *Builder) T { return b.FullyConnected(image2(b, 2, 4), weights(b, 0), None, ActNone) }, "FULLY_CONNECTED 3"},
		{func(b *Builder) T { return b.FullyConnected(image2(b, 2, 4), weights(b, 4), None, ActNone) }, "FULLY_CONNECTED 12"},
		{func(b *Builder) T { return b.FullyConnected(quantized(b, Int8, 2, 4), weights(b, 1), None, ActNone) }, "FULLY_CONNECTED 4"},
		{func(b *Builder) T { return b.FullyConnected(quantized(b, Int8, 1, 2, 4), weights(b, 1), None, ActNone) }, "FULLY_CONNECTED 5"},
		{func(b *Builder) T { return b.Dequantize(weights(b, 4)) }, "DEQUANTIZE 5"},
		{func(b *Builder) T { return b.Dequantize(weights(b, 1)) }, "DEQUANTIZE 2"},
		{func(b *Builder) T { return b.Dequantize(b.Const("h", NewArray(Float16, 2))) }, "DEQUANTIZE 3"},
		{func(b *Builder) T { return b.Cast(image2(b, 2), Float16) }, "CAST 5"},
		{func(b *Builder) T { return b.BroadcastTo(image2(b, 2), 3, 2) }, "BROADCAST_TO 2"},
		{func(b *Builder) T { return b.ResizeBilinear(image2(b, 1, 2, 2, 1), 4, 4, false, true) }, "RESIZE_BILINEAR 3"},
		{func(b *Builder) T { return b.Transpose(image2(b, 1, 2, 3, 4, 5), 4, 3, 2, 1, 0) }, "TRANSPOSE 4"},
		{func(b *Builder) T { return b.Split(quantized(b, Int8, 2), 0, 2)[0] }, "SPLIT 2"},
	} {
		b := NewBuilder("versions")
		b.Output("y", c.build(b))
		m, err := b.Model()
		if err != nil {
			t.Errorf("%s: %v", c.want, err)
			continue
		}
		op := m.Subgraphs[0].Ops[0]
		if got := fmt.Sprint(op.Name(), " ", op.Version); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

func TestTheFirstMistakeIsReportedWithItsPlace(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(b *Builder)
		want  string
	}{
		{"shapes", func(b *Builder) { b.Add(image2(b, 2, 3), image2(b, 2)) }, "ADD: shapes [2 3] (\"z\") and [2] (\"z\") do not go together"},
		{"types", func(b *Builder) { b.Add(image2(b, 2), b.Input("i", Int32, 2)) }, "ADD: operands are FLOAT32 and INT32"},
		{"scope", func(b *Builder) { b.Scope("block3", func() { b.Reshape(image2(b, 5), 2, -1) }) }, "block3: RESHAPE"},
		{"weights", func(b *Builder) { b.FullyConnected(image2(b, 2, 3), image2(b, 4, 4), None, ActNone) }, "FULLY_CONNECTED: input"},
		{"bias", func(b *Builder) { b.FullyConnected(image2(b, 2, 4), image2(b, 3, 4), image2(b, 4), ActNone) }, "must have 3"},
		{"rank", func(b *Builder) { b.SpaceToDepth(image2(b, 2, 4), 2) }, "must have 4 dimensions"},
		{"axis", func(b *Builder) { b.Softmax(b.Mean(image2(b, 2), []int{1}, false)) }, "MEAN: axis 1"},
		{"axis twice", func(b *Builder) { b.Sum(image2(b, 2), []int{0, -1}, false) }, "SUM: axis -1 twice"},
		{"kernel", func(b *Builder) { b.Conv2D(image2(b, 1, 2, 2, 1), image2(b, 1, 3, 3, 1), None, 1, Valid, ActNone) }, "does not fit"},
		{"slice", func(b *Builder) { b.Slice(image2(b, 3), []int{2}, []int{2}) }, "lie outside"},
		{"strided slice", func(b *Builder) {
			b.StridedSlice(image2(b, 3), []int{0}, []int{2}, []int{0}, schema.StridedSliceOptionsT{})
		}, "do not go together"},
		{"broken permutation", func(b *Builder) { b.Transpose(image2(b, 3, 2), 0, 0) }, "axis 0 twice"},
		{"split", func(b *Builder) { b.Relu(b.Split(image2(b, 3), 0, 2)[1]) }, "SPLIT: dimension 0"},
		{"no quantization", func(b *Builder) { b.Dequantize(b.Input("x", Int8, 2)) }, "has no quantization"},
		{"constant", func(b *Builder) { b.Const("c", Array{Type: Float32, Shape: []int{2}, Data: make([]byte, 7)}) }, "7 bytes of data"},
		{"negative dimension", func(b *Builder) { b.Input("x", Float32, -2) }, "negative dimension"},
		{"handle", func(b *Builder) { b.Relu(T(7)) }, "not a tensor of this model"},
		{"absent operand", func(b *Builder) { b.Relu(None) }, "not a tensor of this model"},
		{"no output", func(b *Builder) { b.Relu(image2(b, 2)) }, "it has no output"},
		{"output twice", func(b *Builder) { x := b.Relu(image2(b, 2)); b.Output("a", x); b.Output("b", x) }, "an output already"},
	} {
		b := NewBuilder("wrong")
		c.build(b)
		_, err := b.Model()
		if !errors.Is(err, ErrBuild) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "wrong: ") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestNamesAreScopedAndDifferent(t *testing.T) {
	b := NewBuilder("names")
	x := b.Input("x", Float32, 2)
	b.Scope("block", func() {
		x = b.Relu(b.Relu(x))
		b.Scope("attention", func() { x = b.Named(b.Neg(x), "scores") })
	})
	b.Output("y", b.Abs(x))
	m := finish(t, b)
	var names []string
	for _, tensor := range m.Subgraphs[0].Tensors {
		names = append(names, tensor.Name)
	}
	if got, want := strings.Join(names, " "), "x block/relu block/relu_1 block/attention/scores y"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestInputsMayHaveAnySize(t *testing.T) {
	m := attentionSample(t)
	in := m.Subgraphs[0].Tensors[m.Subgraphs[0].Inputs[0]]
	if !equalShapes(in.Shape, []int{1, 4, 6}) || !equalShapes(in.ShapeSignature, []int{-1, 4, 6}) {
		t.Errorf("%v %v", in.Shape, in.ShapeSignature)
	}
	s := m.Signatures[0]
	if s.Key != "serving_default" || len(s.Inputs) != 1 || s.Inputs[0].Name != "tokens" || len(s.Outputs) != 2 || s.Outputs[1].Name != "scores" {
		t.Errorf("signature %+v", s)
	}
}
