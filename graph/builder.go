package graph

import (
	"fmt"
	"slices"
	"strings"

	"nanoflux/graph/schema"
)

// T is a tensor of the model that a Builder is making: the index of the tensor
// in its subgraph.
type T int

// None stands where an operator's optional tensor (a bias) is left out.
const None T = NoTensor

// failed is what an operator gives after an error; it spreads in silence, and
// Model returns the first error.
const failed T = -2

// Activation is a function fused into an operator's output.
type Activation = schema.ActivationFunctionType

// The fused activations under short names.
const (
	ActNone      = schema.ActivationFunctionTypeNONE
	ActRelu      = schema.ActivationFunctionTypeRELU
	ActRelu6     = schema.ActivationFunctionTypeRELU6
	ActReluN1To1 = schema.ActivationFunctionTypeRELU_N1_TO_1
	ActTanh      = schema.ActivationFunctionTypeTANH
)

// Padding is how a convolution or pooling treats the border.
type Padding = schema.Padding

// The paddings under short names.
const (
	Same  = schema.PaddingSAME
	Valid = schema.PaddingVALID
)

// Builder makes a model of one subgraph, operator by operator. It works out
// shapes and operator versions, and checks that operands go together.
//
// No method returns an error: the first one is kept, names the operator, and
// is returned by Model. A Builder is for one goroutine and one model.
type Builder struct {
	m      Model
	err    error
	scope  []string
	names  map[string]int // how often a name was given
	inputs map[T]string
	out    []NamedTensor
}

// NewBuilder starts a model; name becomes Model.Name and the description.
func NewBuilder(name string) *Builder {
	return &Builder{
		m: Model{
			Name:        name,
			Description: name,
			Subgraphs:   []Subgraph{{Name: "main"}},
			Buffers:     []Buffer{nil},
		},
		names:  map[string]int{},
		inputs: map[T]string{},
	}
}

// Scope puts name + "/" before the names of all tensors that body makes, so
// that profiles can find them by pattern. Scopes nest.
func (b *Builder) Scope(name string, body func()) {
	b.scope = append(b.scope, name)
	defer func() { b.scope = b.scope[:len(b.scope)-1] }()
	body()
}

// Input adds an input of the model. A dimension of -1 may be resized by the
// caller; its size is 1 until then. Input names do not get the scope.
func (b *Builder) Input(name string, t TensorType, shape ...int) T {
	return b.QuantizedInput(name, t, nil, shape...)
}

// QuantizedInput is Input with the quantization of integer data.
func (b *Builder) QuantizedInput(name string, t TensorType, q *Quantization, shape ...int) T {
	x := Tensor{Name: name, Type: t, Shape: slices.Clone(shape), Quantization: q, HasRank: len(shape) == 0}
	for i, d := range shape {
		if d == -1 {
			x.ShapeSignature = slices.Clone(shape)
			x.Shape[i] = 1
		}
	}
	if !b.usable("input "+quoted(name), &x) {
		return failed
	}
	b.names[name]++
	id := b.add(x)
	g := b.graph()
	g.Inputs = append(g.Inputs, int(id))
	b.inputs[id] = name
	return id
}

// Const adds a constant; a's data is kept, not copied, and must not change.
func (b *Builder) Const(name string, a Array) T {
	return b.QuantizedConst(name, a, nil)
}

// QuantizedConst is Const with the quantization of integer data.
func (b *Builder) QuantizedConst(name string, a Array, q *Quantization) T {
	x := Tensor{Name: b.scoped(name), Type: a.Type, Shape: slices.Clone(a.Shape), Quantization: q}
	if !b.usable("constant "+quoted(name), &x) {
		return failed
	}
	if want, _ := ByteSize(a.Type, a.Shape); want != len(a.Data) {
		b.fail("constant %s: %d bytes of data, %v %v needs %d", quoted(name), len(a.Data), a.Type, a.Shape, want)
		return failed
	}
	if len(a.Data) == 0 {
		b.fail("constant %s is empty", quoted(name))
		return failed
	}
	b.m.Buffers = append(b.m.Buffers, a.Data)
	x.Buffer = len(b.m.Buffers) - 1
	return b.add(x)
}

// ConstOf is Const with values of a Go type. Its shape is [len(values)] when
// none is given.
func ConstOf[E float32 | float64 | int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64 | bool](b *Builder, name string, values []E, shape ...int) T {
	if shape == nil {
		shape = []int{len(values)}
	}
	return b.Const(name, Array{Type: typeOf[E](), Shape: shape, Data: Bytes(values)})
}

