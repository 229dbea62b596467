package delegatetest

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

var (
	stride1 = graph.ConvOptions{Padding: graph.Same}
	stride2 = graph.ConvOptions{StrideH: 2, StrideW: 2, Padding: graph.Same, Activation: graph.ActRelu}
	valid   = graph.ConvOptions{Padding: graph.Valid, Activation: graph.ActRelu6}
	dilated = graph.ConvOptions{DilationH: 2, DilationW: 3, Padding: graph.Same}
)

var quantizedLayers = []definition{
	{"int8 fully connected, one row", func(m *maker) []graph.T { return m.dense(graph.Int8, 1, 130, 37, -1, true, graph.ActNone) }},
	{"int8 fully connected, one row, RELU", func(m *maker) []graph.T { return m.dense(graph.Int8, 1, 64, 40, -1, true, graph.ActRelu) }},
	{"int8 fully connected, many rows, deep", func(m *maker) []graph.T { return m.dense(graph.Int8, 21, 600, 35, -1, true, graph.ActNone) }},
	{"int8 fully connected, no bias, RELU6", func(m *maker) []graph.T { return m.dense(graph.Int8, 5, 33, 35, -1, false, graph.ActRelu6) }},
	{"int8 fully connected, a scale a channel", func(m *maker) []graph.T { return m.dense(graph.Int8, 5, 33, 35, 0, true, graph.ActNone) }},
	{"uint8 fully connected, one row", func(m *maker) []graph.T { return m.dense(graph.Uint8, 1, 130, 37, -1, true, graph.ActRelu) }},
	{"uint8 fully connected, many rows", func(m *maker) []graph.T { return m.dense(graph.Uint8, 9, 300, 37, -1, true, graph.ActNone) }},
	{"int8 conv, 3×3", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 9, 7, 12}, [2]int{3, 3}, 19, 0, true, stride1)
	}},
	{"int8 conv, stride 2, three channels, RELU", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{2, 10, 11, 3}, [2]int{3, 3}, 8, 0, true, stride2)
	}},
	{"int8 conv, 1×1, deep, VALID, RELU6", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 6, 5, 290}, [2]int{1, 1}, 33, 0, true, valid)
	}},
	{"int8 conv, one scale", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 9, 7, 12}, [2]int{3, 2}, 19, 0, false, stride1)
	}},
	{"int8 conv, scales are powers of two", func(m *maker) []graph.T {
		return m.exactly(func(x, w graph.T) graph.T { return m.Conv2DWith(x, w, graph.None, stride1) }, 11, 3, 3, 16)
	}},
	{"int8 depthwise, scales are powers of two", func(m *maker) []graph.T {
		return m.exactly(func(x, w graph.T) graph.T { return m.DepthwiseConv2DWith(x, w, graph.None, stride1) }, 1, 3, 3, 16)
	}},
	{"int8 fully connected, scales are powers of two", func(m *maker) []graph.T {
		return m.exactly(func(x, w graph.T) graph.T {
			return m.FullyConnected(m.Reshape(x, 5, 9*16), m.Reshape(w, 11, 9*16), graph.None, graph.ActNone)
		}, 11, 3, 3, 16)
	}},
	{"int8 conv, dilated", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 12, 13, 5}, [2]int{3, 3}, 7, 0, true, dilated)
	}},
	{"int8 conv, two groups", func(m *maker) []graph.T {
		x := m.input("x", graph.Int8, 0.05, 1, 8, 8, 12)
		w := m.weights("w", 0, 10, 3, 3, 6)
		return m.layer(graph.Int8, x, 54, m.Conv2DWith(x.T, w.T, m.bias(x, w, 10), stride1))
	}},
	{"uint8 conv, 3×3", func(m *maker) []graph.T {
		return m.convolve(graph.Uint8, [4]int{1, 9, 7, 12}, [2]int{3, 3}, 19, 0, false, stride2)
	}},
	{"int8 depthwise, 3×3", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 9, 7, 24}, [2]int{3, 3}, 0, 1, true, stride1)
	}},
	{"int8 depthwise, stride 2, RELU", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{2, 11, 10, 16}, [2]int{3, 3}, 0, 1, true, stride2)
	}},
	{"int8 depthwise, multiplier 3, VALID", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 9, 9, 5}, [2]int{5, 1}, 0, 3, true, valid)
	}},
	{"int8 depthwise, dilated", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 12, 13, 9}, [2]int{3, 3}, 0, 1, true, dilated)
	}},
	{"int8 depthwise, 9 channels", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 12, 13, 9}, [2]int{3, 3}, 0, 1, true, stride1)
	}},
	{"int8 depthwise, dilated, 16 channels", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 12, 13, 16}, [2]int{3, 3}, 0, 1, true, dilated)
	}},
	{"int8 depthwise, 5 channels, multiplier 3", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 12, 13, 5}, [2]int{3, 3}, 0, 3, true, stride1)
	}},
	{"int8 depthwise, 1 channel, multiplier 8", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 12, 13, 1}, [2]int{3, 3}, 0, 8, true, stride1)
	}},
	{"int8 depthwise, 1 channel, multiplier 11", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 12, 13, 1}, [2]int{5, 5}, 0, 11, true, stride1)
	}},
	{"int8 depthwise, 12 channels", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 12, 13, 12}, [2]int{3, 3}, 0, 1, true, stride1)
	}},
	{"int8 depthwise, 3 channels, multiplier 2", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 12, 13, 3}, [2]int{3, 5}, 0, 2, true, stride1)
	}},
	{"int8 depthwise, 30 channels", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 12, 13, 30}, [2]int{3, 5}, 0, 1, true, stride1)
	}},
	{"uint8 depthwise, 13 channels", func(m *maker) []graph.T {
		return m.convolve(graph.Uint8, [4]int{1, 12, 13, 13}, [2]int{3, 3}, 0, 1, false, stride1)
	}},
	{"uint8 depthwise, 32 channels", func(m *maker) []graph.T {
		return m.convolve(graph.Uint8, [4]int{1, 12, 13, 32}, [2]int{3, 3}, 0, 1, false, stride1)
	}},
	{"int8 depthwise, one scale", func(m *maker) []graph.T {
		return m.convolve(graph.Int8, [4]int{1, 9, 7, 24}, [2]int{3, 3}, 0, 1, false, stride1)
	}},
	{"uint8 depthwise", func(m *maker) []graph.T {
		return m.convolve(graph.Uint8, [4]int{1, 9, 7, 24}, [2]int{3, 3}, 0, 1, false, stride2)
	}},
	{"int8 transpose conv, stride 2", func(m *maker) []graph.T { return m.transposeConv(11, 0) }},
	{"int8 transpose conv, 14 channels", func(m *maker) []graph.T { return m.transposeConv(14, 0) }},
	{"int8 transpose conv, one scale", func(m *maker) []graph.T { return m.transposeConv(22, -1) }},
}

