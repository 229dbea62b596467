package partition

import (
	"math"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// MACs is how many multiply-accumulate operations operator op of subgraph sub
// does in one run, for the shapes that the file declares; 0 for operators that
// are not made of them. Two floating-point operations are one.
func MACs(m *graph.Model, sub, op int) int64 {
	g := &m.Subgraphs[sub]
	o := &g.Ops[op]
	shape := func(list []int, k int) []int {
		if k >= len(list) || list[k] == graph.NoTensor {
			return nil
		}
		return g.Tensors[list[k]].Shape
	}
	input := func(k int) []int { return shape(o.Inputs, k) }
	output := shape(o.Outputs, 0)
	switch o.Code {
	case schema.BuiltinOperatorFULLY_CONNECTED:
		// weights [outputs, inputs]
		return product(output, dims(input(1), 1))
	case schema.BuiltinOperatorCONV_2D:
		// weights [outputs, height, width, inputs a group]
		return product(output, dims(input(1), 1, 2, 3))
	case schema.BuiltinOperatorDEPTHWISE_CONV_2D:
		// weights [1, height, width, outputs]
		return product(output, dims(input(1), 1, 2))
	case schema.BuiltinOperatorCONV_3D:
		// weights [depth, height, width, inputs, outputs]
		return product(output, dims(input(1), 0, 1, 2, 3))
	case schema.BuiltinOperatorTRANSPOSE_CONV:
		// inputs: output shape, weights [outputs, height, width, inputs], data
		return product(input(2), dims(input(1), 0, 1, 2))
	case schema.BuiltinOperatorBATCH_MATMUL:
		// x is [..., rows, inner], or [..., inner, rows] if adjoint
		x := input(0)
		inner := len(x) - 1
		if options, ok := o.Options.(*schema.BatchMatMulOptionsT); ok && options != nil && options.AdjX {
			inner--
		}
		return product(output, dims(x, inner))
	case schema.BuiltinOperatorSVDF, schema.BuiltinOperatorRNN, schema.BuiltinOperatorLSTM,
		schema.BuiltinOperatorUNIDIRECTIONAL_SEQUENCE_RNN, schema.BuiltinOperatorUNIDIRECTIONAL_SEQUENCE_LSTM,
		schema.BuiltinOperatorBIDIRECTIONAL_SEQUENCE_RNN, schema.BuiltinOperatorBIDIRECTIONAL_SEQUENCE_LSTM:
		// Each weight of the matrices is used once for each row [batch, time] of
		// the data [.., features].
		var weights int64
		for k := 1; k < len(o.Inputs); k++ {
			if w := input(k); len(w) == 2 && m.IsConstant(sub, o.Inputs[k]) {
				weights = addSaturated(weights, product(w, nil))
			}
		}
		if x := input(0); len(x) > 0 {
			return multiplySaturated(weights, product(x[:len(x)-1], nil))
		}
	}
	return 0
}

// dims picks dimensions of a shape; those it does not have count 1.
func dims(shape []int, which ...int) (list []int) {
	for _, d := range which {
		if d >= 0 && d < len(shape) {
			list = append(list, shape[d])
		}
	}
	return list
}

// product multiplies all dimensions of both.
func product(a, b []int) int64 {
	n := int64(1)
	for _, shape := range [][]int{a, b} {
		for _, d := range shape {
			n = multiplySaturated(n, int64(d))
		}
	}
	return n
}

// multiplySaturated and addSaturated stop at the largest number: a file may
// declare any shape. Both numbers are ≥ 0.
func multiplySaturated(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

func addSaturated(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