func typeOf[E any]() TensorType {
	switch any(*new(E)).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int8:
		return Int8
	case uint8:
		return Uint8
	case int16:
		return Int16
	case uint16:
		return Uint16
	case int32:
		return Int32
	case uint32:
		return Uint32
	case int64:
		return Int64
	case uint64:
		return Uint64
	}
	return Bool
}

// Scalar is a float32 constant of rank 0.
func (b *Builder) Scalar(name string, value float32) T {
	return b.Const(name, Array{Type: Float32, Data: Bytes([]float32{value})})
}

// Output makes x an output of the model and gives it its name (inputs and
// constants keep theirs; the signature has both).
func (b *Builder) Output(name string, x T) {
	if b.err != nil || !b.valid("output "+quoted(name), x) {
		return
	}
	g := b.graph()
	if slices.Contains(g.Outputs, int(x)) {
		b.fail("output %s: tensor %s is an output already", quoted(name), quoted(g.Tensors[x].Name))
		return
	}
	if _, isInput := b.inputs[x]; !isInput && g.Tensors[x].Buffer == 0 {
		g.Tensors[x].Name = name
	}
	g.Outputs = append(g.Outputs, int(x))
	b.out = append(b.out, NamedTensor{Name: name, Tensor: int(x)})
}

// Named gives x another name, under the scope, and returns x.
func (b *Builder) Named(x T, name string) T {
	if b.err == nil && b.valid("name "+quoted(name), x) {
		b.graph().Tensors[x].Name = b.scoped(name)
	}
	return x
}

// Quantized sets the quantization of x, which must be the output of an
// operator, and returns x. Without it an integer output takes over that of
// the operator's first data input.
func (b *Builder) Quantized(x T, scale float32, zeroPoint int64) T {
	if b.err == nil && b.valid("quantization", x) {
		b.graph().Tensors[x].Quantization = &Quantization{Scale: []float32{scale}, ZeroPoint: []int64{zeroPoint}}
	}
	return x
}

// Shape is the shape of x; nil after an error. It must not be written to.
func (b *Builder) Shape(x T) []int {
	if t := b.tensor(x); t != nil {
		return t.Shape
	}
	return nil
}

// Type is the element type of x.
func (b *Builder) Type(x T) TensorType {
	if t := b.tensor(x); t != nil {
		return t.Type
	}
	return noType
}

// Err is the first error so far.
func (b *Builder) Err() error { return b.err }

// Model finishes and checks the model. The error is the first that any method
// met and wraps ErrBuild, or what Check finds. The builder must not be used
// after it.
func (b *Builder) Model() (*Model, error) {
	if b.err == nil && len(b.out) == 0 {
		b.fail("it has no output")
	}
	if b.err != nil {
		return nil, b.err
	}
	g := b.graph()
	for i := range g.Ops {
		if op := &g.Ops[i]; op.Version == 0 {
			op.Version = opVersion(op.Code, g.operands(op))
		}
	}
	signature := Signature{Key: "serving_default", Outputs: b.out}
	for _, i := range g.Inputs {
		signature.Inputs = append(signature.Inputs, NamedTensor{Name: b.inputs[T(i)], Tensor: i})
	}
	b.m.Signatures = []Signature{signature}
	if err := Check(&b.m); err != nil {
		return nil, err
	}
	m := b.m
	return &m, nil
}

// Op adds any operator: the methods below are for those that need shapes
// worked out. version 0 stands for the lowest that covers the operands.
// options is one of the schema package's XxxOptionsT pointers, or nil. outs
// give name ("" for one made of the operator's), type, shape and quantization
// of each output.
func (b *Builder) Op(code OpCode, version int, options any, inputs []T, outs ...Tensor) []T {
	return b.op(Op{Code: code, Version: version, Options: options}, inputs, outs)
}

// CustomOp is Op for a custom operator.
func (b *Builder) CustomOp(name string, version int, options []byte, inputs []T, outs ...Tensor) []T {
	return b.op(Op{Code: schema.BuiltinOperatorCUSTOM, CustomCode: name, Version: version, CustomOptions: options}, inputs, outs)
}