var quantizedElementwise = []definition{
	{"int8 add", func(m *maker) []graph.T {
		return m.binary(graph.Int8, m.Add, 0.08, []int{3, 130}, []int{3, 130})
	}},
	{"int8 add, RELU, stretched", func(m *maker) []graph.T {
		return m.binary(graph.Int8, func(x, y graph.T) graph.T { return m.AddAct(x, y, graph.ActRelu) }, 0.08, []int{2, 3, 40}, []int{3, 1})
	}},
	{"int8 add, one element stretched", func(m *maker) []graph.T {
		return m.binary(graph.Int8, m.Add, 0.08, []int{1, 1}, []int{2, 77})
	}},
	{"int8 add, line stretched", func(m *maker) []graph.T {
		return m.binary(graph.Int8, m.Add, 0.08, []int{2, 5, 43}, []int{2, 1, 43})
	}},
	{"int8 add, both stretched", func(m *maker) []graph.T {
		return m.binary(graph.Int8, m.Add, 0.08, []int{4, 1, 43}, []int{1, 3, 43})
	}},
	{"uint8 add, same shape", func(m *maker) []graph.T {
		return m.binary(graph.Uint8, m.Add, 0.08, []int{3, 130}, []int{3, 130})
	}},
	{"uint8 add, column stretched", func(m *maker) []graph.T {
		return m.binary(graph.Uint8, m.Add, 0.08, []int{3, 130}, []int{3, 1})
	}},
	{"uint8 add", func(m *maker) []graph.T {
		return m.binary(graph.Uint8, m.Add, 0.08, []int{3, 130}, []int{130})
	}},
	{"int16 add", func(m *maker) []graph.T {
		return m.binary(graph.Int16, m.Add, 0.08, []int{3, 130}, []int{3, 130})
	}},
	{"int16 add, line stretched", func(m *maker) []graph.T {
		return m.binary(graph.Int16, m.Add, 0.08, []int{3, 43}, []int{43})
	}},
	{"int16 add, column stretched", func(m *maker) []graph.T {
		return m.binary(graph.Int16, m.Add, 0.08, []int{3, 43}, []int{3, 1})
	}},
	{"int8 sub", func(m *maker) []graph.T {
		return m.binary(graph.Int8, m.Sub, 0.08, []int{3, 130}, []int{3, 130})
	}},
	{"uint8 sub", func(m *maker) []graph.T {
		return m.binary(graph.Uint8, m.Sub, 0.08, []int{3, 130}, []int{1, 130})
	}},
	{"int8 mul", func(m *maker) []graph.T {
		return m.binary(graph.Int8, m.Mul, 0.3, []int{3, 130}, []int{3, 130})
	}},
	{"int8 mul, RELU6, stretched", func(m *maker) []graph.T {
		return m.binary(graph.Int8, func(x, y graph.T) graph.T { return m.MulAct(x, y, graph.ActRelu6) }, 0.3, []int{4, 1, 30}, []int{1, 3, 30})
	}},
	{"uint8 mul", func(m *maker) []graph.T {
		return m.binary(graph.Uint8, m.Mul, 0.3, []int{3, 130}, []int{3, 130})
	}},
	{"int16 mul", func(m *maker) []graph.T {
		return m.binary(graph.Int16, m.Mul, 80, []int{3, 130}, []int{3, 130})
	}},
	{"int8 maximum", func(m *maker) []graph.T {
		q := m.affine(graph.Int8, 0.05)
		return one(m.Maximum(m.QuantizedInput("x", graph.Int8, q, 4, 50), m.QuantizedInput("y", graph.Int8, q, 1, 50)))
	}},
	{"int8 logistic", func(m *maker) []graph.T { return m.unary(graph.Int8, 0.05, m.Logistic, 1.0/256, -128) }},
	{"uint8 logistic", func(m *maker) []graph.T { return m.unary(graph.Uint8, 0.05, m.Logistic, 1.0/256, 0) }},
	{"int8 tanh", func(m *maker) []graph.T { return m.unary(graph.Int8, 0.03, m.Tanh, 1.0/128, 0) }},
	{"uint8 tanh", func(m *maker) []graph.T { return m.unary(graph.Uint8, 0.03, m.Tanh, 1.0/128, 128) }},
	{"int8 elu", func(m *maker) []graph.T { return m.unary(graph.Int8, 0.03, m.Elu, m.scale(0.03), -30) }},
	{"int8 relu", func(m *maker) []graph.T { return m.unary(graph.Int8, 0.03, m.Relu, m.scale(0.03), -128) }},
	{"int8 relu6", func(m *maker) []graph.T { return m.unary(graph.Int8, 0.1, m.Relu6, m.scale(0.03), -128) }},
	{"uint8 relu", func(m *maker) []graph.T { return m.unary(graph.Uint8, 0.03, m.Relu, m.scale(0.03), 3) }},
	{"int8 leaky relu", func(m *maker) []graph.T {
		return m.unary(graph.Int8, 0.03, func(x graph.T) graph.T { return m.LeakyRelu(x, 0.2) }, m.scale(0.03), -60)
	}},
	{"uint8 leaky relu", func(m *maker) []graph.T {
		return m.unary(graph.Uint8, 0.03, func(x graph.T) graph.T { return m.LeakyRelu(x, 0.3) }, m.scale(0.03), 60)
	}},
	{"int8 hard swish", func(m *maker) []graph.T { return m.unary(graph.Int8, 0.05, m.HardSwish, m.scale(0.03), -90) }},
	{"int8 hard swish, large", func(m *maker) []graph.T { return m.unary(graph.Int8, 0.3, m.HardSwish, m.scale(0.3), -20) }},
	{"uint8 hard swish", func(m *maker) []graph.T { return m.unary(graph.Uint8, 0.05, m.HardSwish, m.scale(0.03), 30) }},
	{"int8 softmax", func(m *maker) []graph.T { return m.unary(graph.Int8, 0.05, m.Softmax, 1.0/256, -128) }},
	{"int8 softmax, sharp", func(m *maker) []graph.T { return m.unary(graph.Int8, 0.6, m.Softmax, 1.0/256, -128) }},
	{"uint8 softmax", func(m *maker) []graph.T { return m.unary(graph.Uint8, 0.05, m.Softmax, 1.0/256, 0) }},
	{"quantize to int8", func(m *maker) []graph.T {
		return one(m.Quantize(m.x("x", 3, 130), graph.Int8, m.affine(graph.Int8, 0.02)))
	}},
	{"quantize to uint8", func(m *maker) []graph.T {
		return one(m.Quantize(m.x("x", 3, 130), graph.Uint8, m.affine(graph.Uint8, 0.02)))
	}},
	{"quantize to int16", func(m *maker) []graph.T {
		return one(m.Quantize(m.x("x", 3, 130), graph.Int16, m.affine(graph.Int16, 0.0001)))
	}},
	{"quantize, halfway", func(m *maker) []graph.T {
		return one(m.Quantize(m.halfway(29, 0.25), graph.Int8, &graph.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{3}}))
	}},
	{"requantize int8 to int8", func(m *maker) []graph.T {
		return one(m.Quantize(m.input("x", graph.Int8, 0.05, 3, 130).T, graph.Int8, m.affine(graph.Int8, 0.04)))
	}},
	{"requantize int8 to uint8", func(m *maker) []graph.T {
		return one(m.Quantize(m.input("x", graph.Int8, 0.05, 3, 130).T, graph.Uint8, m.affine(graph.Uint8, 0.06)))
	}},
	{"requantize uint8 to int8", func(m *maker) []graph.T {
		return one(m.Quantize(m.input("x", graph.Uint8, 0.05, 3, 130).T, graph.Int8, m.affine(graph.Int8, 0.06)))
	}},
	{"requantize int16 to int8", func(m *maker) []graph.T {
		return one(m.Quantize(m.input("x", graph.Int16, 0.0001, 3, 130).T, graph.Int8, m.affine(graph.Int8, 0.02)))
	}},
	{"dequantize int8", func(m *maker) []graph.T { return one(m.Dequantize(m.input("x", graph.Int8, 0.05, 3, 130).T)) }},
	{"dequantize uint8", func(m *maker) []graph.T { return one(m.Dequantize(m.input("x", graph.Uint8, 0.05, 3, 130).T)) }},
	{"dequantize int16", func(m *maker) []graph.T { return one(m.Dequantize(m.input("x", graph.Int16, 0.001, 3, 130).T)) }},
}

