package fallback

import (
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// quantizedConv is a CONV_2D whose parts a case can spoil.
type quantizedConv struct {
	xType, wType, bType graph.TensorType
	x, w, y             *graph.Quantization
	act                 graph.Activation
	constant            bool
}

func soundConv() *quantizedConv {
	one := func(scale float32, zero int64) *graph.Quantization {
		return &graph.Quantization{Scale: []float32{scale}, ZeroPoint: []int64{zero}}
	}
	w := &graph.Quantization{Scale: []float32{1, 2, 3}, ZeroPoint: []int64{0, 0, 0}}
	return &quantizedConv{graph.Int8, graph.Int8, graph.Int32, one(0.5, 3), w, one(0.25, -4), graph.ActRelu, true}
}

func (c *quantizedConv) model(t *testing.T) *graph.Model {
	t.Helper()
	b := graph.NewBuilder("conv")
	x := b.QuantizedInput("x", c.xType, c.x, 1, 4, 4, 2)
	w := b.QuantizedInput("w", c.wType, c.w, 3, 1, 1, 2)
	if c.constant {
		w = b.QuantizedConst("w", graph.NewArray(c.wType, 3, 1, 1, 2), c.w)
	}
	bias := b.Const("b", graph.NewArray(c.bType, 3))
	o := &schema.Conv2DOptionsT{StrideH: 1, StrideW: 1, DilationHFactor: 1, DilationWFactor: 1, FusedActivationFunction: c.act}
	y := b.Op(schema.BuiltinOperatorCONV_2D, 3, o, []graph.T{x, w, bias}, graph.Tensor{Type: c.xType, Shape: []int{1, 4, 4, 3}, Quantization: c.y})
	b.Output("y", y[0])
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestQuantizedConvRefusesWhatTensorFlowLiteWouldGetWrong(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(c *quantizedConv)
		want  delegate.Reason
	}{
		{"nothing spoilt", func(*quantizedConv) {}, ""},
		{"no quantization of the input", func(c *quantizedConv) { c.x = nil }, delegate.ReasonQuantization},
		{"no quantization of the output", func(c *quantizedConv) { c.y = nil }, delegate.ReasonQuantization},
		{"a scale for each channel of the input", func(c *quantizedConv) {
			c.x = &graph.Quantization{Scale: []float32{1, 2}, ZeroPoint: []int64{0, 0}, Dimension: 3}
		}, delegate.ReasonQuantization},
		{"scales along the weights' input channels", func(c *quantizedConv) {
			c.w = &graph.Quantization{Scale: []float32{1, 2}, ZeroPoint: []int64{0, 0}, Dimension: 3}
		}, delegate.ReasonQuantization},
		{"weights with a zero point", func(c *quantizedConv) { c.w.ZeroPoint[2] = 1 }, delegate.ReasonQuantization},
		{"a float32 bias", func(c *quantizedConv) { c.bType = graph.Float32 }, delegate.ReasonType},
		{"uint8 weights for an int8 input", func(c *quantizedConv) { c.wType = graph.Uint8 }, delegate.ReasonType},
		{"TANH fused", func(c *quantizedConv) { c.act = graph.ActTanh }, delegate.ReasonOption},
		{"weights that come at run time, with many scales", func(c *quantizedConv) { c.constant = false }, delegate.ReasonConstant},
	} {
		t.Run(c.name, func(t *testing.T) {
			conv := soundConv()
			c.spoil(conv)
			m := conv.model(t)
			got := New(Options{}).Supports(m, 0, 0)
			switch {
			case c.want == "" && got != nil:
				t.Errorf("refused: %v", got)
			case c.want != "" && (got == nil || got.Reason != c.want):
				t.Errorf("%v, want the reason %q", got, c.want)
			}
		})
	}
}
