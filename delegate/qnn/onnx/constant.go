package onnx

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/x448/float16"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// constant is a value in the file, or one that follows from these. Its bytes are
// made when the model is written.
type constant struct {
	// key is the same for equal constants.
	key   string
	typ   graph.TensorType
	shape []int
	load  func() []byte
	// q is nil where the elements are what they say.
	q *graph.Quantization
}

// constant says whether a tensor is the same in every run.
func (c *converter) constant(t int) bool {
	return t != graph.NoTensor && (c.folded[t] != nil || c.m.IsConstant(c.sub, t))
}

// constantOf is the value of a constant tensor.
func (c *converter) constantOf(t int) *constant {
	if k := c.folded[t]; k != nil {
		return k
	}
	x := &c.g.Tensors[t]
	data := c.m.Buffers[x.Buffer]
	k := &constant{key: "t" + strconv.Itoa(t), typ: x.Type, shape: x.Shape, load: func() []byte { return data }}
	if quantized(x) || x.Type == graph.Int32 && x.Quantization != nil && len(x.Quantization.Scale) > 0 {
		k.q = x.Quantization
	}
	if x.Type == graph.Int4 {
		k.typ = graph.Int8
		n, _ := graph.Elements(x.Shape)
		k.load = func() []byte { return unpackInt4(data, n) }
	}
	return k
}

// unpackInt4 widens n elements, of which the lower half of a byte is the first.
func unpackInt4(data []byte, n int) []byte {
	wide := make([]byte, n)
	for i := range wide {
		b := data[i/2] << 4
		if i%2 == 1 {
			b = data[i/2]
		}
		wide[i] = byte(int8(b) >> 4)
	}
	return wide
}

// quantized says whether a tensor's integers stand for reals.
func quantized(x *graph.Tensor) bool {
	switch x.Type {
	case graph.Int4, graph.Int8, graph.Uint8, graph.Int16, graph.Uint16:
		return x.Quantization != nil && len(x.Quantization.Scale) > 0
	}
	return false
}

// stored is the type of a computed tensor in the ONNX model.
func stored(x *graph.Tensor) (typ graph.TensorType, flipped bool) {
	if quantized(x) {
		return unsigned(x.Type)
	}
	return x.Type, false
}

func unsigned(t graph.TensorType) (typ graph.TensorType, flipped bool) {
	switch t {
	case graph.Int8:
		return graph.Uint8, true
	case graph.Int16:
		return graph.Uint16, true
	}
	return t, false
}

// offset is what an unsigned zero point is larger than the signed one.
func offset(t graph.TensorType) int64 {
	switch t {
	case graph.Int8:
		return 1 << 7
	case graph.Int16:
		return 1 << 15
	}
	return 0
}

// Flip changes the sign bits of a tensor's elements, which turns signed values
// into unsigned ones that are larger by the offset, and back. t is either type.
func Flip(data []byte, t graph.TensorType) {
	switch t {
	case graph.Int8, graph.Uint8:
		for i := range data {
			data[i] ^= 0x80
		}
	case graph.Int16, graph.Uint16:
		for i := 1; i < len(data); i += 2 {
			data[i] ^= 0x80
		}
	}
}

// unsigned is a signed constant as the unsigned one that is larger by the offset;
// others are as they are.
func (k *constant) unsigned() *constant {
	typ, flipped := unsigned(k.typ)
	if !flipped {
		return k
	}
	n := *k
	n.key, n.typ = k.key+"u", typ
	n.load = func() []byte {
		data := slices.Clone(k.load())
		Flip(data, typ)
		return data
	}
	return &n
}

// withShape is the same elements in another shape.
func (k *constant) withShape(shape ...int) *constant {
	n := *k
	n.shape = shape
	n.key += fmt.Sprint("r", shape)
	return &n
}