var quantizedShapes = []definition{
	{"int8 average pool", func(m *maker) []graph.T {
		return one(m.AveragePool2D(m.input("x", graph.Int8, 0.05, 2, 9, 8, 13).T, graph.PoolOptions{Height: 3, Width: 2, StrideH: 2, StrideW: 1, Padding: graph.Same}))
	}},
	{"int8 average pool over all, RELU6", func(m *maker) []graph.T {
		return one(m.AveragePool2D(m.input("x", graph.Int8, 0.05, 1, 8, 8, 40).T, graph.PoolOptions{Height: 8, Width: 8, StrideH: 8, StrideW: 8, Padding: graph.Valid, Activation: graph.ActRelu6}))
	}},
	{"uint8 average pool", func(m *maker) []graph.T {
		return one(m.AveragePool2D(m.input("x", graph.Uint8, 0.05, 1, 9, 8, 13).T, graph.PoolOptions{Height: 3, Width: 3, StrideH: 2, StrideW: 2, Padding: graph.Same}))
	}},
	{"int8 max pool", func(m *maker) []graph.T {
		return one(m.MaxPool2D(m.input("x", graph.Int8, 0.05, 1, 9, 8, 13).T, graph.PoolOptions{Height: 3, Width: 2, StrideH: 2, StrideW: 2, Padding: graph.Same, Activation: graph.ActRelu}))
	}},
	{"uint8 max pool", func(m *maker) []graph.T {
		return one(m.MaxPool2D(m.input("x", graph.Uint8, 0.05, 1, 9, 8, 13).T, graph.PoolOptions{Height: 2, Width: 2, StrideH: 2, StrideW: 2, Padding: graph.Valid}))
	}},
	{"int8 mean over height and width", func(m *maker) []graph.T { return m.mean(graph.Int8, false, []int{1, 2}, true, 2, 5, 7, 30) }},
	{"int8 mean over height and width, same scale", func(m *maker) []graph.T { return m.mean(graph.Int8, true, []int{1, 2}, true, 2, 5, 7, 30) }},
	{"int8 mean over height and width, dimensions dropped", func(m *maker) []graph.T { return m.mean(graph.Int8, false, []int{1, 2}, false, 2, 5, 7, 30) }},
	{"int8 mean over the last dimension", func(m *maker) []graph.T { return m.mean(graph.Int8, false, []int{2}, true, 4, 5, 39) }},
	{"int8 mean over the last dimension, same scale", func(m *maker) []graph.T { return m.mean(graph.Int8, true, []int{2}, false, 4, 5, 39) }},
	{"uint8 mean over height and width", func(m *maker) []graph.T { return m.mean(graph.Uint8, false, []int{1, 2}, true, 2, 5, 7, 30) }},
	{"uint8 mean over the last dimension", func(m *maker) []graph.T { return m.mean(graph.Uint8, false, []int{2}, true, 4, 5, 39) }},
	{"int16 mean over the last dimension", func(m *maker) []graph.T { return m.mean(graph.Int16, false, []int{2}, true, 4, 5, 39) }},
	{"uint8 sum", func(m *maker) []graph.T {
		y := m.Sum(m.input("x", graph.Uint8, 0.05, 4, 5, 39).T, []int{1}, false)
		return one(m.Quantized(y, m.scale(0.1), 5))
	}},
	{"int8 sum", func(m *maker) []graph.T {
		y := m.Sum(m.input("x", graph.Int8, 0.05, 4, 5, 39).T, []int{1}, false)
		return one(m.Quantized(y, m.scale(0.1), 5))
	}},
	{"int8 resize bilinear", func(m *maker) []graph.T {
		return one(m.ResizeBilinear(m.input("x", graph.Int8, 0.05, 2, 5, 7, 6).T, 12, 9, false, false))
	}},
	{"int8 resize bilinear, half pixels", func(m *maker) []graph.T {
		return one(m.ResizeBilinear(m.input("x", graph.Int8, 0.05, 1, 5, 7, 6).T, 10, 14, false, true))
	}},
	{"int8 resize bilinear, corners", func(m *maker) []graph.T {
		return one(m.ResizeBilinear(m.input("x", graph.Int8, 0.05, 1, 5, 7, 6).T, 10, 3, true, false))
	}},
	{"uint8 resize bilinear", func(m *maker) []graph.T {
		return one(m.ResizeBilinear(m.input("x", graph.Uint8, 0.05, 1, 5, 7, 6).T, 10, 14, false, false))
	}},
	{"int8 resize nearest", func(m *maker) []graph.T {
		return one(m.ResizeNearestNeighbor(m.input("x", graph.Int8, 0.05, 1, 5, 7, 6).T, 10, 3, false, true))
	}},
	{"int8 pad", func(m *maker) []graph.T {
		return one(m.Pad(m.input("x", graph.Int8, 0.05, 3, 5, 7).T, [2]int{1, 0}, [2]int{0, 2}, [2]int{1, 1}))
	}},
	{"uint8 pad", func(m *maker) []graph.T {
		return one(m.Pad(m.input("x", graph.Uint8, 0.05, 3, 5, 7).T, [2]int{1, 0}, [2]int{0, 2}, [2]int{1, 1}))
	}},
	{"int8 concatenation", func(m *maker) []graph.T {
		q := m.affine(graph.Int8, 0.05)
		return one(m.Concat(1, m.QuantizedInput("x", graph.Int8, q, 4, 50), m.QuantizedInput("y", graph.Int8, q, 4, 7)))
	}},
	{"uint8 concatenation, different scales", func(m *maker) []graph.T {
		z := m.Concat(1, m.input("x", graph.Uint8, 0.05, 4, 50).T, m.input("y", graph.Uint8, 0.02, 4, 70).T)
		return one(m.Quantized(z, m.scale(0.04), 120))
	}},
	{"int8 classifier", func(m *maker) []graph.T {
		x := m.Quantize(m.x("x", 1, 8, 8, 4), graph.Int8, &graph.Quantization{Scale: []float32{1.0 / 32}, ZeroPoint: []int64{-3}})
		y := m.AveragePool2D(x, graph.PoolOptions{Height: 4, Width: 4, StrideH: 4, StrideW: 4, Padding: graph.Valid})
		y = m.Reshape(y, 1, 16)
		in := quantized{y, &graph.Quantization{Scale: []float32{1.0 / 32}, ZeroPoint: []int64{-3}}}
		w := m.weights("w", -1, 10, 16)
		y = m.Quantized(m.FullyConnected(y, w.T, m.bias(in, w, 10), graph.ActNone), 0.0625, 4)
		return one(m.Dequantize(m.Quantized(m.Softmax(y), 1.0/256, -128)))
	}},
}

