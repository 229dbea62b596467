//go:build tflite

package litert

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// sized is a segment whose inputs may have any size, of which the NPU's code has
// one. Other sizes run on the CPU.
type sized struct {
	npu    *executable
	inputs []graph.Tensor
	// otherwise makes what runs other sizes, when it is needed.
	otherwise func() (*executable, error)

	mutex  sync.Mutex
	cpu    *executable
	closed bool
}

// Run implements delegate.Executable.
func (s *sized) Run(ctx context.Context, inputs, outputs []graph.Array) error {
	same := len(inputs) == len(s.inputs)
	for i := range inputs {
		same = same && slices.Equal(inputs[i].Shape, s.inputs[i].Shape)
	}
	if same || len(inputs) != len(s.inputs) {
		return s.npu.Run(ctx, inputs, outputs)
	}
	for i := range inputs {
		if err := delegate.CheckInput(&s.inputs[i], inputs[i]); err != nil {
			return fmt.Errorf("litert: input %d (%q): %w", i, s.inputs[i].Name, err)
		}
	}
	cpu, err := s.onCPU()
	if err != nil {
		return fmt.Errorf("litert: %w", err)
	}
	return cpu.Run(ctx, inputs, outputs)
}

func (s *sized) onCPU() (*executable, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.closed {
		return nil, delegate.ErrClosed
	}
	if s.cpu == nil {
		e, err := s.otherwise()
		if err != nil {
			return nil, err
		}
		s.cpu = e
	}
	return s.cpu, nil
}

// Close implements delegate.Executable.
func (s *sized) Close() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.closed = true
	if s.cpu != nil {
		_ = s.cpu.Close() // gives no errors
	}
	return s.npu.Close()
}

// inputsOf are the tensors of a subgraph's inputs.
func inputsOf(g *graph.Subgraph) []graph.Tensor {
	list := make([]graph.Tensor, len(g.Inputs))
	for i, t := range g.Inputs {
		list[i] = g.Tensors[t]
	}
	return list
}

// resizable says whether an input may have any size.
func resizable(g *graph.Subgraph) bool {
	return slices.ContainsFunc(inputsOf(g), func(t graph.Tensor) bool { return slices.Contains(t.ShapeSignature, -1) })
}

// computedSize refuses operators whose results have a size that is only known when
// they have run: LiteRT wants memory for outputs before, and an NPU's code has the
// sizes in it. Sizes that follow from those of the inputs are no such.
func computedSize(m *graph.Model, sub int, op *graph.Op) *delegate.Refusal {
	g := &m.Subgraphs[sub]
	dynamic := func(t int) bool {
		return t != graph.NoTensor && slices.Contains(g.Tensors[t].ShapeSignature, -1)
	}
	if !slices.ContainsFunc(op.Outputs, dynamic) {
		return nil
	}
	for i, t := range op.Inputs {
		if t == graph.NoTensor || m.IsConstant(sub, t) {
			continue
		}
		// A computed input that says what size to make, and not what to make it of.
		size := i > 0 && (g.Tensors[t].Type == graph.Int32 || g.Tensors[t].Type == graph.Int64) && !slices.Contains(takesIndices, op.Code)
		if size || slices.Contains(makesSizes, op.Code) {
			return delegate.Refuse(delegate.ReasonDynamic, "%s computes the size of its result, which LiteRT must know before", op.Name())
		}
	}
	return nil
}

var (
	// makesSizes are operators whose result's size depends on what is in any input.
	makesSizes = []graph.OpCode{
		schema.BuiltinOperatorWHERE, schema.BuiltinOperatorRANGE, schema.BuiltinOperatorUNIQUE, schema.BuiltinOperatorFILL,
		schema.BuiltinOperatorNON_MAX_SUPPRESSION_V4, schema.BuiltinOperatorNON_MAX_SUPPRESSION_V5, schema.BuiltinOperatorSPARSE_TO_DENSE,
	}
	// takesIndices are operators whose later inputs may be computed integers that
	// are data: with them the size follows from the inputs' sizes.
	takesIndices = []graph.OpCode{
		schema.BuiltinOperatorGATHER, schema.BuiltinOperatorGATHER_ND, schema.BuiltinOperatorEMBEDDING_LOOKUP,
		schema.BuiltinOperatorADD, schema.BuiltinOperatorSUB, schema.BuiltinOperatorMUL, schema.BuiltinOperatorDIV,
		schema.BuiltinOperatorCONCATENATION, schema.BuiltinOperatorSELECT, schema.BuiltinOperatorSELECT_V2,
		schema.BuiltinOperatorMINIMUM, schema.BuiltinOperatorMAXIMUM, schema.BuiltinOperatorPACK,
		schema.BuiltinOperatorEQUAL, schema.BuiltinOperatorNOT_EQUAL, schema.BuiltinOperatorLESS, schema.BuiltinOperatorLESS_EQUAL,
		schema.BuiltinOperatorGREATER, schema.BuiltinOperatorGREATER_EQUAL,
	}
)
