package rewrite

import (
	"math"
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// mayGrow is by how many bytes a result may exceed the constants that it is
// computed of: a product of a row and a column stays as it is.
const mayGrow = 1024

// foldConstants computes operators all of whose operands are in the file, where
// the file does not grow by it: those that move elements (RESHAPE,
// SQUEEZE, EXPAND_DIMS, TRANSPOSE), CAST of integers, and
// arithmetic in FLOAT32. It has its own few evaluators, because this package
// stands below all backends. Sums, products, quotients and roots are rounded as
// everywhere; a reciprocal root may differ by one unit in the last place.
//
// DEQUANTIZE is fold-dequantize's.
var foldConstants = pass("fold-constants", "operators on constants are computed", func(d *draft, op *graph.Op) bool {
	if len(op.Inputs) == 0 || len(op.Outputs) != 1 || d.isOutput[op.Outputs[0]] {
		return false
	}
	y := op.Outputs[0]
	operands, total := make([]graph.Array, len(op.Inputs)), 0
	for i, t := range op.Inputs {
		a, ok := d.constant(t)
		if !ok {
			return false
		}
		operands[i] = a
		total += len(a.Data)
	}
	if size, err := graph.ByteSize(d.tensor(y).Type, d.shape(y)); err != nil || size > total+mayGrow || size == 0 {
		return false
	}
	out, ok := d.evaluate(op, operands)
	if !ok || out.Type != d.tensor(y).Type || !slices.Equal(out.Shape, d.shape(y)) {
		return false
	}
	return d.replace(y, d.newConstant(y, "folded", out, d.tensor(y).Quantization))
})

// evaluate computes op on constants.
func (d *draft) evaluate(op *graph.Op, in []graph.Array) (graph.Array, bool) {
	y := op.Outputs[0]
	x := in[0]
	switch op.Code {
	case schema.BuiltinOperatorRESHAPE, schema.BuiltinOperatorSQUEEZE, schema.BuiltinOperatorEXPAND_DIMS:
		if !d.fixed || !perTensor(d.tensor(y)) || elements(x.Shape) != elements(d.shape(y)) {
			return graph.Array{}, false
		}
		x.Shape = slices.Clone(d.shape(y)) // the same buffer
		return x, true
	case schema.BuiltinOperatorTRANSPOSE:
		perm, ok := d.permutation(op)
		if !ok || !perTensor(d.tensor(y)) {
			return graph.Array{}, false
		}
		return transpose(x, perm)
	case schema.BuiltinOperatorCAST:
		return castConstant(x, d.tensor(y).Type)
	}
	if f, ok := onFloats[op.Code]; ok && len(in) == 1 && x.Type == graph.Float32 {
		out := graph.NewArray(graph.Float32, x.Shape...)
		for i, v := range graph.View[float32](x.Data) {
			graph.View[float32](out.Data)[i] = f(v)
		}
		return out, true
	}
	if f, ok := onPairs[op.Code]; ok && len(in) == 2 && x.Type == graph.Float32 && in[1].Type == graph.Float32 && !fuses(op) {
		return evaluatePair(x, in[1], f)
	}
	return graph.Array{}, false
}

var onFloats = map[graph.OpCode]func(float32) float32{
	schema.BuiltinOperatorNEG:    func(x float32) float32 { return -x },
	schema.BuiltinOperatorABS:    func(x float32) float32 { return float32(math.Abs(float64(x))) },
	schema.BuiltinOperatorSQUARE: func(x float32) float32 { return x * x },
	schema.BuiltinOperatorSQRT:   func(x float32) float32 { return float32(math.Sqrt(float64(x))) },
	schema.BuiltinOperatorRSQRT:  func(x float32) float32 { return float32(1 / math.Sqrt(float64(x))) },
}

var onPairs = map[graph.OpCode]func(x, y float32) float32{
	schema.BuiltinOperatorADD: func(x, y float32) float32 { return x + y },
	schema.BuiltinOperatorSUB: func(x, y float32) float32 { return x - y },
	schema.BuiltinOperatorMUL: func(x, y float32) float32 { return x * y },
	schema.BuiltinOperatorDIV: func(x, y float32) float32 { return x / y },
}

// fuses: the operator has an activation in it.
func fuses(op *graph.Op) bool {
	switch o := op.Options.(type) {
	case *schema.AddOptionsT:
		return o.FusedActivationFunction != graph.ActNone
	case *schema.SubOptionsT:
		return o.FusedActivationFunction != graph.ActNone
	case *schema.MulOptionsT:
		return o.FusedActivationFunction != graph.ActNone
	case *schema.DivOptionsT:
		return o.FusedActivationFunction != graph.ActNone
	}
	return false
}

// evaluatePair is f of two broadcast arrays.
func evaluatePair(x, y graph.Array, f func(x, y float32) float32) (graph.Array, bool) {
	shape, ok := broadcast(x.Shape, y.Shape)
	if !ok {
		return graph.Array{}, false
	}
	out := graph.NewArray(graph.Float32, shape...)
	to, a, b := graph.View[float32](out.Data), graph.View[float32](x.Data), graph.View[float32](y.Data)
	for i := range to {
		to[i] = f(a[under(i, shape, x.Shape)], b[under(i, shape, y.Shape)])
	}
	return out, true
}

// under is the element of an array of shape own that element i of the broadcast
// shape comes from.
func under(i int, shape, own []int) int {
	at, step := 0, 1
	for k := 1; k <= len(own); k++ {
		n := shape[len(shape)-k]
		if size := own[len(own)-k]; size > 1 {
			at += i % n * step
			step *= size
		}
		i /= n
	}
	return at
}

func castConstant(x graph.Array, to graph.TensorType) (graph.Array, bool) {
	switch {
	case x.Type == to:
		return x, true
	case x.Type == graph.Int32 && to == graph.Float32:
		out := graph.NewArray(to, x.Shape...)
		for i, v := range graph.View[int32](x.Data) {
			graph.View[float32](out.Data)[i] = float32(v)
		}
		return out, true
	case x.Type == graph.Int64 && to == graph.Int32:
		out := graph.NewArray(to, x.Shape...)
		for i, v := range graph.View[int64](x.Data) {
			graph.View[int32](out.Data)[i] = int32(v)
		}
		return out, true
	}
	return graph.Array{}, false
}
