package main

import (
	"fmt"
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// question is one operator on operands of one type and number of dimensions.
type question struct {
	code  graph.OpCode
	typ   graph.TensorType
	rank  int
	model *graph.Model
	op    int // in the model
}

// sizes by number of dimensions; the last can be split, halved and pooled.
var sizes = [][]int{nil, {8}, {4, 8}, {2, 4, 8}, {1, 4, 4, 8}, {1, 2, 4, 4, 8}}

// asked are the element types. UINT16 is not TensorFlow Lite's: it is what INT16
// becomes on its way to the compiler.
var asked = []graph.TensorType{graph.Float32, graph.Int8, graph.Uint8, graph.Int16, graph.Int32, graph.Bool}

// form builds an operator on tensors of floats, or of typ where integers or
// booleans are asked for. It gives the operator's outputs.
type form struct {
	low, high int // dimensions
	build     func(b *builder, shape []int) []graph.T
}

type builder struct {
	*graph.Builder
	typ graph.TensorType
	n   int
}

// x adds an input.
func (b *builder) x(shape ...int) graph.T {
	b.n++
	if quantizes(b.typ) {
		return b.QuantizedInput(fmt.Sprint("x", b.n), b.typ, scaled(b.typ, 1./32), shape...)
	}
	return b.Input(fmt.Sprint("x", b.n), b.typ, shape...)
}

// c adds a constant of numbers between −1 and 1.
func (b *builder) c(shape ...int) graph.T {
	b.n++
	a := graph.NewArray(graph.Float32, shape...)
	for i := range graph.View[float32](a.Data) {
		graph.View[float32](a.Data)[i] = float32(i*37%17-8) / 8
	}
	return b.Const(fmt.Sprint("c", b.n), a)
}

func one(t graph.T) []graph.T { return []graph.T{t} }

func unary(f func(b *builder, x graph.T) graph.T) form {
	return form{1, 5, func(b *builder, s []int) []graph.T { return one(f(b, b.x(s...))) }}
}

func binary(f func(b *builder, x, y graph.T) graph.T) form {
	return form{1, 5, func(b *builder, s []int) []graph.T { return one(f(b, b.x(s...), b.x(s...))) }}
}

// plain is an operator without options whose output is like its inputs.
func plain(code graph.OpCode, inputs int, typ ...graph.TensorType) form {
	return form{1, 5, func(b *builder, s []int) []graph.T {
		var in []graph.T
		for range inputs {
			in = append(in, b.x(s...))
		}
		out := b.typ
		if len(typ) > 0 {
			out = typ[0]
		}
		return b.Op(code, 1, nil, in, graph.Tensor{Type: out, Shape: s})
	}}
}

func reduction(code graph.OpCode) form {
	return unary(func(b *builder, x graph.T) graph.T { return b.Reduce(code, x, []int{-1}, true) })
}

func compare(code graph.OpCode) form {
	return binary(func(b *builder, x, y graph.T) graph.T { return b.Compare(code, x, y) })
}

func last(s []int) int { return s[len(s)-1] }

// reversed are the places of the dimensions from the last to the first.
func reversed(n int) (p []int) {
	for i := range n {
		p = append(p, n-1-i)
	}
	return p
}

// fill is as many v as there are dimensions.
func fill(n, v int) (p []int) {
	for range n {
		p = append(p, v)
	}
	return p
}

func paddings(n int) (p [][2]int) {
	for range n {
		p = append(p, [2]int{})
	}
	p[n-1] = [2]int{1, 2}
	return p
}

// layer is on four dimensions.
func layer(f func(b *builder, x graph.T, channels int) graph.T) form {
	return form{4, 4, func(b *builder, s []int) []graph.T { return one(f(b, b.x(s...), last(s))) }}
}

var halves = graph.PoolOptions{Height: 2, Width: 2, StrideH: 2, StrideW: 2, Padding: graph.Valid}

var same = graph.ConvOptions{StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Padding: graph.Same}

var forms = map[graph.OpCode]form{
	schema.BuiltinOperatorADD:                binary(func(b *builder, x, y graph.T) graph.T { return b.Add(x, y) }),
	schema.BuiltinOperatorSUB:                binary(func(b *builder, x, y graph.T) graph.T { return b.Sub(x, y) }),
	schema.BuiltinOperatorMUL:                binary(func(b *builder, x, y graph.T) graph.T { return b.Mul(x, y) }),
	schema.BuiltinOperatorDIV:                binary(func(b *builder, x, y graph.T) graph.T { return b.Div(x, y) }),
	schema.BuiltinOperatorMAXIMUM:            binary(func(b *builder, x, y graph.T) graph.T { return b.Maximum(x, y) }),
	schema.BuiltinOperatorMINIMUM:            binary(func(b *builder, x, y graph.T) graph.T { return b.Minimum(x, y) }),
	schema.BuiltinOperatorPOW:                binary(func(b *builder, x, y graph.T) graph.T { return b.Pow(x, y) }),
	schema.BuiltinOperatorSQUARED_DIFFERENCE: binary(func(b *builder, x, y graph.T) graph.T { return b.SquaredDifference(x, y) }),
	schema.BuiltinOperatorEQUAL:              compare(schema.BuiltinOperatorEQUAL),
	schema.BuiltinOperatorNOT_EQUAL:          compare(schema.BuiltinOperatorNOT_EQUAL),
	schema.BuiltinOperatorLESS:               compare(schema.BuiltinOperatorLESS),
	schema.BuiltinOperatorLESS_EQUAL:         compare(schema.BuiltinOperatorLESS_EQUAL),
	schema.BuiltinOperatorGREATER:            compare(schema.BuiltinOperatorGREATER),
	schema.BuiltinOperatorGREATER_EQUAL:      compare(schema.BuiltinOperatorGREATER_EQUAL),
	schema.BuiltinOperatorLOGICAL_AND:        plain(schema.BuiltinOperatorLOGICAL_AND, 2, graph.Bool),
	schema.BuiltinOperatorLOGICAL_OR:         plain(schema.BuiltinOperatorLOGICAL_OR, 2, graph.Bool),
	schema.BuiltinOperatorLOGICAL_NOT:        plain(schema.BuiltinOperatorLOGICAL_NOT, 1, graph.Bool),
	schema.BuiltinOperatorPRELU: {2, 5, func(b *builder, s []int) []graph.T {
		return one(b.Prelu(b.x(s...), b.c(append(fill(len(s)-2, 1), last(s))...)))
	}},
	schema.BuiltinOperatorSELECT_V2: {1, 5, func(b *builder, s []int) []graph.T {
		return one(b.SelectV2(b.Input("if", graph.Bool, s...), b.x(s...), b.x(s...)))
	}},
	schema.BuiltinOperatorSELECT: {1, 5, func(b *builder, s []int) []graph.T {
		return b.Op(schema.BuiltinOperatorSELECT, 1, nil, []graph.T{b.Input("if", graph.Bool, s...), b.x(s...), b.x(s...)}, graph.Tensor{Type: b.typ, Shape: s})
	}},

	schema.BuiltinOperatorABS:              unary(func(b *builder, x graph.T) graph.T { return b.Abs(x) }),
	schema.BuiltinOperatorNEG:              unary(func(b *builder, x graph.T) graph.T { return b.Neg(x) }),
	schema.BuiltinOperatorFLOOR:            unary(func(b *builder, x graph.T) graph.T { return b.Floor(x) }),
	schema.BuiltinOperatorCEIL:             unary(func(b *builder, x graph.T) graph.T { return b.Ceil(x) }),
	schema.BuiltinOperatorROUND:            unary(func(b *builder, x graph.T) graph.T { return b.Round(x) }),
	schema.BuiltinOperatorSIGN:             unary(func(b *builder, x graph.T) graph.T { return b.Sign(x) }),
	schema.BuiltinOperatorSQRT:             unary(func(b *builder, x graph.T) graph.T { return b.Sqrt(x) }),
	schema.BuiltinOperatorRSQRT:            unary(func(b *builder, x graph.T) graph.T { return b.Rsqrt(x) }),
	schema.BuiltinOperatorSQUARE:           unary(func(b *builder, x graph.T) graph.T { return b.Square(x) }),
	schema.BuiltinOperatorEXP:              unary(func(b *builder, x graph.T) graph.T { return b.Exp(x) }),
	schema.BuiltinOperatorLOG:              unary(func(b *builder, x graph.T) graph.T { return b.Log(x) }),
	schema.BuiltinOperatorSIN:              unary(func(b *builder, x graph.T) graph.T { return b.Sin(x) }),
	schema.BuiltinOperatorCOS:              unary(func(b *builder, x graph.T) graph.T { return b.Cos(x) }),
	schema.BuiltinOperatorTANH:             unary(func(b *builder, x graph.T) graph.T { return b.Tanh(x) }),
	schema.BuiltinOperatorLOGISTIC:         unary(func(b *builder, x graph.T) graph.T { return b.Logistic(x) }),
	schema.BuiltinOperatorRELU:             unary(func(b *builder, x graph.T) graph.T { return b.Relu(x) }),
	schema.BuiltinOperatorRELU6:            unary(func(b *builder, x graph.T) graph.T { return b.Relu6(x) }),
	schema.BuiltinOperatorRELU_N1_TO_1:     plain(schema.BuiltinOperatorRELU_N1_TO_1, 1),
	schema.BuiltinOperatorRELU_0_TO_1:      plain(schema.BuiltinOperatorRELU_0_TO_1, 1),
	schema.BuiltinOperatorELU:              unary(func(b *builder, x graph.T) graph.T { return b.Elu(x) }),
	schema.BuiltinOperatorHARD_SWISH:       unary(func(b *builder, x graph.T) graph.T { return b.HardSwish(x) }),
	schema.BuiltinOperatorGELU:             unary(func(b *builder, x graph.T) graph.T { return b.Gelu(x, false) }),
	schema.BuiltinOperatorLEAKY_RELU:       unary(func(b *builder, x graph.T) graph.T { return b.LeakyRelu(x, 0.25) }),
	schema.BuiltinOperatorCAST:             unary(func(b *builder, x graph.T) graph.T { return b.Cast(x, other(b.typ)) }),
	schema.BuiltinOperatorSOFTMAX:          unary(func(b *builder, x graph.T) graph.T { return b.Softmax(x) }),
	schema.BuiltinOperatorLOG_SOFTMAX:      unary(func(b *builder, x graph.T) graph.T { return b.LogSoftmax(x) }),
	schema.BuiltinOperatorL2_NORMALIZATION: unary(func(b *builder, x graph.T) graph.T { return b.L2Normalization(x) }),

	schema.BuiltinOperatorMEAN:        reduction(schema.BuiltinOperatorMEAN),
	schema.BuiltinOperatorSUM:         reduction(schema.BuiltinOperatorSUM),
	schema.BuiltinOperatorREDUCE_MAX:  reduction(schema.BuiltinOperatorREDUCE_MAX),
	schema.BuiltinOperatorREDUCE_MIN:  reduction(schema.BuiltinOperatorREDUCE_MIN),
	schema.BuiltinOperatorREDUCE_PROD: reduction(schema.BuiltinOperatorREDUCE_PROD),
	schema.BuiltinOperatorARG_MAX:     unary(func(b *builder, x graph.T) graph.T { return b.ArgMax(x, -1) }),
	schema.BuiltinOperatorARG_MIN: {2, 5, func(b *builder, s []int) []graph.T {
		axis := graph.ConstOf(b.Builder, "axis", []int32{int32(len(s) - 1)})
		return b.Op(schema.BuiltinOperatorARG_MIN, 1, &schema.ArgMinOptionsT{OutputType: graph.Int32}, []graph.T{b.x(s...), axis}, graph.Tensor{Type: graph.Int32, Shape: s[:len(s)-1]})
	}},

	schema.BuiltinOperatorRESHAPE:     {1, 5, func(b *builder, s []int) []graph.T { return one(b.Reshape(b.x(s...), pick(s, reversed(len(s)))...)) }},
	schema.BuiltinOperatorSQUEEZE:     {2, 5, func(b *builder, s []int) []graph.T { return one(b.Squeeze(b.x(append([]int{1}, s[1:]...)...), 0)) }},
	schema.BuiltinOperatorEXPAND_DIMS: {2, 5, func(b *builder, s []int) []graph.T { return one(b.ExpandDims(b.x(s[1:]...), 0)) }},
	schema.BuiltinOperatorTRANSPOSE:   {2, 5, func(b *builder, s []int) []graph.T { return one(b.Transpose(b.x(s...), reversed(len(s))...)) }},
	schema.BuiltinOperatorCONCATENATION: binary(func(b *builder, x, y graph.T) graph.T {
		return b.Concat(-1, x, y)
	}),
	schema.BuiltinOperatorPACK:    {2, 5, func(b *builder, s []int) []graph.T { return one(b.Pack(0, b.x(s[1:]...), b.x(s[1:]...))) }},
	schema.BuiltinOperatorUNPACK:  {2, 5, func(b *builder, s []int) []graph.T { return b.Unpack(b.x(s...), 0) }},
	schema.BuiltinOperatorSPLIT:   {1, 5, func(b *builder, s []int) []graph.T { return b.Split(b.x(s...), -1, 2) }},
	schema.BuiltinOperatorSPLIT_V: {1, 5, func(b *builder, s []int) []graph.T { return b.SplitV(b.x(s...), -1, 3, last(s)-3) }},
	schema.BuiltinOperatorSLICE: {1, 5, func(b *builder, s []int) []graph.T {
		half := slices.Clone(s)
		half[len(half)-1] /= 2
		return one(b.Slice(b.x(s...), fill(len(s), 0), half))
	}},
	schema.BuiltinOperatorSTRIDED_SLICE: {1, 5, func(b *builder, s []int) []graph.T {
		by := fill(len(s), 1)
		by[len(by)-1] = 2
		return one(b.StridedSlice(b.x(s...), fill(len(s), 0), s, by, schema.StridedSliceOptionsT{}))
	}},
	schema.BuiltinOperatorGATHER: {1, 5, func(b *builder, s []int) []graph.T {
		return one(b.Gather(b.x(s...), b.Input("ids", graph.Int32, 3), len(s)-1))
	}},
	schema.BuiltinOperatorEMBEDDING_LOOKUP: {2, 2, func(b *builder, s []int) []graph.T {
		return b.Op(schema.BuiltinOperatorEMBEDDING_LOOKUP, 1, nil, []graph.T{b.Input("ids", graph.Int32, 3), b.c(s...)}, graph.Tensor{Type: b.typ, Shape: []int{3, last(s)}})
	}},
	schema.BuiltinOperatorTILE: {1, 5, func(b *builder, s []int) []graph.T { return one(b.Tile(b.x(s...), fill(len(s), 2)...)) }},
	schema.BuiltinOperatorBROADCAST_TO: {2, 5, func(b *builder, s []int) []graph.T {
		return one(b.BroadcastTo(b.x(append(slices.Clone(s[:len(s)-1]), 1)...), s...))
	}},
	schema.BuiltinOperatorPAD: {1, 5, func(b *builder, s []int) []graph.T { return one(b.Pad(b.x(s...), paddings(len(s))...)) }},
	schema.BuiltinOperatorPADV2: {1, 5, func(b *builder, s []int) []graph.T {
		return one(b.PadV2(b.x(s...), b.Scalar("v", 0.5), paddings(len(s))...))
	}},
	schema.BuiltinOperatorMIRROR_PAD: {1, 5, func(b *builder, s []int) []graph.T { return one(b.MirrorPad(b.x(s...), false, paddings(len(s))...)) }},

	schema.BuiltinOperatorFULLY_CONNECTED: {2, 5, func(b *builder, s []int) []graph.T {
		return one(b.FullyConnected(b.x(s...), b.c(16, last(s)), b.c(16), graph.ActNone))
	}},
	schema.BuiltinOperatorBATCH_MATMUL: {2, 5, func(b *builder, s []int) []graph.T {
		return one(b.BatchMatMul(b.x(s...), b.x(s...), false, true))
	}},
	schema.BuiltinOperatorCONV_2D: layer(func(b *builder, x graph.T, c int) graph.T {
		return b.Conv2DWith(x, b.c(16, 3, 3, c), b.c(16), same)
	}),
	schema.BuiltinOperatorDEPTHWISE_CONV_2D: layer(func(b *builder, x graph.T, c int) graph.T {
		return b.DepthwiseConv2DWith(x, b.c(1, 3, 3, c), b.c(c), same)
	}),
	schema.BuiltinOperatorTRANSPOSE_CONV: layer(func(b *builder, x graph.T, c int) graph.T {
		return b.TransposeConv(x, b.c(16, 2, 2, c), graph.None, 8, 8, graph.ConvOptions{StrideH: 2, StrideW: 2, DilationH: 1, DilationW: 1, Padding: graph.Same})
	}),
	schema.BuiltinOperatorAVERAGE_POOL_2D:         layer(func(b *builder, x graph.T, _ int) graph.T { return b.AveragePool2D(x, halves) }),
	schema.BuiltinOperatorMAX_POOL_2D:             layer(func(b *builder, x graph.T, _ int) graph.T { return b.MaxPool2D(x, halves) }),
	schema.BuiltinOperatorRESIZE_BILINEAR:         layer(func(b *builder, x graph.T, _ int) graph.T { return b.ResizeBilinear(x, 8, 8, false, true) }),
	schema.BuiltinOperatorRESIZE_NEAREST_NEIGHBOR: layer(func(b *builder, x graph.T, _ int) graph.T { return b.ResizeNearestNeighbor(x, 8, 8, false, false) }),
	schema.BuiltinOperatorDEPTH_TO_SPACE:          layer(func(b *builder, x graph.T, _ int) graph.T { return b.DepthToSpace(x, 2) }),
	schema.BuiltinOperatorSPACE_TO_DEPTH:          layer(func(b *builder, x graph.T, _ int) graph.T { return b.SpaceToDepth(x, 2) }),

	// Qualcomm's provider makes no graph of quantization alone.
	schema.BuiltinOperatorQUANTIZE: unary(func(b *builder, x graph.T) graph.T {
		if b.typ == graph.Float32 {
			return b.Quantize(b.Abs(x), graph.Int8, scaled(graph.Int8, 1./32))
		}
		return b.Quantize(x, graph.Int8, scaled(graph.Int8, 1./16))
	}),
	schema.BuiltinOperatorDEQUANTIZE: unary(func(b *builder, x graph.T) graph.T { return b.Abs(b.Dequantize(x)) }),
}

// other is a type to cast to.
func other(t graph.TensorType) graph.TensorType {
	if t == graph.Float32 {
		return graph.Int32
	}
	return graph.Float32
}

func pick(s, places []int) (out []int) {
	for _, i := range places {
		out = append(out, s[i])
	}
	return out
}
