package safetensors

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/x448/float16"
)

// Float32s returns a tensor of type F32, F16, BF16 or F64 as float32, row major,
// in new memory. Given a shape, it is an error when the tensor's is another.
func (f *File) Float32s(name string, shape ...int) ([]float32, error) {
	t, err := f.Tensor(name)
	if err != nil {
		return nil, err
	}
	if len(shape) > 0 && !slices.Equal(shape, t.Shape) {
		return nil, fmt.Errorf("%s: tensor %q has shape %v, must be %v", f.name, name, t.Shape, shape)
	}
	little := binary.LittleEndian
	switch t.DType {
	case "F32":
		return convert(t.Data, 4, func(b []byte) float32 { return math.Float32frombits(little.Uint32(b)) }), nil
	case "F16":
		return convert(t.Data, 2, func(b []byte) float32 { return float16.Frombits(little.Uint16(b)).Float32() }), nil
	case "BF16":
		return convert(t.Data, 2, func(b []byte) float32 { return math.Float32frombits(uint32(little.Uint16(b)) << 16) }), nil
	case "F64":
		return convert(t.Data, 8, func(b []byte) float32 { return float32(math.Float64frombits(little.Uint64(b))) }), nil
	}
	return nil, fmt.Errorf("%s: tensor %q is %s; takes F32, F16, BF16 and F64", f.name, name, t.DType)
}

func convert(data []byte, size int, one func([]byte) float32) []float32 {
	out := make([]float32, len(data)/size)
	for i := range out {
		out[i] = one(data[i*size:])
	}
	return out
}
