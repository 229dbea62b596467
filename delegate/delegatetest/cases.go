package delegatetest

import (
	"math/rand/v2"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// Case is a small model with random constants and inputs, which are the same in
// every run: they depend on the case's name alone.
type Case struct {
	Name  string
	Model *graph.Model
	// Inputs in the order of the model's inputs.
	Inputs []graph.Array
}

// maker builds the model of a case.
type maker struct {
	*graph.Builder
	random *rand.Rand
}

// x adds a float input with values in [−3, 3).
func (m *maker) x(name string, shape ...int) graph.T { return m.Input(name, graph.Float32, shape...) }

// c is a float constant with values in [−1, 1).
func (m *maker) c(name string, shape ...int) graph.T {
	return m.Const(name, floats(m.random, 1, shape...))
}

// ints is an INT32 constant.
func (m *maker) ints(name string, values ...int32) graph.T {
	return graph.ConstOf(m.Builder, name, values)
}

// floats are values in [−size, size), exact in 12 bits so that every platform
// makes the same.
func floats(r *rand.Rand, size float32, shape ...int) graph.Array {
	a := graph.NewArray(graph.Float32, shape...)
	for i := range graph.View[float32](a.Data) {
		graph.View[float32](a.Data)[i] = size * float32(r.IntN(1<<12)-1<<11) / (1 << 11)
	}
	return a
}

// random fills an input: floats in [−3, 3), integers from 0 to 4, booleans.
func random(r *rand.Rand, t *graph.Tensor) graph.Array {
	if t.Type == graph.Float32 {
		return floats(r, 3, t.Shape...)
	}
	a := graph.NewArray(t.Type, t.Shape...)
	switch t.Type {
	case graph.Int32:
		for i := range graph.View[int32](a.Data) {
			graph.View[int32](a.Data)[i] = int32(r.IntN(5))
		}
	case graph.Int64:
		for i := range graph.View[int64](a.Data) {
			graph.View[int64](a.Data)[i] = int64(r.IntN(5))
		}
	case graph.Bool:
		for i := range a.Data {
			a.Data[i] = byte(r.IntN(2))
		}
	default:
		for i := range a.Data {
			a.Data[i] = byte(r.IntN(256))
		}
	}
	return a
}

// seedOf makes a seed of a name (FNV-1a).
func seedOf(name string) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

// definition is one row of a case table.
type definition struct {
	name  string
	build func(m *maker) []graph.T
}

// one is the output list of a build with one output.
func one(t graph.T) []graph.T { return []graph.T{t} }

// Cases makes every case. It panics when a case cannot be built: that is a
// mistake in the table.
func Cases() []Case {
	var cases []Case
	for _, table := range [][]definition{mathCases, shapeCases, layerCases, chainCases} {
		for _, d := range table {
			cases = append(cases, d.make())
		}
	}
	return cases
}

func (d definition) make() Case { return d.seeded(1) }

// seeded makes the case with the constants and inputs of a seed.
func (d definition) seeded(seed uint64) Case {
	r := rand.New(rand.NewPCG(seedOf(d.name), seed))
	m := &maker{Builder: graph.NewBuilder(d.name), random: r}
	for i, out := range d.build(m) {
		m.Output(string(rune('a'+i)), out)
	}
	model, err := m.Model()
	if err != nil {
		panic("delegatetest: case " + d.name + ": " + err.Error())
	}
	c := Case{Name: d.name, Model: model}
	for _, t := range model.Subgraphs[0].Inputs {
		c.Inputs = append(c.Inputs, random(r, &model.Subgraphs[0].Tensors[t]))
	}
	return c
}

var mathCases = []definition{
	{"add, same shape", func(m *maker) []graph.T { return one(m.Add(m.x("x", 2, 3, 5), m.x("y", 2, 3, 5))) }},
	{"add, last dimension stretched over lines", func(m *maker) []graph.T { return one(m.Add(m.x("x", 1, 7, 33), m.c("y", 33))) }},
	{"add, a column stretched", func(m *maker) []graph.T { return one(m.Add(m.x("x", 1, 7, 33), m.x("y", 1, 7, 1))) }},
	{"add, both stretched", func(m *maker) []graph.T { return one(m.Add(m.x("x", 3, 1, 5), m.x("y", 1, 4, 1))) }},
	{"add, scalar", func(m *maker) []graph.T { return one(m.Add(m.x("x", 4, 5), m.Scalar("s", 0.5))) }},
	{"add, RELU fused", func(m *maker) []graph.T { return one(m.AddAct(m.x("x", 4, 5), m.x("y", 4, 5), graph.ActRelu)) }},
	{"add, RELU6 fused", func(m *maker) []graph.T { return one(m.AddAct(m.x("x", 4, 5), m.x("y", 4, 5), graph.ActRelu6)) }},
	{"add, INT32", func(m *maker) []graph.T {
		return one(m.Add(m.Input("x", graph.Int32, 4, 5), m.Input("y", graph.Int32, 5)))
	}},
	{"sub, first stretched", func(m *maker) []graph.T { return one(m.Sub(m.x("x", 1, 6), m.x("y", 5, 6))) }},
	{"sub, scalar first", func(m *maker) []graph.T { return one(m.Sub(m.Scalar("s", 1), m.x("y", 5, 6))) }},
	{"mul", func(m *maker) []graph.T { return one(m.Mul(m.x("x", 2, 3, 4, 5), m.x("y", 1, 3, 1, 5))) }},
	{"mul, RELU_N1_TO_1 fused", func(m *maker) []graph.T { return one(m.MulAct(m.x("x", 9), m.x("y", 9), graph.ActReluN1To1)) }},
	{"div", func(m *maker) []graph.T {
		return one(m.Div(m.x("x", 3, 4), m.Add(m.Square(m.x("y", 3, 4)), m.Scalar("one", 1))))
	}},
	{"squared difference", func(m *maker) []graph.T { return one(m.SquaredDifference(m.x("x", 3, 9), m.x("y", 3, 1))) }},
	{"maximum and minimum", func(m *maker) []graph.T {
		x, y := m.x("x", 3, 9), m.x("y", 9)
		return []graph.T{m.Maximum(x, y), m.Minimum(x, y)}
	}},
	{"pow", func(m *maker) []graph.T { return one(m.Pow(m.Abs(m.x("x", 3, 9)), m.x("y", 9))) }},
	{"comparisons", func(m *maker) []graph.T {
		x, y := m.Input("x", graph.Int32, 3, 7), m.Input("y", graph.Int32, 7)
		var out []graph.T
		for _, code := range []graph.OpCode{schema.BuiltinOperatorEQUAL, schema.BuiltinOperatorNOT_EQUAL, schema.BuiltinOperatorLESS, schema.BuiltinOperatorLESS_EQUAL, schema.BuiltinOperatorGREATER, schema.BuiltinOperatorGREATER_EQUAL} {
			out = append(out, m.Compare(code, x, y))
		}
		return append(out, m.LogicalNot(out[0]))
	}},
	{"select", func(m *maker) []graph.T {
		return one(m.SelectV2(m.Input("c", graph.Bool, 3, 4), m.x("x", 3, 4), m.x("y", 3, 4)))
	}},
	{"roots", func(m *maker) []graph.T {
		x := m.Add(m.Square(m.x("x", 5, 7)), m.Scalar("eps", 0.01))
		return []graph.T{m.Sqrt(x), m.Rsqrt(x)}
	}},
	{"exp and log", func(m *maker) []graph.T {
		x := m.x("x", 5, 7)
		return []graph.T{m.Exp(x), m.Log(m.Add(m.Square(x), m.Scalar("eps", 0.01)))}
	}},
	{"signs and rounding", func(m *maker) []graph.T {
		x := m.x("x", 5, 7)
		return []graph.T{m.Neg(x), m.Abs(x), m.Floor(x), m.Ceil(x), m.Round(x), m.Sign(x)}
	}},
	{"sine and cosine", func(m *maker) []graph.T { x := m.x("x", 50); return []graph.T{m.Sin(x), m.Cos(x)} }},
	{"cast to integers and back", func(m *maker) []graph.T {
		return one(m.Cast(m.Cast(m.x("x", 50), graph.Int32), graph.Float32))
	}},
	{"mean, last axis kept", func(m *maker) []graph.T { return one(m.Mean(m.x("x", 1, 9, 37), []int{-1}, true)) }},
	{"mean, height and width", func(m *maker) []graph.T { return one(m.Mean(m.x("x", 1, 5, 6, 7), []int{1, 2}, false)) }},
	{"mean, middle axis", func(m *maker) []graph.T { return one(m.Mean(m.x("x", 3, 5, 7), []int{1}, true)) }},
	{"sum, all", func(m *maker) []graph.T { return one(m.Sum(m.x("x", 3, 5), []int{0, 1}, false)) }},
	{"reduce max and min", func(m *maker) []graph.T {
		x := m.x("x", 3, 5, 4)
		return []graph.T{m.Reduce(schema.BuiltinOperatorREDUCE_MAX, x, []int{1}, false), m.Reduce(schema.BuiltinOperatorREDUCE_MIN, x, []int{2}, true)}
	}},
}

var shapeCases = []definition{
	{"reshape", func(m *maker) []graph.T { return one(m.Reshape(m.x("x", 2, 3, 4), 6, -1)) }},
	{"reshape of an intermediate", func(m *maker) []graph.T { return one(m.Neg(m.Reshape(m.Neg(m.x("x", 2, 3, 4)), 4, 6))) }},
	{"expand and squeeze", func(m *maker) []graph.T {
		return one(m.Squeeze(m.ExpandDims(m.ExpandDims(m.x("x", 3, 4), 0), -1), 0))
	}},
	{"transpose, heads", func(m *maker) []graph.T { return one(m.Transpose(m.x("x", 1, 5, 3, 8), 0, 2, 1, 3)) }},
	{"transpose, last two", func(m *maker) []graph.T { return one(m.Transpose(m.x("x", 2, 5, 7), 0, 2, 1)) }},
	{"transpose, four", func(m *maker) []graph.T { return one(m.Transpose(m.x("x", 2, 3, 4, 5), 3, 1, 0, 2)) }},
	{"concat, tokens", func(m *maker) []graph.T { return one(m.Concat(1, m.x("x", 1, 3, 8), m.x("y", 1, 5, 8))) }},
	{"concat, last axis, three", func(m *maker) []graph.T {
		return one(m.Concat(-1, m.x("x", 2, 3), m.x("y", 2, 1), m.c("z", 2, 4)))
	}},
	{"pack and unpack", func(m *maker) []graph.T { return m.Unpack(m.Pack(1, m.x("x", 2, 3), m.x("y", 2, 3)), 1) }},
	{"split", func(m *maker) []graph.T { return m.Split(m.x("x", 1, 6, 5), 1, 3) }},
	{"split by sizes", func(m *maker) []graph.T { return m.SplitV(m.x("x", 1, 6, 5), 1, 1, 3, 2) }},
	{"slice", func(m *maker) []graph.T { return one(m.Slice(m.x("x", 4, 5, 6), []int{1, 0, 2}, []int{2, 5, 3})) }},
	{"strided slice", func(m *maker) []graph.T {
		return one(m.StridedSlice(m.x("x", 4, 5, 6), []int{0, 4, 1}, []int{4, 0, 6}, []int{2, -2, 1}, schema.StridedSliceOptionsT{}))
	}},
	{"strided slice, masks", func(m *maker) []graph.T {
		return one(m.StridedSlice(m.x("x", 4, 5, 6), []int{1, 1, 1}, []int{2, 4, 3}, []int{1, 1, 1}, schema.StridedSliceOptionsT{BeginMask: 2, EndMask: 4, ShrinkAxisMask: 1}))
	}},
	{"gather, rows", func(m *maker) []graph.T {
		return one(m.Gather(m.c("table", 5, 7), m.Input("ids", graph.Int32, 1, 4), 0))
	}},
	{"gather, last axis", func(m *maker) []graph.T { return one(m.Gather(m.x("x", 3, 7), m.ints("ids", 6, 0, 2), 1)) }},
	{"tile", func(m *maker) []graph.T { return one(m.Tile(m.x("x", 2, 3), 2, 3)) }},
	{"broadcast", func(m *maker) []graph.T { return one(m.BroadcastTo(m.x("x", 3, 1), 2, 3, 4)) }},
	{"pad", func(m *maker) []graph.T {
		return one(m.Pad(m.x("x", 1, 3, 4, 2), [2]int{0, 0}, [2]int{1, 2}, [2]int{0, 1}, [2]int{3, 0}))
	}},
	{"mirror pad, reflect", func(m *maker) []graph.T { return one(m.MirrorPad(m.x("x", 3, 4), false, [2]int{2, 1}, [2]int{0, 3})) }},
	{"mirror pad, symmetric", func(m *maker) []graph.T { return one(m.MirrorPad(m.x("x", 3, 4), true, [2]int{2, 1}, [2]int{0, 3})) }},
	{"depth to space", func(m *maker) []graph.T { return one(m.DepthToSpace(m.x("x", 1, 3, 4, 12), 2)) }},
	{"space to depth", func(m *maker) []graph.T { return one(m.SpaceToDepth(m.x("x", 1, 4, 6, 3), 2)) }},
	{"resize bilinear, half pixel", func(m *maker) []graph.T { return one(m.ResizeBilinear(m.x("x", 1, 3, 4, 5), 7, 6, false, true)) }},
	{"resize bilinear, corners", func(m *maker) []graph.T { return one(m.ResizeBilinear(m.x("x", 1, 3, 4, 5), 7, 9, true, false)) }},
	{"resize bilinear, plain", func(m *maker) []graph.T { return one(m.ResizeBilinear(m.x("x", 1, 6, 8, 3), 3, 16, false, false)) }},
	{"resize nearest", func(m *maker) []graph.T {
		return one(m.ResizeNearestNeighbor(m.x("x", 1, 3, 4, 5), 6, 8, false, false))
	}},
	{"resize nearest, half pixel", func(m *maker) []graph.T { return one(m.ResizeNearestNeighbor(m.x("x", 1, 3, 4, 5), 7, 3, false, true)) }},
}

// convOptions of a stride, dilation and padding.
func convOptions(stride, dilation int, p graph.Padding, act graph.Activation) graph.ConvOptions {
	return graph.ConvOptions{StrideH: stride, StrideW: stride, DilationH: dilation, DilationW: dilation, Padding: p, Activation: act}
}

var layerCases = []definition{
	{"fully connected", func(m *maker) []graph.T {
		return one(m.FullyConnected(m.x("x", 3, 17), m.c("w", 9, 17), m.c("b", 9), graph.ActNone))
	}},
	{"fully connected, tokens", func(m *maker) []graph.T {
		return one(m.FullyConnected(m.x("x", 1, 29, 48), m.c("w", 67, 48), m.c("b", 67), graph.ActNone))
	}},
	{"fully connected, deep, RELU, no bias", func(m *maker) []graph.T {
		return one(m.FullyConnected(m.x("x", 13, 800), m.c("w", 40, 800), graph.None, graph.ActRelu))
	}},
	{"fully connected, computed weights", func(m *maker) []graph.T {
		return one(m.FullyConnected(m.x("x", 3, 17), m.Neg(m.x("w", 9, 17)), m.c("b", 9), graph.ActNone))
	}},
	{"conv 3×3, same", func(m *maker) []graph.T {
		return one(m.Conv2D(m.x("x", 1, 7, 9, 5), m.c("w", 11, 3, 3, 5), m.c("b", 11), 1, graph.Same, graph.ActNone))
	}},
	{"conv 3×3, stride 2, same, two pictures", func(m *maker) []graph.T {
		return one(m.Conv2D(m.x("x", 2, 8, 9, 3), m.c("w", 8, 3, 3, 3), m.c("b", 8), 2, graph.Same, graph.ActRelu6))
	}},
	{"conv 5×3, valid, dilated", func(m *maker) []graph.T {
		return one(m.Conv2DWith(m.x("x", 1, 13, 11, 4), m.c("w", 6, 5, 3, 4), m.c("b", 6), convOptions(1, 2, graph.Valid, graph.ActNone)))
	}},
	{"conv 1×1", func(m *maker) []graph.T {
		return one(m.Conv2D(m.x("x", 1, 6, 5, 33), m.c("w", 35, 1, 1, 33), m.c("b", 35), 1, graph.Valid, graph.ActNone))
	}},
	{"depthwise 3×3", func(m *maker) []graph.T {
		return one(m.DepthwiseConv2D(m.x("x", 1, 7, 8, 6), m.c("w", 1, 3, 3, 6), m.c("b", 6), 1, graph.Same, graph.ActRelu))
	}},
	{"depthwise, multiplier 2, stride 2", func(m *maker) []graph.T {
		return one(m.DepthwiseConv2D(m.x("x", 1, 9, 8, 3), m.c("w", 1, 3, 3, 6), m.c("b", 6), 2, graph.Valid, graph.ActNone))
	}},
	{"transposed conv, stride 2", func(m *maker) []graph.T {
		return one(m.TransposeConv(m.x("x", 1, 4, 5, 3), m.c("w", 7, 3, 3, 3), graph.None, 8, 10, convOptions(2, 1, graph.Same, graph.ActNone)))
	}},
	{"batch matmul", func(m *maker) []graph.T {
		return one(m.BatchMatMul(m.x("x", 1, 3, 10, 16), m.x("y", 1, 3, 16, 12), false, false))
	}},
	{"batch matmul, second transposed", func(m *maker) []graph.T {
		return one(m.BatchMatMul(m.x("x", 1, 3, 10, 16), m.x("y", 1, 3, 12, 16), false, true))
	}},
	{"batch matmul, second stretched", func(m *maker) []graph.T {
		return one(m.BatchMatMul(m.x("x", 4, 10, 16), m.x("y", 1, 16, 12), false, false))
	}},
	{"batch matmul, first transposed", func(m *maker) []graph.T {
		return one(m.BatchMatMul(m.x("x", 4, 16, 10), m.x("y", 4, 16, 12), true, false))
	}},
	{"softmax", func(m *maker) []graph.T { return one(m.Softmax(m.x("x", 1, 3, 5, 29))) }},
	{"log softmax", func(m *maker) []graph.T { return one(m.LogSoftmax(m.x("x", 3, 29))) }},
	{"activations", func(m *maker) []graph.T {
		x := m.x("x", 5, 41)
		return []graph.T{m.Logistic(x), m.Tanh(x), m.Relu(x), m.Relu6(x), m.LeakyRelu(x, 0.1), m.Elu(x), m.HardSwish(x)}
	}},
	{"gelu, both forms", func(m *maker) []graph.T {
		x := m.x("x", 5, 41)
		return []graph.T{m.Gelu(x, true), m.Gelu(x, false)}
	}},
	{"prelu", func(m *maker) []graph.T { return one(m.Prelu(m.x("x", 1, 3, 4, 5), m.c("alpha", 1, 1, 5))) }},
	{"l2 normalization", func(m *maker) []graph.T { return one(m.L2Normalization(m.x("x", 3, 17))) }},
	{"average pool, same", func(m *maker) []graph.T {
		return one(m.AveragePool2D(m.x("x", 1, 7, 8, 5), graph.PoolOptions{Height: 3, Width: 3, StrideH: 2, StrideW: 2, Padding: graph.Same}))
	}},
	{"max pool, valid", func(m *maker) []graph.T {
		return one(m.MaxPool2D(m.x("x", 2, 7, 8, 5), graph.PoolOptions{Height: 2, Width: 3, StrideH: 2, StrideW: 1, Padding: graph.Valid}))
	}},
	{"dequantize a constant, per channel", func(m *maker) []graph.T {
		w := m.QuantizedConst("w", random(m.random, &graph.Tensor{Type: graph.Int8, Shape: []int{9, 17}}), &graph.Quantization{
			Scale: []float32{.01, .02, .03, .04, .05, .06, .07, .08, .09}, ZeroPoint: make([]int64, 9)})
		return one(m.FullyConnected(m.x("x", 3, 17), m.Dequantize(w), graph.None, graph.ActNone))
	}},
	{"dequantize a constant, float16", func(m *maker) []graph.T {
		half := graph.NewArray(graph.Float16, 9, 17)
		for i := range graph.View[uint16](half.Data) { // ±[1, 2)·2ⁿ, n from −8 to 7
			graph.View[uint16](half.Data)[i] = uint16(m.random.IntN(2)<<15 | (7+m.random.IntN(16))<<10 | m.random.IntN(1<<10))
		}
		return one(m.FullyConnected(m.x("x", 3, 17), m.Dequantize(m.Const("w", half)), graph.None, graph.ActNone))
	}},
}

var chainCases = []definition{
	{"layer norm", func(m *maker) []graph.T { return one(m.layerNorm(m.x("x", 1, 11, 48))) }},
	{"attention", func(m *maker) []graph.T {
		x := m.x("x", 1, 13, 24)
		heads := func(name string) graph.T {
			y := m.FullyConnected(x, m.c(name, 24, 24), graph.None, graph.ActNone)
			return m.Transpose(m.Reshape(y, 1, 13, 3, 8), 0, 2, 1, 3)
		}
		q, k, v := heads("q"), heads("k"), heads("v")
		scores := m.Softmax(m.Mul(m.BatchMatMul(q, k, false, true), m.Scalar("scale", 0.35)))
		o := m.Reshape(m.Transpose(m.BatchMatMul(scores, v, false, false), 0, 2, 1, 3), 1, 13, 24)
		return one(m.Add(x, m.FullyConnected(o, m.c("o", 24, 24), m.c("ob", 24), graph.ActNone)))
	}},
	{"residual block", func(m *maker) []graph.T {
		x := m.x("x", 1, 8, 8, 16)
		y := m.Conv2D(x, m.c("w1", 16, 3, 3, 16), m.c("b1", 16), 1, graph.Same, graph.ActNone)
		y = m.Mul(y, m.Logistic(y))
		y = m.Conv2D(y, m.c("w2", 16, 3, 3, 16), m.c("b2", 16), 1, graph.Same, graph.ActNone)
		return one(m.Add(x, y))
	}},
	{"an output that others read", func(m *maker) []graph.T {
		a := m.Neg(m.x("x", 4, 5))
		b := m.Reshape(a, 20)
		return []graph.T{b, a, m.Square(b)}
	}},
}

func (m *maker) layerNorm(x graph.T) graph.T {
	mean := m.Mean(x, []int{-1}, true)
	centred := m.Sub(x, mean)
	variance := m.Mean(m.Square(centred), []int{-1}, true)
	return m.Mul(centred, m.Rsqrt(m.Add(variance, m.Scalar("eps", 1e-6))))
}
