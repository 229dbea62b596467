package graph

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Errors that callers test for with errors.Is.
var (
	// ErrFormat: the bytes are not a TensorFlow Lite file, or a damaged one.
	ErrFormat = errors.New("not a readable TensorFlow Lite file")
	// ErrModel: the file can be read, but the model in it makes no sense.
	ErrModel = errors.New("the model is not valid")
	// ErrExtract: a set of operators cannot stand alone.
	ErrExtract = errors.New("operators cannot be cut out")
	// ErrOutOfReach: no memory for MarshalInPlace lies near enough below the file.
	ErrOutOfReach = errors.New("the model's file is out of reach")
	// ErrBuild: a Builder was given operands that do not go together.
	ErrBuild = errors.New("the model cannot be built")
)

// maxLabel bounds how much of a name from a file stands in an error.
const maxLabel = 80

// quoted makes a name from a file fit for one line of an error message.
func quoted(name string) string {
	if len(name) <= maxLabel {
		return strconv.Quote(name)
	}
	cut := maxLabel
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return strconv.Quote(name[:cut]) + "…"
}

// opName is the operator's name fit for one line of an error message: custom
// operators bring names of their own.
func opName(op *Op) string {
	name := op.Name()
	for _, r := range name {
		if !strconv.IsPrint(r) {
			return quoted(name)
		}
	}
	if len(name) > maxLabel {
		return quoted(name)
	}
	return name
}

// OpLabel names an operator for people, by its place and by its first output:
//
//	subgraph 0, op 12 (CONV_2D) → tensor "block1/conv"
func (m *Model) OpLabel(sub, op int) string {
	graph := &m.Subgraphs[sub]
	o := &graph.Ops[op]
	label := fmt.Sprintf("subgraph %d, op %d (%s)", sub, op, opName(o))
	for _, t := range o.Outputs {
		if t >= 0 && t < len(graph.Tensors) {
			return label + " → tensor " + quoted(graph.Tensors[t].Name)
		}
	}
	return label
}

// TensorLabel names a tensor for people:
//
//	subgraph 0, tensor 7 "block1/conv" (FLOAT32 [1 8 8 4])
func (m *Model) TensorLabel(sub, t int) string {
	x := &m.Subgraphs[sub].Tensors[t]
	return fmt.Sprintf("subgraph %d, tensor %d %s (%v %v)", sub, t, quoted(x.Name), x.Type, x.Shape)
}
