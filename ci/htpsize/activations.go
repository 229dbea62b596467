package main

import (
	"slices"

	"nanoflux/graph"
)

// activations is the most bytes that computed values have at one time, run in the
// order of the file: what an NPU needs in main memory besides code and weights when
// it keeps nothing in its own. Floats count as half precision, but for inputs and
// outputs of the whole.
func activations(m *graph.Model) (most int64) {
	g := &m.Subgraphs[0]
	last := map[int]int{}
	for _, t := range g.Inputs {
		last[t] = -1
	}
	for i, op := range g.Ops {
		for _, t := range slices.Concat(op.Inputs, op.Outputs) {
			if t != graph.NoTensor {
				last[t] = i
			}
		}
	}
	for _, t := range slices.Concat(g.Inputs, g.Outputs) {
		last[t] = len(g.Ops) // they stay
	}
	size := func(t int) int64 {
		x := &g.Tensors[t]
		n, err := graph.ByteSize(x.Type, x.Shape)
		if err != nil || m.IsConstant(0, t) {
			return 0
		}
		if x.Type == graph.Float32 && !slices.Contains(g.Inputs, t) && !slices.Contains(g.Outputs, t) {
			return int64(n) / 2
		}
		return int64(n)
	}
	now, alive := int64(0), map[int]bool{}
	begin := func(list []int) {
		for _, t := range list {
			if t != graph.NoTensor && !alive[t] {
				alive[t] = true
				now += size(t)
			}
		}
	}
	begin(g.Inputs)
	for i, op := range g.Ops {
		// A new shape of the same values takes no memory.
		if op.Name() == "RESHAPE" && len(op.Inputs) > 0 && last[op.Inputs[0]] == i {
			alive[op.Inputs[0]] = false
			alive[op.Outputs[0]] = true
			continue
		}
		begin(op.Outputs)
		most = max(most, now)
		for t := range alive {
			if alive[t] && last[t] <= i {
				alive[t] = false
				now -= size(t)
			}
		}
	}
	return most
}
