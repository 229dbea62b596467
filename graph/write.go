package graph

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	flatbuffers "github.com/google/flatbuffers/go"

	"nanoflux/graph/schema"
)

// Marshal is Write into memory.
func Marshal(m *Model) ([]byte, error) {
	f, err := layOutChecked(m)
	if err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(AlignedBytes(int(f.size))[:0])
	if err := f.write(out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Write writes m as a .tflite file. The same model always gives the same
// bytes. Constant data is passed to w as it is, without a copy, and lies at
// multiples of 16 bytes in the file.
//
// Write checks nothing but what it needs: a model that fails Check may be
// written, and then not be read again. A model with operators that were
// compiled for one NPU is refused: their code lies in the file that the model
// came from, at places that only its vendor's runtime knows.
func Write(w io.Writer, m *Model) error {
	f, err := layOutChecked(m)
	if err != nil {
		return err
	}
	return f.write(w)
}

const (
	// dataAlignment is what the format asks of constant data.
	dataAlignment = 16
	// largeBuffer: smaller constants stay in the flatbuffer of a large file.
	// The runtime takes a size of 0 or 1 behind it for a placeholder.
	largeBuffer = 1024
	// maxInline is well below where the flatbuffer builder panics.
	maxInline = 1 << 29
)

// layout is a .tflite file before it is written: the flatbuffer without
// constant data, and where which data goes behind it.
//
// Offsets in a flatbuffer point forward, so the data vectors may come after
// everything else; the tables that point at them are patched once their
// places are known. In a file too large for 32-bit offsets the data of large
// buffers lies behind the flatbuffer, found by 64-bit offsets.
type layout struct {
	head   []byte
	blocks []block
	size   int64
}

// block is one buffer's data in the file.
type block struct {
	data Buffer
	// at is where the data begins, a multiple of dataAlignment.
	at int64
	// vector: the four bytes before the data hold its length.
	vector bool
}

// slots is where in the finished flatbuffer the fields of a Buffer table are
// that say where its data is, as distances from the flatbuffer's end.
type slots struct {
	vector       flatbuffers.UOffsetT // 0: data behind the flatbuffer
	offset, size flatbuffers.UOffsetT
}

// layOutChecked refuses what would come out of a file broken.
func layOutChecked(m *Model) (*layout, error) {
	for s := range m.Subgraphs {
		for o := range m.Subgraphs[s].Ops {
			if m.Subgraphs[s].Ops[o].Compiled() {
				return nil, fmt.Errorf("writing %s: %s: it was compiled for one NPU, and its code would be lost", m.Name, m.OpLabel(s, o))
			}
		}
	}
	return layOut(m, maxFlatbuffer)
}

// layOut packs everything but the data. A file that would be larger than limit
// gets its large buffers behind the flatbuffer.
func layOut(m *Model, limit int64) (*layout, error) {
	f, err := layOutAs(m, false)
	if err == nil && f.size > limit {
		f, err = layOutAs(m, true)
	}
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", m.Name, err)
	}
	if f.size > math.MaxInt-dataAlignment {
		return nil, fmt.Errorf("writing %s: %d bytes are too many for this platform", m.Name, f.size)
	}
	return f, nil
}

func layOutAs(m *Model, large bool) (*layout, error) {
	var inline int64
	for s := range m.Subgraphs {
		for o := range m.Subgraphs[s].Ops {
			inline += int64(len(m.Subgraphs[s].Ops[o].CustomOptions))
		}
	}
	if inline > maxInline {
		return nil, fmt.Errorf("custom options of %d bytes are too many for one file", inline)
	}
	p := packer{Builder: flatbuffers.NewBuilder(4096), large: large, codes: map[operatorCode]uint32{}}
	root, err := p.model(m)
	if err != nil {
		return nil, err
	}
	p.FinishWithFileIdentifier(root, []byte(identifier))
	f := &layout{head: p.FinishedBytes()}
	f.size = int64(len(f.head))
	// Vectors first: they must lie within reach of 32-bit offsets.
	for _, vectors := range []bool{true, false} {
		for i, s := range p.slots {
			if data := m.Buffers[i]; len(data) > 0 && (s.vector != 0) == vectors {
				f.place(data, s)
			}
		}
		if vectors && large && f.size > maxFlatbuffer {
			return nil, errors.New("the model's structure alone is larger than 2 GiB")
		}
	}
	return f, nil
}

// place puts data behind what is there and patches its Buffer table.
func (f *layout) place(data Buffer, s slots) {
	b := block{data: data, vector: s.vector != 0}
	b.at = f.size
	if b.vector {
		b.at += flatbuffers.SizeUint32
	}
	b.at = (b.at + dataAlignment - 1) &^ (dataAlignment - 1)
	f.size = b.at + int64(len(data))
	f.blocks = append(f.blocks, b)

	end := int64(len(f.head))
	if b.vector {
		slot := end - int64(s.vector)
		// An offset counts from where it stands. One that does not fit is
		// never written: the file is then laid out again as a large one.
		binary.LittleEndian.PutUint32(f.head[slot:], uint32(b.at-flatbuffers.SizeUint32-slot))
		return
	}
	binary.LittleEndian.PutUint64(f.head[end-int64(s.offset):], uint64(b.at))
	binary.LittleEndian.PutUint64(f.head[end-int64(s.size):], uint64(len(data)))
}

func (f *layout) write(w io.Writer) error {
	if _, err := w.Write(f.head); err != nil {
		return fmt.Errorf("writing model: %w", err)
	}
	at := int64(len(f.head))
	var gap [dataAlignment + flatbuffers.SizeUint32]byte
	for _, b := range f.blocks {
		before := gap[:b.at-at]
		clear(before)
		if b.vector {
			binary.LittleEndian.PutUint32(before[len(before)-flatbuffers.SizeUint32:], uint32(len(b.data)))
		}
		if _, err := w.Write(before); err != nil {
			return fmt.Errorf("writing model: %w", err)
		}
		if _, err := w.Write(b.data); err != nil {
			return fmt.Errorf("writing model: %w", err)
		}
		at = b.at + int64(len(b.data))
	}
	return nil
}

// packer builds the flatbuffer, leaving room for where data will lie.
type packer struct {
	*flatbuffers.Builder
	large bool
	slots []slots // one a buffer
	codes map[operatorCode]uint32
	order []operatorCode
}

func (p *packer) model(m *Model) (flatbuffers.UOffsetT, error) {
	subgraphs := make([]flatbuffers.UOffsetT, len(m.Subgraphs))
	for i := range m.Subgraphs {
		var err error
		if subgraphs[i], err = p.subgraph(&m.Subgraphs[i]); err != nil {
			return 0, fmt.Errorf("subgraph %d: %w", i, err)
		}
	}
	buffers := make([]flatbuffers.UOffsetT, len(m.Buffers))
	p.slots = make([]slots, len(m.Buffers))
	for i, b := range m.Buffers {
		buffers[i], p.slots[i] = p.buffer(b)
	}
	metadata := make([]flatbuffers.UOffsetT, len(m.Metadata))
	for i, x := range m.Metadata {
		metadata[i] = (&schema.MetadataT{Name: x.Name, Buffer: uint32(x.Buffer)}).Pack(p.Builder)
	}
	signatures := make([]flatbuffers.UOffsetT, len(m.Signatures))
	for i := range m.Signatures {
		signatures[i] = p.signature(&m.Signatures[i])
	}
	codes := p.operatorCodes()

	subgraphsVector := p.CreateVectorOfTables(subgraphs)
	buffersVector := p.CreateVectorOfTables(buffers)
	metadataVector := p.tables(metadata)
	signaturesVector := p.tables(signatures)
	description := p.CreateString(m.Description)
	schema.ModelStart(p.Builder)
	schema.ModelAddVersion(p.Builder, schemaVersion)
	schema.ModelAddOperatorCodes(p.Builder, codes)
	schema.ModelAddSubgraphs(p.Builder, subgraphsVector)
	schema.ModelAddDescription(p.Builder, description)
	schema.ModelAddBuffers(p.Builder, buffersVector)
	schema.ModelAddMetadata(p.Builder, metadataVector)
	schema.ModelAddSignatureDefs(p.Builder, signaturesVector)
	return schema.ModelEnd(p.Builder), nil
}

// tables is a vector of tables, or nothing when there are none.
func (p *packer) tables(offsets []flatbuffers.UOffsetT) flatbuffers.UOffsetT {
	if len(offsets) == 0 {
		return 0
	}
	return p.CreateVectorOfTables(offsets)
}

func (p *packer) subgraph(g *Subgraph) (flatbuffers.UOffsetT, error) {
	tensors := make([]flatbuffers.UOffsetT, len(g.Tensors))
	for i := range g.Tensors {
		var err error
		if tensors[i], err = p.tensor(&g.Tensors[i]); err != nil {
			return 0, fmt.Errorf("tensor %d %s: %w", i, quoted(g.Tensors[i].Name), err)
		}
	}
	ops := make([]flatbuffers.UOffsetT, len(g.Ops))
	for i := range g.Ops {
		var err error
		if ops[i], err = p.op(&g.Ops[i]); err != nil {
			return 0, fmt.Errorf("op %d (%s): %w", i, opName(&g.Ops[i]), err)
		}
	}
	tensorsVector := p.CreateVectorOfTables(tensors)
	opsVector := p.CreateVectorOfTables(ops)
	inputs := p.int32s(g.Inputs, true)
	outputs := p.int32s(g.Outputs, true)
	name := p.CreateString(g.Name)
	schema.SubGraphStart(p.Builder)
	schema.SubGraphAddTensors(p.Builder, tensorsVector)
	schema.SubGraphAddInputs(p.Builder, inputs)
	schema.SubGraphAddOutputs(p.Builder, outputs)
	schema.SubGraphAddOperators(p.Builder, opsVector)
	schema.SubGraphAddName(p.Builder, name)
	return schema.SubGraphEnd(p.Builder), nil
}

func (p *packer) tensor(t *Tensor) (flatbuffers.UOffsetT, error) {
	for _, d := range t.Shape {
		if d < 0 || d > math.MaxInt32 {
			return 0, fmt.Errorf("shape %v does not fit the format", t.Shape)
		}
	}
	shape := p.int32s(t.Shape, true)
	signature := p.int32s(t.ShapeSignature, false)
	name := p.CreateString(t.Name)
	var quantization flatbuffers.UOffsetT
	if q := t.Quantization; q != nil {
		quantization = (&schema.QuantizationParametersT{
			Min: q.Min, Max: q.Max, Scale: q.Scale, ZeroPoint: q.ZeroPoint,
			Details: q.Details, QuantizedDimension: int32(q.Dimension),
		}).Pack(p.Builder)
	}
	sparsity := t.Sparsity.Pack(p.Builder)
	variants := make([]flatbuffers.UOffsetT, len(t.VariantTensors))
	for i, v := range t.VariantTensors {
		variants[i] = v.Pack(p.Builder)
	}
	variantsVector := p.tables(variants)
	schema.TensorStart(p.Builder)
	schema.TensorAddShape(p.Builder, shape)
	schema.TensorAddType(p.Builder, t.Type)
	schema.TensorAddBuffer(p.Builder, uint32(t.Buffer))
	schema.TensorAddName(p.Builder, name)
	schema.TensorAddQuantization(p.Builder, quantization)
	schema.TensorAddIsVariable(p.Builder, t.IsVariable)
	schema.TensorAddSparsity(p.Builder, sparsity)
	schema.TensorAddShapeSignature(p.Builder, signature)
	schema.TensorAddHasRank(p.Builder, t.HasRank)
	schema.TensorAddVariantTensors(p.Builder, variantsVector)
	return schema.TensorEnd(p.Builder), nil
}

func (p *packer) op(o *Op) (flatbuffers.UOffsetT, error) {
	first, second, err := optionsUnion(o.Options)
	if err != nil {
		return 0, err
	}
	x := schema.OperatorT{
		OpcodeIndex:            p.codeIndex(o),
		Inputs:                 to32(o.Inputs),
		Outputs:                to32(o.Outputs),
		BuiltinOptions:         first,
		CustomOptions:          nilIfEmpty(o.CustomOptions),
		MutatingVariableInputs: nilIfEmpty(o.MutatingVariableInputs),
		BuiltinOptions2:        second,
		DebugMetadataIndex:     -1,
	}
	if len(o.Intermediates) > 0 {
		x.Intermediates = to32(o.Intermediates)
	}
	return x.Pack(p.Builder), nil
}

// codeIndex finds or adds the operator's entry in the model's table.
func (p *packer) codeIndex(o *Op) uint32 {
	c := operatorCode{code: o.Code, custom: o.CustomCode, version: o.Version}
	i, ok := p.codes[c]
	if !ok {
		i = uint32(len(p.order))
		p.codes[c] = i
		p.order = append(p.order, c)
	}
	return i
}

func (p *packer) operatorCodes() flatbuffers.UOffsetT {
	codes := make([]flatbuffers.UOffsetT, len(p.order))
	for i, c := range p.order {
		var custom flatbuffers.UOffsetT
		if c.custom != "" {
			custom = p.CreateString(c.custom)
		}
		schema.OperatorCodeStart(p.Builder)
		// Old readers know the one-byte field only.
		old := min(c.code, schema.BuiltinOperatorPLACEHOLDER_FOR_GREATER_OP_CODES)
		schema.OperatorCodeAddDeprecatedBuiltinCode(p.Builder, int8(old))
		schema.OperatorCodeAddCustomCode(p.Builder, custom)
		schema.OperatorCodeAddVersion(p.Builder, int32(c.version))
		schema.OperatorCodeAddBuiltinCode(p.Builder, c.code)
		codes[i] = schema.OperatorCodeEnd(p.Builder)
	}
	return p.CreateVectorOfTables(codes)
}

// buffer packs a Buffer table whose data is placed later, by the slots.
func (p *packer) buffer(b Buffer) (flatbuffers.UOffsetT, slots) {
	const placeholder = 1 // anything but 0, which would not be stored
	var s slots
	schema.BufferStart(p.Builder)
	switch {
	case len(b) == 0:
	case p.large && len(b) >= largeBuffer:
		p.PrependUint64Slot(2, placeholder, 0)
		s.size = p.Offset()
		p.PrependUint64Slot(1, placeholder, 0)
		s.offset = p.Offset()
	default:
		// On the wire an offset is a uint32.
		p.PrependUint32Slot(0, placeholder, 0)
		s.vector = p.Offset()
	}
	return schema.BufferEnd(p.Builder), s
}

func (p *packer) signature(x *Signature) flatbuffers.UOffsetT {
	out := schema.SignatureDefT{SignatureKey: x.Key, SubgraphIndex: uint32(x.Subgraph)}
	for _, t := range x.Inputs {
		out.Inputs = append(out.Inputs, &schema.TensorMapT{Name: t.Name, TensorIndex: uint32(t.Tensor)})
	}
	for _, t := range x.Outputs {
		out.Outputs = append(out.Outputs, &schema.TensorMapT{Name: t.Name, TensorIndex: uint32(t.Tensor)})
	}
	return out.Pack(p.Builder)
}

// int32s packs a vector. The runtime wants some vectors present even when
// they are empty.
func (p *packer) int32s(values []int, always bool) flatbuffers.UOffsetT {
	if len(values) == 0 && !always {
		return 0
	}
	p.StartVector(flatbuffers.SizeInt32, len(values), flatbuffers.SizeInt32)
	for i := len(values) - 1; i >= 0; i-- {
		p.PrependInt32(int32(values[i]))
	}
	return p.EndVector(len(values))
}

func to32(values []int) []int32 {
	out := make([]int32, len(values))
	for i, v := range values {
		out[i] = int32(v)
	}
	return out
}
