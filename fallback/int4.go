package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// Constants of 4-bit integers are unpacked when a model is compiled, and the
// kernels see what they know: 8-bit integers with the same scales, or floats
// where each block of a row has a scale of its own.

// unpacked is how the kernels see a tensor of a model: as it is, unless it is a
// constant of 4-bit integers.
func unpacked(m *graph.Model, t *graph.Tensor) *graph.Tensor {
	if t.Type != graph.Int4 || len(m.Buffers[t.Buffer]) == 0 {
		return t
	}
	u := *t
	u.Type = graph.Int8
	if t.Quantization != nil && t.Quantization.Details != nil {
		u.Type, u.Quantization = graph.Float32, nil
	}
	return &u
}

// unpackInt4 replaces a constant of 4-bit integers.
func (v *value) unpackInt4(m *graph.Model, sub int) error {
	t := v.tensor
	u := unpacked(m, t)
	if u == t {
		return nil
	}
	integers := graph.AlignedBytes(v.elements())
	// Two in a byte, the first in the lower half.
	for i := range integers {
		nibble := v.data[i/2] >> (i % 2 * 4)
		integers[i] = byte(int8(nibble<<4) >> 4)
	}
	v.tensor, v.data, v.size = u, integers, len(integers)
	if u.Type == graph.Int8 {
		return nil
	}
	floats, err := blockwise(m, sub, t, graph.View[int8](integers))
	if err != nil {
		return fmt.Errorf("tensor %q: %w: %w", t.Name, delegate.ErrUnsupported, err)
	}
	v.data, v.size = floats, len(floats)
	return nil
}

// blockwise is scale·(integer − zero point), with a scale and a zero point (0
// where there are none) for each block of a row: scales are [rows…, row/block].
func blockwise(m *graph.Model, sub int, t *graph.Tensor, integers []int8) ([]byte, error) {
	b, ok := t.Quantization.Details.Value.(*schema.BlockwiseQuantizationT)
	if !ok || b == nil {
		return nil, fmt.Errorf("quantization of kind %v", t.Quantization.Details.Type)
	}
	block := int(b.BlockSize)
	if block < 1 || len(t.Shape) == 0 || t.Shape[len(t.Shape)-1]%block != 0 {
		return nil, fmt.Errorf("blocks of %d do not divide rows of shape %v", block, t.Shape)
	}
	blocks := len(integers) / block
	scales, err := blockValues(m, sub, int(b.Scales), blocks)
	if err != nil {
		return nil, fmt.Errorf("scales of blocks: %w", err)
	}
	zeros := make([]float32, blocks)
	if b.ZeroPoints >= 0 {
		if zeros, err = blockValues(m, sub, int(b.ZeroPoints), blocks); err != nil {
			return nil, fmt.Errorf("zero points of blocks: %w", err)
		}
	}
	data := graph.AlignedBytes(4 * len(integers))
	floats := graph.View[float32](data)
	for i := range blocks {
		for k := i * block; k < (i+1)*block; k++ {
			floats[k] = float32(scales[i] * (float32(integers[k]) - zeros[i]))
		}
	}
	return data, nil
}

// blockValues reads a constant tensor of n numbers.
func blockValues(m *graph.Model, sub, tensor, n int) ([]float32, error) {
	a, ok := m.Constant(sub, tensor)
	if !ok {
		return nil, fmt.Errorf("tensor %d is no constant", tensor)
	}
	if len(a.Data)*8 != n*graph.ElementBits(a.Type) {
		return nil, fmt.Errorf("%d bytes of %v; %d numbers are needed", len(a.Data), a.Type, n)
	}
	values := make([]float32, n)
	switch a.Type {
	case graph.Float32, graph.Float16, graph.Int8, graph.Uint8, graph.Int32, graph.Int64:
		out := graph.AlignedBytes(4 * n)
		if a.Type == graph.Float32 {
			copy(out, a.Data)
		} else {
			converter(a.Type, graph.Float32)(out, a.Data, 0, n)
		}
		copy(values, graph.View[float32](out))
		return values, nil
	}
	return nil, fmt.Errorf("type %v", a.Type)
}
