//go:build tflite

package tflite

import (
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// Supports says what TensorFlow Lite 2.17.1's built-in kernels take: the
// operators and versions of its resolver (versions.go), less what is known to
// end the whole process there instead of returning an error. What a delegate
// takes must be among it: the interpreter resolves every operator first.
func Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	o := &m.Subgraphs[sub].Ops[op]
	most, known := mostVersion[o.Code]
	if !known {
		return delegate.Refuse(delegate.ReasonOp, "TensorFlow Lite %s has no built-in %s", libraryVersion, o.Name())
	}
	if o.Version > most {
		return delegate.Refuse(delegate.ReasonVersion, "version %d of %s; takes up to %d", o.Version, o.Name(), most)
	}
	for _, list := range [][]int{o.Inputs, o.Outputs} {
		for _, t := range list {
			if t == graph.NoTensor {
				continue
			}
			x := &m.Subgraphs[sub].Tensors[t]
			switch {
			case x.Type == graph.String:
				// A string input that was never set crashes in Invoke.
				return delegate.Refuse(delegate.ReasonType, "STRING tensor %q", x.Name)
			case x.Type == graph.BFloat16 || x.Type == graph.Uint16 && o.Code != schema.BuiltinOperatorCAST:
				return delegate.Refuse(delegate.ReasonType, "%v tensor %q", x.Type, x.Name)
			case x.Quantization != nil && x.Quantization.Details != nil:
				// Blockwise quantization aborts in AllocateTensors.
				return delegate.Refuse(delegate.ReasonQuantization, "tensor %q is not quantized affinely", x.Name)
			}
		}
	}
	if r := refuseBatchMatMul(m, sub, o); r != nil {
		return r
	}
	return refuseComparison(m, sub, o)
}

// refuseBatchMatMul: with the first operand transposed and the second stretched
// over its batches, only the first batch of the output is written; the rest is
// whatever lay in memory.
func refuseBatchMatMul(m *graph.Model, sub int, o *graph.Op) *delegate.Refusal {
	options, ok := o.Options.(*schema.BatchMatMulOptionsT)
	if o.Code != schema.BuiltinOperatorBATCH_MATMUL || !ok || !options.AdjX || len(o.Inputs) != 2 {
		return nil
	}
	if batches(m, sub, o.Inputs[0]) != batches(m, sub, o.Inputs[1]) {
		return delegate.Refuse(delegate.ReasonShape, "the first operand transposed, with another number of batches than the second")
	}
	return nil
}

// batches is the product of all but the last two dimensions.
func batches(m *graph.Model, sub, t int) int {
	shape := m.Subgraphs[sub].Tensors[t].Shape
	n, err := graph.Elements(shape[:max(0, len(shape)-2)])
	if err != nil {
		return -1
	}
	return n
}

// refuseComparison: comparisons of 8- and 16-bit integers with a scale of 1
// abort (the multiplier's shift is out of the range that the kernel asserts).
func refuseComparison(m *graph.Model, sub int, o *graph.Op) *delegate.Refusal {
	switch o.Code {
	case schema.BuiltinOperatorEQUAL, schema.BuiltinOperatorNOT_EQUAL, schema.BuiltinOperatorLESS, schema.BuiltinOperatorLESS_EQUAL,
		schema.BuiltinOperatorGREATER, schema.BuiltinOperatorGREATER_EQUAL:
	default:
		return nil
	}
	for _, t := range o.Inputs {
		if t == graph.NoTensor {
			continue
		}
		x := &m.Subgraphs[sub].Tensors[t]
		if graph.ElementBits(x.Type) <= 16 && x.Type != graph.Bool && (x.Quantization == nil || len(x.Quantization.Scale) == 0 || x.Quantization.Scale[0] >= 1) {
			return delegate.Refuse(delegate.ReasonQuantization, "a comparison of %v with a scale of 1 or more", x.Type)
		}
	}
	return nil
}
