package main

import (
	"fmt"
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/rewrite"
	"nanoflux/graph/schema"
)

// inIntegers is m in the form of a full-integer model: float tensors are INT8
// with one scale, weights come straight from the file with one scale, biases
// are INT32. Only the structure counts: scales are invented, and the numbers of
// the constants mean nothing.
func inIntegers(m *graph.Model) (*graph.Model, error) {
	out, _, err := rewrite.Apply(m, nil) // a copy with lists of its own
	if err != nil {
		return nil, err
	}
	for sub := range out.Subgraphs {
		retype(out, sub)
	}
	if err := graph.Check(out); err != nil {
		return nil, fmt.Errorf("%s in integers: %w", m.Name, err)
	}
	return out, nil
}

// invented is a scale for every tensor.
const invented = 0.05

func retype(m *graph.Model, sub int) {
	g := &m.Subgraphs[sub]
	biases := map[int]bool{}
	stored := map[int]int{} // the constant that a DEQUANTIZE was for
	ops := make([]graph.Op, 0, len(g.Ops))
	for _, op := range g.Ops {
		if op.Code == schema.BuiltinOperatorDEQUANTIZE && m.IsConstant(sub, op.Inputs[0]) {
			stored[op.Outputs[0]] = op.Inputs[0]
			continue
		}
		op.Inputs = slices.Clone(op.Inputs)
		for i, t := range op.Inputs {
			if s, ok := stored[t]; ok {
				op.Inputs[i] = s
			}
		}
		switch op.Code {
		case schema.BuiltinOperatorFULLY_CONNECTED, schema.BuiltinOperatorCONV_2D, schema.BuiltinOperatorDEPTHWISE_CONV_2D:
			if len(op.Inputs) > 2 && op.Inputs[2] != graph.NoTensor {
				biases[op.Inputs[2]] = true
			}
		}
		ops = append(ops, op)
	}
	g.Ops = ops
	for i := range g.Tensors {
		x := &g.Tensors[i]
		size := 0 // bytes an element
		switch x.Type {
		case graph.Float32:
			size = 4
		case graph.Float16:
			size = 2
		case graph.Int8:
			size = 1
		default:
			continue
		}
		x.Quantization = &graph.Quantization{Scale: []float32{invented}, ZeroPoint: []int64{0}}
		if biases[i] {
			x.Type = graph.Int32 // as wide as float32, which biases are
			continue
		}
		x.Type = graph.Int8
		if data := m.Buffers[x.Buffer]; len(data) > 0 && size > 1 {
			m.Buffers = append(m.Buffers, data[:len(data)/size])
			x.Buffer = len(m.Buffers) - 1
		}
	}
	for o := range g.Ops {
		g.Ops[o].Version = g.OpVersion(&g.Ops[o])
	}
}
