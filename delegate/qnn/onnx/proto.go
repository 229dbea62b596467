package onnx

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"nanoflux/graph"
)

// The versions that a model declares: the first file format that has operator
// set 21, in which quantization knows 16 bits.
const (
	fileFormat  = 10
	operatorSet = 21
)

// elementTypes are ONNX's numbers of element types.
var elementTypes = map[graph.TensorType]int{
	graph.Float32: 1, graph.Uint8: 2, graph.Int8: 3, graph.Uint16: 4, graph.Int16: 5, graph.Int32: 6, graph.Int64: 7,
	graph.Bool: 9, graph.Float16: 10, graph.Float64: 11, graph.Uint32: 12, graph.Uint64: 13,
}

// ElementType is ONNX's number of an element type; 0 for one that this package
// does not write.
func ElementType(t graph.TensorType) int { return elementTypes[t] }

// node is an operator of ONNX.
type node struct {
	name, op        string
	inputs, outputs []string
	attributes      []attribute
}

// attribute has an int, float32, string or []int.
type attribute struct {
	name  string
	value any
}

// initializer is a constant; load makes its bytes when the model is written.
type initializer struct {
	name  string
	typ   graph.TensorType
	shape []int
	load  func() []byte
}

// message is a Protocol Buffers message that grows.
type message []byte

func (m message) number(field protowire.Number, v int) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), uint64(v))
}

func (m message) text(field protowire.Number, s string) message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), s)
}

func (m message) bytes(field protowire.Number, b []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), b)
}

func (m message) numbers(field protowire.Number, list []int) message {
	var packed []byte
	for _, v := range list {
		packed = protowire.AppendVarint(packed, uint64(v))
	}
	return m.bytes(field, packed)
}

func (a attribute) encode() message {
	const kindFloat, kindInt, kindText, kindInts = 1, 2, 3, 7
	m := message(nil).text(1, a.name)
	switch v := a.value.(type) {
	case float32:
		m = protowire.AppendFixed32(protowire.AppendTag(m, 2, protowire.Fixed32Type), math.Float32bits(v))
		return m.number(20, kindFloat)
	case int:
		return m.number(3, v).number(20, kindInt)
	case string:
		return m.text(4, v).number(20, kindText)
	case []int:
		return m.numbers(8, v).number(20, kindInts)
	}
	return m
}

func (n *node) encode() message {
	var m message
	for _, in := range n.inputs {
		m = m.text(1, in)
	}
	for _, out := range n.outputs {
		m = m.text(2, out)
	}
	m = m.text(3, n.name).text(4, n.op)
	for _, a := range n.attributes {
		m = m.bytes(5, a.encode())
	}
	return m
}

// encode is the value's ValueInfoProto.
func (v *Value) encode() message {
	var shape message
	for _, d := range v.Shape {
		shape = shape.bytes(1, message(nil).number(1, d))
	}
	tensor := message(nil).number(1, elementTypes[v.Type]).bytes(2, shape)
	return message(nil).text(1, v.Name).bytes(2, message(nil).bytes(1, tensor))
}

// appendTo appends field of a TensorProto, without a copy of its bytes between.
func (i *initializer) appendTo(m message, field protowire.Number) message {
	var head message
	head = head.numbers(1, i.shape).number(2, elementTypes[i.typ]).text(8, i.name)
	data := i.load()
	size := len(head) + protowire.SizeTag(9) + protowire.SizeBytes(len(data))
	m = protowire.AppendVarint(protowire.AppendTag(m, field, protowire.BytesType), uint64(size))
	return append(m, head...).bytes(9, data)
}

// Encode is the model's file. It holds all constants, once more than the segment
// does.
func (m *Model) Encode() (data []byte, err error) {
	defer guard(&err)
	var g message
	size := 0
	for _, n := range m.nodes {
		g = g.bytes(1, n.encode())
	}
	g = g.text(2, "segment")
	for i := range m.initializers {
		n, _ := graph.ByteSize(m.initializers[i].typ, m.initializers[i].shape)
		size += n + 64
	}
	g = append(make(message, 0, len(g)+size), g...)
	for i := range m.initializers {
		g = m.initializers[i].appendTo(g, 5)
	}
	for i := range m.Inputs {
		g = g.bytes(11, m.Inputs[i].encode())
	}
	for i := range m.Outputs {
		g = g.bytes(12, m.Outputs[i].encode())
	}
	file := message(nil).number(1, fileFormat).text(2, "nanoflux").bytes(8, message(nil).text(1, "").number(2, operatorSet))
	file = append(make(message, 0, len(file)+len(g)+16), file...)
	return file.bytes(7, g), nil
}