// halfway is values that lie between multiples of 0.5, which are the integers'
// distance when the range of the values, up to 63.5 and from low on, is divided
// up.
func (m *maker) halfway(n int, low float32) graph.T {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(m.random.IntN(60)-30)/2 + 0.25
	}
	values[0], values[1] = 63.5, low
	return m.Add(m.Mul(m.x("x", 1, n), m.Scalar("zero", 0)), graph.ConstOf(m.Builder, "halfway", values))
}

// transposeConv is TRANSPOSE_CONV to out channels.
func (m *maker) transposeConv(out, dimension int) []graph.T {
	x := m.input("x", graph.Int8, 0.05, 1, 5, 6, 8)
	w := m.weights("w", dimension, out, 3, 3, 8)
	y := m.TransposeConv(x.T, w.T, m.bias(x, w, out), 10, 12, graph.ConvOptions{StrideH: 2, StrideW: 2, Padding: graph.Same})
	return m.layer(graph.Int8, x, 72, y)
}

// exactly is a layer whose factor from sums to outputs is a power of two: half
// of the sums lie between two outputs.
func (m *maker) exactly(layer func(x, w graph.T) graph.T, w ...int) []graph.T {
	x := m.QuantizedInput("x", graph.Int8, &graph.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{3}}, 1, 9, 5, 16)
	weights := m.constant("w", graph.Int8, -3, 3, &graph.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{0}}, w...)
	return one(m.Quantized(layer(x, weights.T), 0.5*float32(1+m.random.IntN(2)), 1))
}

