package rewrite

import (
	"slices"
	"testing"
	"unsafe"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

var (
	onlyFC   = []graph.OpCode{schema.BuiltinOperatorFULLY_CONNECTED}
	onlyConv = []graph.OpCode{schema.BuiltinOperatorCONV_2D}
)

// int8Weights adds [out, …] weights with one scale a row, or one for all.
func int8Weights(b *graph.Builder, perRow bool, shape ...int) graph.T {
	data := make([]int8, elements(shape))
	for i, v := range values(5, len(data)) {
		data[i] = int8(v * 127)
	}
	q := &graph.Quantization{Scale: []float32{0.01}, ZeroPoint: []int64{0}}
	if perRow {
		q = &graph.Quantization{}
		for i := range shape[0] {
			q.Scale, q.ZeroPoint = append(q.Scale, 0.005*float32(1+i)), append(q.ZeroPoint, 0)
		}
	}
	return b.QuantizedConst("w", graph.Array{Type: graph.Int8, Shape: shape, Data: graph.Bytes(data)}, q)
}

func int8Input(b *graph.Builder, shape ...int) graph.T {
	return b.QuantizedInput("x", graph.Int8, &graph.Quantization{Scale: []float32{0.05}, ZeroPoint: []int64{-3}}, shape...)
}

func int32Bias(b *graph.Builder, values ...int32) graph.T {
	return graph.ConstOf(b, "bias", values)
}

// layers are fully connected layers in all forms that a pass may meet.
func layers(changed int, gone, has []graph.OpCode, steps int) []rewriteCase {
	float := func(act graph.Activation, bias bool, shape ...int) func(b *graph.Builder) {
		return func(b *graph.Builder) {
			offset := graph.None
			if bias {
				offset = weights(b, "b", 7)
			}
			b.Output("y", b.FullyConnected(b.Input("x", graph.Float32, shape...), weights(b, "w", 7, 6), offset, act))
		}
	}
	integer := func(perRow bool, bias bool) func(b *graph.Builder) {
		return func(b *graph.Builder) {
			offset := graph.None
			if bias {
				offset = int32Bias(b, 100, -200, 300)
			}
			b.Output("y", b.Quantized(b.FullyConnected(int8Input(b, 1, 5, 6), int8Weights(b, perRow, 3, 6), offset, graph.ActRelu), 0.03, -5))
		}
	}
	one := rewriteCase{changed: changed, gone: gone, has: has, tolerance: 1e-6, steps: steps}
	var list []rewriteCase
	add := func(name string, build func(b *graph.Builder)) {
		c := one
		c.name, c.build = name, build
		list = append(list, c)
	}
	add("tokens", float(graph.ActNone, true, 1, 5, 6))
	add("without bias, with activation", float(graph.ActRelu, false, 1, 5, 6))
	add("a batch of token lists", float(graph.ActNone, true, 3, 5, 6))
	add("an image", float(graph.ActNone, true, 2, 3, 5, 6))
	add("five dimensions", float(graph.ActNone, true, 2, 3, 1, 5, 6))
	add("8 bits, a scale for each channel", integer(true, true))
	add("8 bits, one scale, no bias", integer(false, false))
	add("half weights behind a DEQUANTIZE that another layer uses", func(b *graph.Builder) {
		half := make([]uint16, 7*6)
		for i := range half {
			half[i] = 0x3800 + uint16(i*13) // from a half up
		}
		w := b.Dequantize(b.Const("half", graph.Array{Type: graph.Float16, Shape: []int{7, 6}, Data: graph.Bytes(half)}))
		b.Output("y", b.FullyConnected(b.Input("x", graph.Float32, 1, 5, 6), w, graph.None, graph.ActNone))
		b.Output("w", b.Mul(w, b.Input("z", graph.Float32, 7, 6)))
	})
	add("8-bit weights behind a DEQUANTIZE by row", func(b *graph.Builder) {
		w := b.Dequantize(int8Weights(b, true, 7, 6))
		b.Output("y", b.FullyConnected(b.Input("x", graph.Float32, 1, 5, 6), w, graph.None, graph.ActNone))
	})
	return list
}

func TestFullyConnectedToConv(t *testing.T) {
	cases := layers(1, onlyFC, onlyConv, 1)
	cases = append(cases,
		rewriteCase{name: "a matrix", changed: 1, gone: onlyFC, tolerance: 1e-6, build: func(b *graph.Builder) {
			b.Output("y", b.FullyConnected(b.Input("x", graph.Float32, 5, 6), weights(b, "w", 7, 6), graph.None, graph.ActNone))
		}},
		rewriteCase{name: "rows that end within the input's", changed: 1, gone: onlyFC, tolerance: 1e-6, build: func(b *graph.Builder) {
			x, w := b.Input("x", graph.Float32, 2, 9), weights(b, "w", 7, 6)
			b.Output("y", b.Op(schema.BuiltinOperatorFULLY_CONNECTED, 0, &schema.FullyConnectedOptionsT{}, []graph.T{x, w},
				graph.Tensor{Type: graph.Float32, Shape: []int{3, 7}})[0])
		}},
		rewriteCase{name: "float activations with 8-bit weights stay", changed: 0, tolerance: 1, build: func(b *graph.Builder) {
			b.Output("y", b.Add(b.Input("x", graph.Float32, 1, 3), b.Scalar("one", 1)))
			b.Output("z", b.FullyConnected(b.Input("z", graph.Float32, 1, 6), int8Weights(b, false, 3, 6), graph.None, graph.ActNone))
		}},
		rewriteCase{name: "weights that a run brings stay", changed: 0, tolerance: 0, build: func(b *graph.Builder) {
			b.Output("y", b.FullyConnected(b.Input("x", graph.Float32, 5, 6), b.Input("w", graph.Float32, 7, 6), graph.None, graph.ActNone))
		}},
	)
	// The hybrid layer runs on TensorFlow Lite only.
	hybrid := slices.IndexFunc(cases, func(c rewriteCase) bool { return c.name == "float activations with 8-bit weights stay" })
	m := built(t, cases[hybrid].build)
	if _, changed := applied(t, fullyConnectedToConv, m); changed != 0 {
		t.Errorf("a hybrid layer became a convolution, which rounds its activations differently")
	}
	prove(t, fullyConnectedToConv, slices.Delete(cases, hybrid, hybrid+1))
}

func TestFlattenFullyConnected(t *testing.T) {
	cases := layers(1, nil, onlyFC, 0)
	for i := range cases {
		cases[i].tolerance = 0
	}
	prove(t, flattenFullyConnected, cases)
	for _, c := range cases {
		out, _ := applied(t, flattenFullyConnected, built(t, c.build))
		for _, op := range out.Subgraphs[0].Ops {
			if o, ok := op.Options.(*schema.FullyConnectedOptionsT); ok && (o.KeepNumDims || len(out.Subgraphs[0].Tensors[op.Outputs[0]].Shape) != 2) {
				t.Errorf("%s: not flat\n%s", c.name, listed(out))
			}
		}
	}
}

func TestFillBias(t *testing.T) {
	for _, c := range layers(0, nil, nil, 0) {
		m := built(t, c.build)
		out, _ := applied(t, fillBias, m)
		for _, op := range out.Subgraphs[0].Ops {
			if op.Code == schema.BuiltinOperatorFULLY_CONNECTED && (len(op.Inputs) != 3 || op.Inputs[2] < 0) {
				t.Errorf("%s: no bias\n%s", c.name, listed(out))
			}
		}
		c.tolerance = 0
		sameOutputs(t, m, out, c)
	}
	prove(t, fillBias, []rewriteCase{{name: "a convolution of two inputs", changed: 1, build: func(b *graph.Builder) {
		x, w := b.Input("x", graph.Float32, 1, 4, 4, 2), weights(b, "w", 3, 1, 1, 2)
		b.Output("y", b.Op(schema.BuiltinOperatorCONV_2D, 0, &schema.Conv2DOptionsT{StrideH: 1, StrideW: 1, DilationHFactor: 1, DilationWFactor: 1, Padding: graph.Valid},
			[]graph.T{x, w}, graph.Tensor{Type: graph.Float32, Shape: []int{1, 4, 4, 3}})[0])
	}}})
}

func TestConvToFullyConnected(t *testing.T) {
	conv := func(o graph.ConvOptions, shape ...int) func(b *graph.Builder) {
		return func(b *graph.Builder) {
			b.Output("y", b.Conv2DWith(b.Input("x", graph.Float32, 2, 4, 6, 4), weights(b, "w", shape...), weights(b, "b", shape[0]), o))
		}
	}
	prove(t, convToFullyConnected, []rewriteCase{
		{name: "1×1", changed: 1, gone: onlyConv, has: onlyFC, tolerance: 1e-6, build: conv(graph.ConvOptions{Activation: graph.ActRelu}, 5, 1, 1, 4)},
		{name: "8 bits", changed: 1, gone: onlyConv, has: onlyFC, steps: 1, build: func(b *graph.Builder) {
			b.Output("y", b.Quantized(b.Conv2D(int8Input(b, 1, 4, 5, 6), int8Weights(b, true, 3, 1, 1, 6), int32Bias(b, 1, 20, -300), 1, graph.Same, graph.ActNone), 0.03, 4))
		}},
		{name: "a stride stays", changed: 0, build: conv(graph.ConvOptions{StrideH: 2, StrideW: 2}, 5, 1, 1, 4)},
		{name: "3×3 stays", changed: 0, build: conv(graph.ConvOptions{}, 5, 3, 3, 4)},
		{name: "groups stay", changed: 0, build: conv(graph.ConvOptions{}, 6, 1, 1, 2)},
	})
}

func TestWeightsAreSharedNotCopied(t *testing.T) {
	m := built(t, func(b *graph.Builder) {
		b.Output("y", b.FullyConnected(b.Input("x", graph.Float32, 1, 5, 6), weights(b, "weights", 7, 6), graph.None, graph.ActNone))
	})
	out, _ := applied(t, fullyConnectedToConv, m)
	shares := slices.ContainsFunc(out.Buffers, func(x graph.Buffer) bool {
		return len(x) == 7*6*4 && unsafe.SliceData(x) == unsafe.SliceData(m.Buffers[1])
	})
	if !shares {
		t.Error("the filter is not in the weights' memory")
	}
}
