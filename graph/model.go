// Package graph holds a TensorFlow Lite model as Go values: it reads a file
// (mapped, weights never copied), checks it at the door, builds, cuts and
// writes models.
//
// It is the lowest floor of the program. It knows the file format and nothing
// of who runs a model, or where.
package graph

import (
	"nanoflux/graph/schema"
)

// TensorType is the element type of a tensor, with the file format's numbers.
type TensorType = schema.TensorType

// The element types under short names.
const (
	Float32  = schema.TensorTypeFLOAT32
	Float16  = schema.TensorTypeFLOAT16
	BFloat16 = schema.TensorTypeBFLOAT16
	Float64  = schema.TensorTypeFLOAT64
	Int4     = schema.TensorTypeINT4
	Int8     = schema.TensorTypeINT8
	Uint8    = schema.TensorTypeUINT8
	Int16    = schema.TensorTypeINT16
	Uint16   = schema.TensorTypeUINT16
	Int32    = schema.TensorTypeINT32
	Uint32   = schema.TensorTypeUINT32
	Int64    = schema.TensorTypeINT64
	Uint64   = schema.TensorTypeUINT64
	Bool     = schema.TensorTypeBOOL
	String   = schema.TensorTypeSTRING

	complex64Type  = schema.TensorTypeCOMPLEX64
	complex128Type = schema.TensorTypeCOMPLEX128
	resourceType   = schema.TensorTypeRESOURCE
	variantType    = schema.TensorTypeVARIANT
)

// OpCode names an operator; OpCustom ones are named by Op.CustomCode.
type OpCode = schema.BuiltinOperator

// NoTensor stands where an operator leaves an optional input or output out.
const NoTensor = -1

// Model is one TensorFlow Lite model. Indices, not pointers, tie its parts:
// an Op names tensors of its subgraph, a Tensor names a buffer of the model.
//
// A Model that came from Open or Read has passed Check, and every index in it
// is in range. It is not changed after that: passes that rewrite a model make
// a new one, which shares the buffers.
type Model struct {
	// Name is where the model came from (a path, or "bundle.zip/denoiser"),
	// for error messages.
	Name        string
	Description string
	Subgraphs   []Subgraph
	Buffers     []Buffer
	Metadata    []Metadata
	Signatures  []Signature

	// File is the whole file that Buffers lie in, or nil. A model that was made
	// from another one shares it when it shares buffers; MarshalInPlace needs it.
	File []byte

	// release unmaps the file behind Buffers; nil when there is none.
	release func() error
}

// Buffer is constant data: bytes inside the mapped file, or inside memory that
// the builder was given. Empty for tensors that are computed. It must not be
// written to. Buffers[0] is empty, by the format's convention.
type Buffer []byte

// Metadata is a named piece of data of the model's maker.
type Metadata struct {
	Name   string
	Buffer int
}

// Signature names the inputs and outputs of a subgraph for callers.
type Signature struct {
	Key             string
	Subgraph        int
	Inputs, Outputs []NamedTensor
}

// NamedTensor is one name of a Signature and the tensor it stands for.
type NamedTensor struct {
	Name   string
	Tensor int
}

// Subgraph is a list of operators in an order in which they can run, and the
// tensors between them.
type Subgraph struct {
	Name            string
	Tensors         []Tensor
	Inputs, Outputs []int
	Ops             []Op
}

// Tensor describes one tensor; its bytes, when it is constant, are in
// Model.Buffers[Buffer].
type Tensor struct {
	Name string
	Type TensorType
	// Shape is the size of each dimension, outermost first; empty for a
	// scalar. Where ShapeSignature has -1, Shape holds the size (mostly 1)
	// that the file was written with.
	Shape []int
	// ShapeSignature is nil, or Shape with -1 for dimensions that the caller
	// may resize.
	ShapeSignature []int
	Buffer         int
	Quantization   *Quantization
	// IsVariable marks state that outlives a run.
	IsVariable bool
	// HasRank is the file's flag of that name: false with an empty Shape may
	// mean an unknown rank.
	HasRank bool
	// Sparsity is nil for a dense tensor.
	Sparsity *schema.SparsityParametersT
	// VariantTensors describes what a tensor of type VARIANT holds.
	VariantTensors []*schema.VariantSubTypeT
}

// Quantization maps integers to reals: real = Scale[c] · (integer − ZeroPoint[c]),
// with c the index along Dimension when there is more than one scale.
type Quantization struct {
	Scale     []float32
	ZeroPoint []int64
	// Dimension is the dimension that Scale runs along when len(Scale) > 1.
	Dimension int
	// Min and Max are what the converter saw in calibration; informative.
	Min, Max []float32
	// Details is nil for affine quantization, and the format's union of
	// other schemes (blockwise, custom) otherwise.
	Details *schema.QuantizationDetailsT
}

// Op is one operator of a subgraph.
type Op struct {
	Code OpCode
	// CustomCode is the operator's name when Code is CUSTOM.
	CustomCode string
	// Version is the operator's version in the file (≥ 1).
	Version int
	// Inputs and Outputs index Subgraph.Tensors; NoTensor where an optional
	// one is left out.
	Inputs, Outputs []int
	// Intermediates are scratch tensors that carry quantization parameters
	// (LSTM).
	Intermediates []int
	// Options is one of the schema package's XxxOptionsT pointers, or nil.
	Options any
	// CustomOptions belongs to a custom operator.
	CustomOptions          []byte
	MutatingVariableInputs []bool
}

// Name is the operator's name as the format spells it ("CONV_2D"), or the
// custom operator's own.
func (op *Op) Name() string {
	if op.Code == schema.BuiltinOperatorCUSTOM {
		return op.CustomCode
	}
	return op.Code.String()
}

// IsConstant reports whether tensor t of subgraph sub has its value in the
// file. Index NoTensor is not constant.
func (m *Model) IsConstant(sub, t int) bool {
	if t == NoTensor {
		return false
	}
	x := &m.Subgraphs[sub].Tensors[t]
	return !x.IsVariable && len(m.Buffers[x.Buffer]) > 0
}

// Constant returns the value of tensor t of subgraph sub. Its Data lies inside
// the model's buffer and must not be written to. ok is false when the tensor
// is not constant.
func (m *Model) Constant(sub, t int) (a Array, ok bool) {
	if !m.IsConstant(sub, t) {
		return Array{}, false
	}
	x := &m.Subgraphs[sub].Tensors[t]
	return Array{Type: x.Type, Shape: x.Shape, Data: m.Buffers[x.Buffer]}, true
}

// Close unmaps the file. Nothing taken from the model may be used after it.
// Closing twice, or a model without a file, does nothing.
func (m *Model) Close() error {
	if m.release == nil {
		return nil
	}
	release := m.release
	m.release = nil
	return release()
}

// Compiled reports whether op stands for a part of a model that was compiled
// for one NPU. Its machine code lies in the model's file outside of what a
// Model holds.
func (op *Op) Compiled() bool {
	return op.Code == schema.BuiltinOperatorCUSTOM && op.CustomCode == "DISPATCH_OP"
}