// mean is MEAN with the input's quantization, or another.
func (m *maker) mean(t graph.TensorType, same bool, axes []int, keep bool, shape ...int) []graph.T {
	x := m.input("x", t, 0.05, shape...)
	y := m.Mean(x.T, axes, keep)
	if !same {
		q := m.affine(t, 0.01)
		y = m.Quantized(y, q.Scale[0], q.ZeroPoint[0])
	}
	return one(y)
}

var hybridLayers = []definition{
	{"hybrid fully connected, one row", func(m *maker) []graph.T {
		return one(m.FullyConnected(m.x("x", 1, 130), m.weights("w", -1, 36, 130).T, m.c("b", 36), graph.ActRelu))
	}},
	{"hybrid fully connected, many rows", func(m *maker) []graph.T {
		return one(m.FullyConnected(m.x("x", 7, 130), m.weights("w", -1, 37, 130).T, m.c("b", 37), graph.ActNone))
	}},
	{"hybrid fully connected, asymmetric inputs", func(m *maker) []graph.T {
		x := m.x("x", 3, 130)
		o := &schema.FullyConnectedOptionsT{AsymmetricQuantizeInputs: true}
		return m.Op(schema.BuiltinOperatorFULLY_CONNECTED, 9, o, []graph.T{x, m.weights("w", -1, 36, 130).T, m.c("b", 36)}, graph.Tensor{Type: graph.Float32, Shape: []int{3, 36}})
	}},
	{"hybrid fully connected, zeros", func(m *maker) []graph.T {
		x := m.Mul(m.x("x", 2, 40), m.Scalar("zero", 0))
		return one(m.FullyConnected(x, m.weights("w", -1, 36, 40).T, m.c("b", 36), graph.ActNone))
	}},
	{"hybrid fully connected, no bias", func(m *maker) []graph.T {
		return one(m.FullyConnected(m.x("x", 2, 40), m.weights("w", -1, 36, 40).T, graph.None, graph.ActTanh))
	}},
	{"hybrid fully connected, halfway", func(m *maker) []graph.T {
		return one(m.FullyConnected(m.halfway(45, 0), m.weights("w", -1, 36, 45).T, m.c("b", 36), graph.ActNone))
	}},
	{"hybrid conv, halfway", func(m *maker) []graph.T {
		return one(m.Conv2DWith(m.Reshape(m.halfway(45, 0), 1, 3, 3, 5), m.weights("w", -1, 10, 3, 3, 5).T, m.c("b", 10), stride1))
	}},
	{"hybrid conv, a scale a channel, halfway", func(m *maker) []graph.T {
		return one(m.Conv2DWith(m.Reshape(m.halfway(45, -64), 1, 3, 3, 5), m.weights("w", 0, 10, 3, 3, 5).T, m.c("b", 10), stride1))
	}},
	{"hybrid conv, one scale", func(m *maker) []graph.T {
		return one(m.Conv2DWith(m.x("x", 2, 9, 7, 6), m.weights("w", -1, 10, 3, 3, 6).T, m.c("b", 10), stride2))
	}},
	{"hybrid conv, 1×1, one scale", func(m *maker) []graph.T {
		return one(m.Conv2DWith(m.x("x", 1, 9, 7, 16), m.weights("w", -1, 12, 1, 1, 16).T, m.c("b", 12), valid))
	}},
	{"hybrid conv, a scale a channel", func(m *maker) []graph.T {
		return one(m.Conv2DWith(m.x("x", 2, 9, 7, 6), m.weights("w", 0, 10, 3, 3, 6).T, m.c("b", 10), stride2))
	}},
	{"hybrid depthwise, a scale a channel", func(m *maker) []graph.T {
		return one(m.DepthwiseConv2DWith(m.x("x", 2, 9, 7, 8), m.weights("w", 3, 1, 3, 3, 8).T, m.c("b", 8), stride2))
	}},
}
