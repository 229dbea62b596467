package rewrite

import (
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// sweep takes out of m the operators, tensors and buffers that nobody uses.
// m's lists are its own.
func sweep(m *graph.Model) {
	for s := range m.Subgraphs {
		sweepSubgraph(m, s)
	}
	sweepBuffers(m)
}

func sweepSubgraph(m *graph.Model, s int) {
	g := &m.Subgraphs[s]
	live := make([]bool, len(g.Tensors))
	var mark func(ids []int)
	mark = func(ids []int) {
		for _, t := range ids {
			if t != graph.NoTensor && !live[t] {
				live[t] = true
				mark(namedByQuantization(g.Tensors[t].Quantization))
			}
		}
	}
	mark(g.Inputs)
	mark(g.Outputs)
	kept := make([]graph.Op, 0, len(g.Ops))
	for o := len(g.Ops) - 1; o >= 0; o-- {
		op := &g.Ops[o]
		isLive := func(t int) bool { return t != graph.NoTensor && live[t] }
		if !acts(g, op) && !slices.ContainsFunc(op.Outputs, isLive) {
			continue
		}
		mark(op.Inputs)
		mark(op.Outputs)
		mark(op.Intermediates)
		kept = append(kept, *op)
	}
	slices.Reverse(kept)

	to := make([]int, len(g.Tensors))
	tensors := make([]graph.Tensor, 0, len(g.Tensors))
	for t := range g.Tensors {
		to[t] = len(tensors)
		if live[t] {
			tensors = append(tensors, g.Tensors[t])
		}
	}
	for t := range tensors {
		tensors[t].Quantization = renumbered(tensors[t].Quantization, to)
	}
	for o := range kept {
		kept[o].Inputs = moved(kept[o].Inputs, to)
		kept[o].Outputs = moved(kept[o].Outputs, to)
		kept[o].Intermediates = moved(kept[o].Intermediates, to)
	}
	g.Ops, g.Tensors = kept, tensors
	g.Inputs, g.Outputs = moved(g.Inputs, to), moved(g.Outputs, to)
	for i := range m.Signatures {
		if x := &m.Signatures[i]; x.Subgraph == s {
			x.Inputs, x.Outputs = movedNames(x.Inputs, to), movedNames(x.Outputs, to)
		}
	}
}

// acts: the operator does something beside computing its outputs, or may.
func acts(g *graph.Subgraph, op *graph.Op) bool {
	if op.Calls() || slices.Contains(op.MutatingVariableInputs, true) {
		return true
	}
	switch op.Code {
	case schema.BuiltinOperatorCUSTOM, schema.BuiltinOperatorDELEGATE, schema.BuiltinOperatorASSIGN_VARIABLE,
		schema.BuiltinOperatorHASHTABLE_IMPORT, schema.BuiltinOperatorCALL_ONCE:
		return true
	}
	return slices.ContainsFunc(slices.Concat(op.Inputs, op.Outputs), func(t int) bool {
		return t != graph.NoTensor && g.Tensors[t].IsVariable
	})
}

func moved(ids, to []int) []int {
	if ids == nil {
		return nil
	}
	out := make([]int, len(ids))
	for i, t := range ids {
		out[i] = graph.NoTensor
		if t != graph.NoTensor {
			out[i] = to[t]
		}
	}
	return out
}

func movedNames(list []graph.NamedTensor, to []int) []graph.NamedTensor {
	out := slices.Clone(list)
	for i := range out {
		out[i].Tensor = to[out[i].Tensor]
	}
	return out
}

// blockwise is a quantization whose scales are tensors.
func blockwise(q *graph.Quantization) *schema.BlockwiseQuantizationT {
	if q == nil || q.Details == nil {
		return nil
	}
	b, _ := q.Details.Value.(*schema.BlockwiseQuantizationT)
	return b
}

func namedByQuantization(q *graph.Quantization) []int {
	b := blockwise(q)
	if b == nil {
		return nil
	}
	ids := []int{int(b.Scales)}
	if b.ZeroPoints >= 0 {
		ids = append(ids, int(b.ZeroPoints))
	}
	return ids
}

func renumbered(q *graph.Quantization, to []int) *graph.Quantization {
	b := blockwise(q)
	if b == nil {
		return q
	}
	moved := *b
	moved.Scales = int32(to[b.Scales])
	if b.ZeroPoints >= 0 {
		moved.ZeroPoints = int32(to[b.ZeroPoints])
	}
	out := *q
	out.Details = &schema.QuantizationDetailsT{Type: q.Details.Type, Value: &moved}
	return &out
}

// sweepBuffers keeps the buffers with data that a tensor or metadata uses. All
// empty ones become buffer 0.
func sweepBuffers(m *graph.Model) {
	used := make([]bool, len(m.Buffers))
	for s := range m.Subgraphs {
		for t := range m.Subgraphs[s].Tensors {
			used[m.Subgraphs[s].Tensors[t].Buffer] = true
		}
	}
	for _, x := range m.Metadata {
		used[x.Buffer] = true
	}
	to := make([]int, len(m.Buffers))
	kept := []graph.Buffer{nil}
	for b, data := range m.Buffers {
		if used[b] && len(data) > 0 {
			to[b] = len(kept)
			kept = append(kept, data)
		}
	}
	for s := range m.Subgraphs {
		for t := range m.Subgraphs[s].Tensors {
			x := &m.Subgraphs[s].Tensors[t]
			x.Buffer = to[x.Buffer]
		}
	}
	for i := range m.Metadata {
		m.Metadata[i].Buffer = to[m.Metadata[i].Buffer]
	}
	m.Buffers = kept
}