// transposed has the dimensions in another order; a scale a channel follows.
func (k *constant) transposed(perm ...int) *constant {
	n := *k
	n.key += fmt.Sprint("p", perm)
	n.shape = make([]int, len(perm))
	for i, p := range perm {
		n.shape[i] = k.shape[p]
	}
	n.load = func() []byte { return transpose(k.load(), k.shape, perm, graph.ElementBits(k.typ)/8) }
	if k.q != nil && len(k.q.Scale) > 1 {
		q := *k.q
		q.Dimension = slices.Index(perm, k.q.Dimension)
		n.q = &q
	}
	return &n
}

// transpose copies elements of size bytes into another order of dimensions.
func transpose(data []byte, shape, perm []int, size int) []byte {
	strides := make([]int, len(shape))
	stride := size
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = stride
		stride *= shape[i]
	}
	out := make([]byte, 0, len(data))
	var walk func(dimension, at int)
	walk = func(dimension, at int) {
		if dimension == len(perm) {
			out = append(out, data[at:at+size]...)
			return
		}
		for i := range shape[perm[dimension]] {
			walk(dimension+1, at+i*strides[perm[dimension]])
		}
	}
	walk(0, 0)
	return out
}

// elements are a constant's integers as int64; of bytes, INT16, INT32 and INT64.
func (k *constant) integers() []int64 {
	data := k.load()
	size := max(1, graph.ElementBits(k.typ)/8)
	out := make([]int64, len(data)/size)
	for i := range out {
		b := data[i*size:]
		switch k.typ {
		case graph.Int8:
			out[i] = int64(int8(b[0]))
		case graph.Uint8, graph.Bool:
			out[i] = int64(b[0])
		case graph.Int16:
			out[i] = int64(int16(binary.LittleEndian.Uint16(b)))
		case graph.Uint16:
			out[i] = int64(binary.LittleEndian.Uint16(b))
		case graph.Int32:
			out[i] = int64(int32(binary.LittleEndian.Uint32(b)))
		case graph.Uint32:
			out[i] = int64(binary.LittleEndian.Uint32(b))
		case graph.Int64, graph.Uint64:
			out[i] = int64(binary.LittleEndian.Uint64(b))
		}
	}
	return out
}

// floats is the constant as FLOAT32: dequantized, or widened from FLOAT16.
func (k *constant) floats() *constant {
	if k.typ == graph.Float32 {
		return k
	}
	n := &constant{key: k.key + "f", typ: graph.Float32, shape: k.shape}
	n.load = func() []byte {
		if k.typ == graph.Float16 {
			data := k.load()
			out := make([]float32, len(data)/2)
			for i := range out {
				out[i] = float16.Frombits(binary.LittleEndian.Uint16(data[2*i:])).Float32()
			}
			return graph.Bytes(out)
		}
		return graph.Bytes(dequantize(k.integers(), k.shape, k.q))
	}
	return n
}

// dequantize is scale · (integer − zero point).
func dequantize(values []int64, shape []int, q *graph.Quantization) []float32 {
	out := make([]float32, len(values))
	inner := 1
	if q != nil && len(q.Scale) > 1 {
		for _, d := range shape[q.Dimension+1:] {
			inner *= d
		}
	}
	for i, v := range values {
		if q == nil {
			out[i] = float32(v)
			continue
		}
		channel := i / inner % len(q.Scale)
		if len(q.Scale) == 1 {
			channel = 0
		}
		if channel < len(q.ZeroPoint) {
			v -= q.ZeroPoint[channel]
		}
		out[i] = q.Scale[channel] * float32(v)
	}
	return out
}

// use is the name of a constant in the model, as it is.
func (c *converter) use(k *constant) string {
	key := fmt.Sprintf("%v %v %s", k.typ, k.shape, k.key)
	if name := c.made[key]; name != "" {
		return name
	}
	name := "c" + strconv.Itoa(len(c.made))
	c.made[key] = name
	c.out.initializers = append(c.out.initializers, initializer{name: name, typ: k.typ, shape: k.shape, load: k.load})
	return name
}

