package graph

import (
	"fmt"
	"io"
	"os"
	"unsafe"

	"github.com/edsrzf/mmap-go"

	"nanoflux/graph/schema"
)

// schemaVersion is the only version of the file format that was ever in use.
const schemaVersion = 3

// maxFlatbuffer is how far the 32-bit offsets of the format reach; what lies
// behind it in a file can only be buffer data.
const maxFlatbuffer = 1<<31 - 1

// Open maps a .tflite file and reads it as Read does. The file must not change
// while the model is open: cutting it short then ends the program with a bus
// error, as with every mapped file. Close unmaps it.
func Open(path string) (*Model, error) {
	data, release, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	m, err := Read(data, path)
	if err != nil {
		if release != nil {
			_ = release() // the first error is the one to report
		}
		return nil, err
	}
	m.release = release
	return m, nil
}

// mapFile maps a whole file for reading. release is nil when there is nothing
// to unmap.
func mapFile(path string) (data []byte, release func() error, err error) {
	// Looked at before it is opened: opening a pipe waits for a writer.
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening model: %w", err)
	}
	switch {
	case info.IsDir():
		return nil, nil, fmt.Errorf("%s: %w: it is a folder; give a .tflite file", path, ErrFormat)
	case !info.Mode().IsRegular():
		return nil, nil, fmt.Errorf("%s: %w: it is not a regular file, so it cannot be mapped; copy it to one first", path, ErrFormat)
	case info.Size() == 0: // an empty file cannot be mapped
		return nil, nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("opening model: %w", err)
	}
	defer func() { _ = f.Close() }() // opened for reading only
	mapped, err := mmap.Map(f, mmap.RDONLY, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	return mapped, mapped.Unmap, nil
}

// Read makes a model of the bytes of a .tflite file, after the verifier and
// Check have passed it. name is for error messages.
//
// The model's buffers lie inside data, which must not change after that. Only
// a constant that lies misaligned for its element type, which no usual writer
// produces, is copied.
//
// Errors wrap ErrFormat (not a .tflite file, or a damaged one) or ErrModel (it
// fails Check). Memory use is bounded by a small multiple of len(data).
func Read(data []byte, name string) (*Model, error) {
	flat := data[:min(len(data), maxFlatbuffer)]
	if err := verify(flat); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	r := reader{file: data, root: schema.GetRootAsModel(flat, 0), copied: map[*byte][]byte{}}
	m, err := r.model()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	m.Name = name
	m.File = data
	if err := Check(m); err != nil {
		return nil, err
	}
	if err := r.align(m); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	return m, nil
}

// ReadFrom reads all of r and makes a model of it.
func ReadFrom(r io.Reader, name string) (*Model, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("reading model %s: %w", name, err)
	}
	return Read(data, name)
}

// reader turns verified flatbuffer tables into a Model.
type reader struct {
	file []byte // the whole file; root covers its first 2 GiB at most
	root *schema.Model
	// copied holds the aligned copy of a misaligned buffer by its first byte,
	// so that tables which share data share the copy.
	copied map[*byte][]byte
}

func (r *reader) model() (*Model, error) {
	if v := r.root.Version(); v != schemaVersion {
		return nil, fmt.Errorf("format version %d, only %d is known", v, schemaVersion)
	}
	m := &Model{Description: string(r.root.Description())}

	var err error
	if m.Buffers, err = r.buffers(); err != nil {
		return nil, err
	}
	codes := r.operatorCodes()
	m.Subgraphs = make([]Subgraph, r.root.SubgraphsLength())
	for i := range m.Subgraphs {
		var g schema.SubGraph
		r.root.Subgraphs(&g, i)
		if m.Subgraphs[i], err = r.subgraph(&g, codes); err != nil {
			return nil, fmt.Errorf("subgraph %d: %w", i, err)
		}
	}
	m.Metadata = make([]Metadata, r.root.MetadataLength())
	for i := range m.Metadata {
		var x schema.Metadata
		r.root.Metadata(&x, i)
		m.Metadata[i] = Metadata{Name: string(x.Name()), Buffer: int(x.Buffer())}
	}
	m.Signatures = make([]Signature, r.root.SignatureDefsLength())
	for i := range m.Signatures {
		var x schema.SignatureDef
		r.root.SignatureDefs(&x, i)
		m.Signatures[i] = signature(&x)
	}
	return m, nil
}