func (b *Builder) op(op Op, inputs []T, outs []Tensor) []T {
	ids := make([]T, len(outs))
	for i := range ids {
		ids[i] = failed
	}
	if b.err != nil {
		return ids
	}
	name := opName(&op)
	for _, x := range inputs {
		if x != None && !b.valid(name, x) {
			return ids
		}
		op.Inputs = append(op.Inputs, int(x))
	}
	for i := range outs {
		out := outs[i]
		out.Buffer = 0
		out.Shape = slices.Clone(out.Shape)
		if out.Name == "" {
			out.Name = strings.ToLower(op.Name())
		}
		out.Name = b.scoped(out.Name)
		if !b.usable(name, &out) {
			return ids
		}
		outs[i] = out
	}
	for i, out := range outs {
		ids[i] = b.add(out)
		op.Outputs = append(op.Outputs, int(ids[i]))
	}
	g := b.graph()
	g.Ops = append(g.Ops, op)
	return ids
}

// one adds an operator with one output of the given type and shape. The
// quantization of integer data is taken over from the first input that has
// one, until Quantized sets another.
func (b *Builder) one(code OpCode, options any, inputs []T, t TensorType, shape []int) T {
	return b.many(code, options, inputs, t, shape)[0]
}

// many is one with an output for each shape.
func (b *Builder) many(code OpCode, options any, inputs []T, t TensorType, shapes ...[]int) []T {
	outs := make([]Tensor, len(shapes))
	for i, shape := range shapes {
		outs[i] = Tensor{Type: t, Shape: shape, Quantization: b.inherited(inputs, t)}
	}
	return b.Op(code, 0, options, inputs, outs...)
}

// inherited is the per-tensor quantization of the first input of type t.
func (b *Builder) inherited(inputs []T, t TensorType) *Quantization {
	for _, x := range inputs {
		in := b.tensor(x)
		if in != nil && in.Type == t && in.Quantization != nil && len(in.Quantization.Scale) == 1 {
			return in.Quantization
		}
	}
	return nil
}

func (b *Builder) graph() *Subgraph { return &b.m.Subgraphs[0] }

// tensor is nil for None and after errors. The pointer is good until the next
// tensor is added.
func (b *Builder) tensor(x T) *Tensor {
	if x < 0 || int(x) >= len(b.graph().Tensors) {
		return nil
	}
	return &b.graph().Tensors[x]
}

func (b *Builder) add(t Tensor) T {
	g := b.graph()
	g.Tensors = append(g.Tensors, t)
	return T(len(g.Tensors) - 1)
}

// scoped is name under the scope, with a number when it was given before.
func (b *Builder) scoped(name string) string {
	full := strings.Join(append(slices.Clone(b.scope), name), "/")
	b.names[full]++
	if n := b.names[full]; n > 1 {
		return fmt.Sprintf("%s_%d", full, n-1)
	}
	return full
}

// usable reports whether nothing failed so far and t's shape is in order.
func (b *Builder) usable(what string, t *Tensor) bool {
	if b.err != nil {
		return false
	}
	if ElementBits(t.Type) == 0 {
		if _, err := Elements(t.Shape); err != nil {
			b.fail("%s: %v", what, err)
		}
		return b.err == nil
	}
	if _, err := ByteSize(t.Type, t.Shape); err != nil {
		b.fail("%s: %v", what, err)
	}
	return b.err == nil
}

// valid reports whether x is a tensor of this builder.
func (b *Builder) valid(what string, x T) bool {
	if b.tensor(x) == nil {
		b.fail("%s: operand %d is not a tensor of this model", what, x)
		return false
	}
	return true
}

// fail keeps the first error.
func (b *Builder) fail(format string, args ...any) {
	if b.err == nil {
		place := ""
		if len(b.scope) > 0 {
			place = strings.Join(b.scope, "/") + ": "
		}
		b.err = fmt.Errorf("%s: %w: %s%s", b.m.Name, ErrBuild, place, fmt.Sprintf(format, args...))
	}
}

// operands collects what opVersion looks at.
func (g *Subgraph) operands(op *Op) *operands {
	o := &operands{options: op.Options}
	pick := func(ids []int) []*Tensor {
		out := make([]*Tensor, len(ids))
		for i, t := range ids {
			if t >= 0 {
				out[i] = &g.Tensors[t]
			}
		}
		return out
	}
	o.in, o.out = pick(op.Inputs), pick(op.Outputs)
	return o
}
