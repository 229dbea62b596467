package fallback

import (
	"fmt"
	"slices"

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

// unpackInt4 replaces a constant of 4-bit integers. It leaves them as they are
// where products take them so, and where only DEQUANTIZE reads them, which is
// asked first (fold).
func (e *executable) unpackInt4(m *graph.Model, tensor int) error {
	v := e.values[tensor]
	t := v.tensor
	u := unpacked(m, t)
	if u == t {
		return nil
	}
	count, nibbles := v.elements(), v.data
	v.tensor = u
	if u.Type == graph.Int8 {
		v.size = count
		if !v.output && e.onlyReadBy(v, func(n *node, _ int) bool { return n.op.Code == schema.BuiltinOperatorDEQUANTIZE }) {
			v.data, v.nibbles = nil, nibbles
		} else {
			v.data = wideNibbles(nibbles, count)
		}
		return nil
	}
	b, err := readBlocks(m, t, count)
	if err != nil {
		return fmt.Errorf("tensor %q: %w: %w", t.Name, delegate.ErrUnsupported, err)
	}
	v.size = 4 * count
	uniform := !slices.ContainsFunc(b.zeros, func(z float32) bool { return z != b.zeros[0] })
	if fully := func(n *node, i int) bool { return i == 1 && n.op.Code == schema.BuiltinOperatorFULLY_CONNECTED }; uniform && len(v.shape) == 2 && !v.output && e.large(v.shape) && e.onlyReadBy(v, fully) {
		v.data, v.stored = nil, &storedWeights{kind: graph.Int4, data: nibbles, scales: b.scales, zero: b.zeros[0], block: b.size}
		return nil
	}
	v.data = b.floats(graph.View[int8](wideNibbles(nibbles, count)))
	return nil
}

// nibble is integer i: two are in a byte, the first in the lower half.
func nibble(data []byte, i int) int8 { return int8(data[i/2]>>(i%2*4)<<4) >> 4 }

// wideNibbles is count integers of 4 bits as 8-bit ones.
func wideNibbles(data []byte, count int) []byte {
	wide := graph.AlignedBytes(count)
	for i := range wide {
		wide[i] = byte(nibble(data, i))
	}
	return wide
}

// blocks are the scales and zero points (0 where there are none) of the blocks
// of each row, [rows…, row/size].
type blocks struct {
	size          int
	scales, zeros []float32
}

// readBlocks reads the quantization of a tensor with so many elements.
func readBlocks(m *graph.Model, t *graph.Tensor, count int) (*blocks, error) {
	const sub = 0 // a segment has one subgraph
	b, ok := t.Quantization.Details.Value.(*schema.BlockwiseQuantizationT)
	if !ok || b == nil {
		return nil, fmt.Errorf("quantization of kind %v", t.Quantization.Details.Type)
	}
	block := int(b.BlockSize)
	if block < 1 || len(t.Shape) == 0 || t.Shape[len(t.Shape)-1]%block != 0 {
		return nil, fmt.Errorf("blocks of %d do not divide rows of shape %v", block, t.Shape)
	}
	n := count / block
	scales, err := blockValues(m, sub, int(b.Scales), n)
	if err != nil {
		return nil, fmt.Errorf("scales of blocks: %w", err)
	}
	zeros := make([]float32, n)
	if b.ZeroPoints >= 0 {
		if zeros, err = blockValues(m, sub, int(b.ZeroPoints), n); err != nil {
			return nil, fmt.Errorf("zero points of blocks: %w", err)
		}
	}
	return &blocks{block, scales, zeros}, nil
}

// floats is scale·(integer − zero point).
func (b *blocks) floats(integers []int8) []byte {
	data := graph.AlignedBytes(4 * len(integers))
	floats := graph.View[float32](data)
	for k, x := range integers {
		floats[k] = float32(b.scales[k/b.size] * (float32(x) - b.zeros[k/b.size]))
	}
	return data
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