// buffers aliases every buffer's data, inside the flatbuffer or behind it.
func (r *reader) buffers() ([]Buffer, error) {
	buffers := make([]Buffer, r.root.BuffersLength())
	for i := range buffers {
		var b schema.Buffer
		r.root.Buffers(&b, i)
		data := b.DataBytes()
		// The format's own convention: an offset of 0 or 1 is a placeholder.
		if len(data) == 0 && b.Offset() > 1 && b.Size() > 0 {
			var err error
			if data, err = r.behind(b.Offset(), b.Size()); err != nil {
				return nil, fmt.Errorf("buffer %d: %w", i, err)
			}
		}
		if len(data) > 0 {
			buffers[i] = data[:len(data):len(data)]
		}
	}
	return buffers, nil
}

// behind returns size bytes of the file from offset on: data that is too much
// for the flatbuffer is stored behind it.
func (r *reader) behind(offset, size uint64) ([]byte, error) {
	n := uint64(len(r.file))
	if offset > n || size > n-offset {
		return nil, fmt.Errorf("bytes %d to %d+%d are outside the file of %d bytes; the file may be cut short", offset, offset, size, n)
	}
	return r.file[offset : offset+size : offset+size], nil
}

// operatorCode is one entry of the model's table of operators in use.
type operatorCode struct {
	code    OpCode
	custom  string
	version int
}

func (r *reader) operatorCodes() []operatorCode {
	codes := make([]operatorCode, r.root.OperatorCodesLength())
	for i := range codes {
		var c schema.OperatorCode
		r.root.OperatorCodes(&c, i)
		// Files from before the format had more than 127 operators have
		// only the one-byte field; newer ones have both, the larger counts.
		code := max(c.BuiltinCode(), OpCode(c.DeprecatedBuiltinCode()))
		codes[i] = operatorCode{code: code, custom: string(c.CustomCode()), version: int(c.Version())}
	}
	return codes
}

func (r *reader) subgraph(g *schema.SubGraph, codes []operatorCode) (Subgraph, error) {
	out := Subgraph{
		Name:    string(g.Name()),
		Tensors: make([]Tensor, g.TensorsLength()),
		Inputs:  ints(g.InputsLength(), g.Inputs),
		Outputs: ints(g.OutputsLength(), g.Outputs),
		Ops:     make([]Op, g.OperatorsLength()),
	}
	for i := range out.Tensors {
		var t schema.Tensor
		g.Tensors(&t, i)
		if kind := unknownQuantization(&t); kind != 0 {
			return out, fmt.Errorf("tensor %d %s: quantization of kind %d is newer than this program", i, quoted(string(t.Name())), kind)
		}
		out.Tensors[i] = tensor(&t)
	}
	for i := range out.Ops {
		var o schema.Operator
		g.Operators(&o, i)
		if int64(o.OpcodeIndex()) >= int64(len(codes)) {
			return out, fmt.Errorf("op %d: operator code %d of %d", i, o.OpcodeIndex(), len(codes))
		}
		op, err := r.op(&o, codes[o.OpcodeIndex()])
		if err != nil {
			return out, fmt.Errorf("op %d (%s): %w", i, opName(&op), err)
		}
		out.Ops[i] = op
	}
	return out, nil
}

func (r *reader) op(o *schema.Operator, code operatorCode) (Op, error) {
	op := Op{
		Code:          code.code,
		CustomCode:    code.custom,
		Version:       code.version,
		Inputs:        ints(o.InputsLength(), o.Inputs),
		Outputs:       ints(o.OutputsLength(), o.Outputs),
		Intermediates: ints(o.IntermediatesLength(), o.Intermediates),
		CustomOptions: o.CustomOptionsBytes(),
	}
	if n := o.MutatingVariableInputsLength(); n > 0 {
		op.MutatingVariableInputs = make([]bool, n)
		for i := range op.MutatingVariableInputs {
			op.MutatingVariableInputs[i] = o.MutatingVariableInputs(i)
		}
	}
	var err error
	if len(op.CustomOptions) == 0 {
		op.CustomOptions = nil
		if o.LargeCustomOptionsOffset() > 1 && o.LargeCustomOptionsSize() > 0 {
			op.CustomOptions, err = r.behind(o.LargeCustomOptionsOffset(), o.LargeCustomOptionsSize())
			if err != nil {
				return op, fmt.Errorf("custom options: %w", err)
			}
		}
	}
	op.Options, err = options(o)
	return op, err
}

