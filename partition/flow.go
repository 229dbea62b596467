package partition

import (
	"fmt"
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// flow is what the operators of a subgraph hand to each other.
type flow struct {
	m     *graph.Model
	sub   int
	graph *graph.Subgraph
	// producer is the operator that makes each tensor, or -1.
	producer []int
	// input and output say for each tensor whether it is one of the subgraph's.
	input, output []bool
	// constant says for each operator whether its result is the same in every
	// run: all its inputs are constants or such results. These operators may
	// stand in several segments.
	constant []bool
	// live says for each operator whether it must run: an output of the
	// subgraph depends on it, or it changes state.
	live []bool
}

func newFlow(m *graph.Model, sub int) *flow {
	g := &m.Subgraphs[sub]
	f := &flow{
		m: m, sub: sub, graph: g,
		producer: make([]int, len(g.Tensors)),
		input:    make([]bool, len(g.Tensors)),
		output:   make([]bool, len(g.Tensors)),
		constant: make([]bool, len(g.Ops)),
		live:     make([]bool, len(g.Ops)),
	}
	for t := range f.producer {
		f.producer[t] = -1
	}
	for _, t := range g.Inputs {
		f.input[t] = true
	}
	for _, t := range g.Outputs {
		f.output[t] = true
	}
	for i := range g.Ops {
		f.constant[i] = f.isConstant(i) // its producers come before it
		for _, t := range g.Ops[i].Outputs {
			if t != graph.NoTensor {
				f.producer[t] = i
			}
		}
	}
	for i := len(g.Ops) - 1; i >= 0; i-- {
		f.live[i] = f.live[i] || f.changesState(i) || slices.ContainsFunc(g.Ops[i].Outputs, func(t int) bool {
			return t != graph.NoTensor && f.output[t]
		})
		if f.live[i] {
			for _, p := range f.producers(i) {
				f.live[p] = true
			}
		}
	}
	return f
}

// producers are the operators whose results operator i uses, each once.
func (f *flow) producers(i int) (ops []int) {
	for _, t := range f.graph.Ops[i].Inputs {
		if t == graph.NoTensor {
			continue
		}
		if p := f.producer[t]; p >= 0 && !slices.Contains(ops, p) {
			ops = append(ops, p)
		}
	}
	return ops
}

// isConstant looks at the producers of operator i, which are known already.
func (f *flow) isConstant(i int) bool {
	op := &f.graph.Ops[i]
	if !repeatable(op.Code) || len(op.MutatingVariableInputs) > 0 && slices.Contains(op.MutatingVariableInputs, true) {
		return false
	}
	some := false
	for _, t := range op.Inputs {
		if t == graph.NoTensor {
			continue
		}
		some = true
		if p := f.producer[t]; p >= 0 && !f.constant[p] || p < 0 && !f.isConstantTensor(t) {
			return false
		}
	}
	return some && !slices.ContainsFunc(op.Outputs, f.isState)
}

// isConstantTensor reports whether tensor t, which no operator makes, has the
// same value in every run: its data is in the file, or it has no elements.
func (f *flow) isConstantTensor(t int) bool {
	return f.m.IsConstant(f.sub, t) || !f.input[t] && !f.graph.Tensors[t].IsVariable
}

// repeatable reports whether an operator gives the same result each time it
// runs on the same inputs, as far as its type tells.
func repeatable(code graph.OpCode) bool {
	switch code {
	case schema.BuiltinOperatorCUSTOM, schema.BuiltinOperatorDELEGATE,
		schema.BuiltinOperatorCALL, schema.BuiltinOperatorCALL_ONCE,
		schema.BuiltinOperatorIF, schema.BuiltinOperatorWHILE,
		schema.BuiltinOperatorSTABLEHLO_CASE, schema.BuiltinOperatorSTABLEHLO_WHILE,
		schema.BuiltinOperatorSTABLEHLO_COMPOSITE, schema.BuiltinOperatorSTABLEHLO_CUSTOM_CALL,
		schema.BuiltinOperatorRANDOM_STANDARD_NORMAL, schema.BuiltinOperatorRANDOM_UNIFORM,
		schema.BuiltinOperatorMULTINOMIAL, schema.BuiltinOperatorSTABLEHLO_RNG_BIT_GENERATOR,
		schema.BuiltinOperatorVAR_HANDLE, schema.BuiltinOperatorREAD_VARIABLE, schema.BuiltinOperatorASSIGN_VARIABLE,
		schema.BuiltinOperatorHASHTABLE, schema.BuiltinOperatorHASHTABLE_FIND,
		schema.BuiltinOperatorHASHTABLE_IMPORT, schema.BuiltinOperatorHASHTABLE_SIZE:
		return false
	}
	return true
}

// isState reports whether tensor t is state, or a handle to state.
func (f *flow) isState(t int) bool {
	if t == graph.NoTensor {
		return false
	}
	x := &f.graph.Tensors[t]
	return x.IsVariable || x.Type == schema.TensorTypeRESOURCE || x.Type == schema.TensorTypeVARIANT
}

// changesState reports whether operator i may do something beside its outputs.
func (f *flow) changesState(i int) bool {
	op := &f.graph.Ops[i]
	return len(op.Outputs) == 0 || op.Code == schema.BuiltinOperatorCALL_ONCE || slices.ContainsFunc(op.Inputs, f.isState)
}

// withConstants returns ops and every constant operator that they need,
// ascending.
func (f *flow) withConstants(ops []int) []int {
	in := make(map[int]bool, len(ops))
	all := slices.Clone(ops)
	for _, i := range all {
		in[i] = true
	}
	for k := 0; k < len(all); k++ {
		for _, p := range f.producers(all[k]) {
			if f.constant[p] && !in[p] {
				in[p] = true
				all = append(all, p)
			}
		}
	}
	slices.Sort(all)
	return all
}

// connect sets the inputs and outputs of segments from their operators.
func (f *flow) connect(segments []Segment) {
	// first is the segment that provides an operator's results; only constant
	// operators are in several.
	first := make([]int, len(f.graph.Ops))
	for i := range first {
		first[i] = -1
	}
	for s := range segments {
		for _, i := range segments[s].Ops {
			if first[i] < 0 {
				first[i] = s
			}
		}
	}
	wanted := slices.Clone(f.output)
	for s := range segments {
		segments[s].Inputs = f.inputsOf(segments[s].Ops)
		for _, t := range segments[s].Inputs {
			wanted[t] = true
		}
	}
	for s := range segments {
		segments[s].Outputs = []int{}
		for _, i := range segments[s].Ops {
			for _, t := range f.graph.Ops[i].Outputs {
				if t != graph.NoTensor && wanted[t] && first[i] == s {
					segments[s].Outputs = append(segments[s].Outputs, t)
				}
			}
		}
		slices.Sort(segments[s].Outputs)
	}
}

// inputsOf are the tensors that ops use and do not make, ascending, without
// constants and state.
func (f *flow) inputsOf(ops []int) []int {
	made := map[int]bool{}
	for _, i := range ops {
		for _, t := range f.graph.Ops[i].Outputs {
			made[t] = true
		}
	}
	inputs := []int{}
	for _, i := range ops {
		for _, t := range f.graph.Ops[i].Inputs {
			if t == graph.NoTensor || made[t] || f.graph.Tensors[t].IsVariable {
				continue
			}
			if f.producer[t] >= 0 || !f.isConstantTensor(t) {
				inputs = append(inputs, t)
			}
		}
	}
	slices.Sort(inputs)
	return slices.Compact(inputs)
}

// checkState is an error when operators that share state stand in different
// segments: each segment has an interpreter, and so a state, of its own.
func (f *flow) checkState(segments []Segment) error {
	// All handles count as one state: which variable a handle stands for is
	// only known when it is run.
	const handles = -1
	holder := map[int]struct{ segment, op int }{}
	for s := range segments {
		for _, i := range segments[s].Ops {
			for _, t := range slices.Concat(f.graph.Ops[i].Inputs, f.graph.Ops[i].Outputs) {
				if !f.isState(t) {
					continue
				}
				state := handles
				if f.graph.Tensors[t].IsVariable {
					state = t
				}
				if h, taken := holder[state]; taken && h.segment != s {
					return fmt.Errorf("%w: %s in segment %d (%s) and %s in segment %d (%s); place them on one backend by a rule",
						ErrState, f.m.OpLabel(f.sub, h.op), h.segment, segments[h.segment].Backend,
						f.m.OpLabel(f.sub, i), s, segments[s].Backend)
				}
				holder[state] = struct{ segment, op int }{s, i}
			}
		}
	}
	return nil
}