// ints is a constant of INT64 with one dimension.
func (c *converter) ints(values ...int) string {
	return c.use(&constant{key: fmt.Sprint("i", values), typ: graph.Int64, shape: []int{len(values)}, load: func() []byte {
		wide := make([]int64, len(values))
		for i, v := range values {
			wide[i] = int64(v)
		}
		return graph.Bytes(wide)
	}})
}

// float is a FLOAT32 scalar.
func (c *converter) float(v float32) string { return c.floats([]float32{v}) }

// floats are FLOAT32 values in a shape; none for a scalar.
func (c *converter) floats(values []float32, shape ...int) string {
	return c.use(&constant{key: fmt.Sprint("f", bits(values)), typ: graph.Float32, shape: shape, load: func() []byte { return graph.Bytes(values) }})
}

// bits tell apart what prints alike.
func bits(values []float32) (list []uint32) {
	for _, v := range values {
		list = append(list, math.Float32bits(v))
	}
	return list
}

// parameters are the names of the scale and the zero point of a quantization, of
// values of a type, and the attributes that say along which dimension they run.
func (c *converter) parameters(q *graph.Quantization, typ graph.TensorType, shift int64) (scale, zero string, along []attribute) {
	zeros := make([]int64, len(q.Scale))
	copy(zeros, q.ZeroPoint)
	if len(q.ZeroPoint) == 1 {
		for i := range zeros {
			zeros[i] = q.ZeroPoint[0]
		}
	}
	for i := range zeros {
		zeros[i] += shift
	}
	var shape []int
	if len(q.Scale) > 1 {
		shape = []int{len(q.Scale)}
		along = []attribute{{"axis", q.Dimension}}
	}
	zero = c.use(&constant{key: fmt.Sprint("z", zeros), typ: typ, shape: shape, load: func() []byte { return narrow(zeros, typ) }})
	return c.floats(q.Scale, shape...), zero, along
}

// narrow writes integers in a type.
func narrow(values []int64, typ graph.TensorType) (out []byte) {
	for _, v := range values {
		switch graph.ElementBits(typ) {
		case 8:
			out = append(out, byte(v))
		case 16:
			out = binary.LittleEndian.AppendUint16(out, uint16(v))
		case 32:
			out = binary.LittleEndian.AppendUint32(out, uint32(v))
		case 64:
			out = binary.LittleEndian.AppendUint64(out, uint64(v))
		}
	}
	return out
}

// realOf is a constant as reals: where the operator is quantized, integers that
// DequantizeLinear reads, and floats elsewhere. Weights stay signed.
func (c *converter) realOf(k *constant, weights bool) string {
	if c.w8a16 && c.quantize && !weights && (k.q != nil || k.typ == graph.Float32 || k.typ == graph.Float16) {
		k = c.constant16(k)
	}
	if k.q == nil || !c.quantize {
		if k.q != nil || k.typ == graph.Float16 {
			k = k.floats()
		}
		return c.use(k)
	}
	typ, shift := k.typ, int64(0)
	if !weights {
		shift = offset(k.typ)
		k = k.unsigned()
		typ = k.typ
	}
	scale, zero, along := c.parameters(k.q, typ, shift)
	return c.node("DequantizeLinear", []string{c.use(k), scale, zero}, along...)
}

// integersOf are the values of a constant of whole numbers that an operator needs
// to know; a refusal when it is not constant.
func (c *converter) integersOf(op *graph.Op, i int) ([]int, error) {
	if i >= len(op.Inputs) || !c.constant(op.Inputs[i]) {
		return nil, delegate.Refuse(delegate.ReasonConstant, "input %d must be constant", i)
	}
	k := c.constantOf(op.Inputs[i])
	if k.typ != graph.Int32 && k.typ != graph.Int64 {
		return nil, delegate.Refuse(delegate.ReasonType, "input %d is %v; takes INT32 and INT64", i, k.typ)
	}
	var list []int
	for _, v := range k.integers() {
		list = append(list, int(v))
	}
	return list, nil
}