func tensor(t *schema.Tensor) Tensor {
	out := Tensor{
		Name:       string(t.Name()),
		Type:       t.Type(),
		Shape:      ints(t.ShapeLength(), t.Shape),
		Buffer:     int(t.Buffer()),
		IsVariable: t.IsVariable(),
		HasRank:    t.HasRank(),
	}
	if n := t.ShapeSignatureLength(); n > 0 {
		out.ShapeSignature = ints(n, t.ShapeSignature)
	}
	if q := t.Quantization(nil); q != nil {
		out.Quantization = quantization(q)
	}
	if s := t.Sparsity(nil); s != nil {
		out.Sparsity = s.UnPack()
	}
	for i := range t.VariantTensorsLength() {
		var v schema.VariantSubType
		t.VariantTensors(&v, i)
		out.VariantTensors = append(out.VariantTensors, v.UnPack())
	}
	return out
}

// unknownQuantization is the kind of a quantization that the schema does not
// know, 0 when it does.
func unknownQuantization(t *schema.Tensor) schema.QuantizationDetails {
	if q := t.Quantization(nil); q != nil {
		if _, known := schema.EnumNamesQuantizationDetails[q.DetailsType()]; !known {
			return q.DetailsType()
		}
	}
	return 0
}

// quantization is nil when the table says nothing, as converters write it for
// float tensors.
func quantization(q *schema.QuantizationParameters) *Quantization {
	x := q.UnPack()
	if len(x.Scale)+len(x.ZeroPoint)+len(x.Min)+len(x.Max) == 0 && x.Details == nil {
		return nil
	}
	return &Quantization{
		Scale:     nilIfEmpty(x.Scale),
		ZeroPoint: nilIfEmpty(x.ZeroPoint),
		Dimension: int(x.QuantizedDimension),
		Min:       nilIfEmpty(x.Min),
		Max:       nilIfEmpty(x.Max),
		Details:   x.Details,
	}
}

func signature(x *schema.SignatureDef) Signature {
	out := Signature{Key: string(x.SignatureKey()), Subgraph: int(x.SubgraphIndex())}
	var t schema.TensorMap
	for i := range x.InputsLength() {
		x.Inputs(&t, i)
		out.Inputs = append(out.Inputs, NamedTensor{Name: string(t.Name()), Tensor: int(t.TensorIndex())})
	}
	for i := range x.OutputsLength() {
		x.Outputs(&t, i)
		out.Outputs = append(out.Outputs, NamedTensor{Name: string(t.Name()), Tensor: int(t.TensorIndex())})
	}
	return out
}

// align copies the constants that do not lie where their element type must
// lie, so that View may be used on every constant. The copies together are no
// larger than the file: files whose buffers overlap to get past that are
// refused.
func (r *reader) align(m *Model) error {
	left := len(r.file)
	for s := range m.Subgraphs {
		for t := range m.Subgraphs[s].Tensors {
			x := &m.Subgraphs[s].Tensors[t]
			b := m.Buffers[x.Buffer]
			if len(b) == 0 || uintptr(unsafe.Pointer(&b[0]))%alignmentOf(x.Type) == 0 {
				continue
			}
			aligned, done := r.copied[&b[0]]
			if !done || len(aligned) < len(b) {
				if left -= len(b); left < 0 {
					return fmt.Errorf("%s: misaligned buffers overlap", m.TensorLabel(s, t))
				}
				aligned = AlignedBytes(len(b))
				copy(aligned, b)
				r.copied[&b[0]] = aligned
			}
			m.Buffers[x.Buffer] = aligned[:len(b):len(b)]
		}
	}
	return nil
}

// alignmentOf is what View needs for data of type t. Strings are offsets of
// four bytes, then bytes.
func alignmentOf(t TensorType) uintptr {
	if t == String {
		return 4
	}
	return uintptr(min(8, max(1, ElementBits(t)/8)))
}

// ints collects a vector of the format as ints; empty and absent vectors are
// both nil.
func ints(n int, at func(int) int32) []int {
	if n == 0 {
		return nil
	}
	out := make([]int, n)
	for i := range out {
		out[i] = int(at(i))
	}
	return out
}

func nilIfEmpty[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}
