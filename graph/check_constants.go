package graph

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"nanoflux/graph/schema"
)

// stringCount checks the bytes of a string tensor and returns how many strings
// it has. The format: the number of strings n, n+1 offsets from the first byte
// (the last is the end), all int32; then the strings' bytes.
func stringCount(data []byte) (int, error) {
	if len(data) < 8 {
		return 0, fmt.Errorf("strings in %d bytes", len(data))
	}
	word := func(i int) int64 { return int64(int32(binary.LittleEndian.Uint32(data[4*i:]))) }
	n := word(0)
	if n < 0 || n > int64(len(data)/4-2) {
		return 0, fmt.Errorf("%d strings in %d bytes", n, len(data))
	}
	before := 4 * (n + 2) // the first string begins behind the offsets
	for i := range int(n) + 1 {
		at := word(i + 1)
		if at < before || at > int64(len(data)) {
			return 0, fmt.Errorf("string %d begins at %d, the one before at %d, of %d bytes", i, at, before, len(data))
		}
		before = at
	}
	return int(n), nil
}

// checkSparsity checks the indices of a sparse constant, and that its data
// holds as many values as they say.
//
// The tensor's dimensions, and those of the blocks it is cut into (BlockMap
// says which dimension each block dimension cuts), are stored in
// TraversalOrder, each either dense or as compressed rows: row r has the
// columns Indices[Segments[r]:Segments[r+1]].
func checkSparsity(t *Tensor, data Buffer) error {
	s := t.Sparsity
	rank, dims := len(t.Shape), len(s.TraversalOrder)
	if dims != rank+len(s.BlockMap) || len(s.DimMetadata) != dims {
		return fmt.Errorf("sparsity: %d dimensions in order, %d described, %d blocked, for a rank of %d", dims, len(s.DimMetadata), len(s.BlockMap), rank)
	}
	sizes, err := sparseSizes(t)
	if err != nil {
		return err
	}
	rows := 1
	for i, d := range s.DimMetadata {
		size := sizes[s.TraversalOrder[i]]
		if d.Format == schema.DimensionTypeDENSE {
			if int(d.DenseSize) != size {
				return fmt.Errorf("sparsity: dimension %d has size %d, must be %d", i, d.DenseSize, size)
			}
			// Rows without a value are common: only the end tells whether
			// the data suffices.
			if size > 0 && rows > math.MaxInt/64/size {
				return fmt.Errorf("sparsity: %d bytes are too few for its dimensions", len(data))
			}
			rows *= size
			continue
		}
		if rows, err = sparseRows(d, rows, size); err != nil {
			return fmt.Errorf("sparsity: dimension %d: %w", i, err)
		}
	}
	if want := (rows*ElementBits(t.Type) + 7) / 8; want != len(data) {
		return fmt.Errorf("buffer %d has %d bytes, its sparsity needs %d", t.Buffer, len(data), want)
	}
	return nil
}

// sparseSizes is the size of each stored dimension: the tensor's, divided by
// the blocks' where they are cut, then the blocks'.
func sparseSizes(t *Tensor) ([]int, error) {
	s := t.Sparsity
	rank := len(t.Shape)
	place := make([]int, len(s.TraversalOrder)) // where dimension d is stored
	seen := make([]bool, len(place))
	for i, d := range s.TraversalOrder {
		if d < 0 || int(d) >= len(place) || seen[d] {
			return nil, fmt.Errorf("sparsity: traversal order %v is no permutation", s.TraversalOrder)
		}
		seen[d], place[d] = true, i
	}
	sizes := append(slices.Clone(t.Shape), make([]int, len(s.BlockMap))...)
	for i, d := range s.BlockMap {
		if d < 0 || int(d) >= rank {
			return nil, fmt.Errorf("sparsity: block map %v of %d dimensions", s.BlockMap, rank)
		}
		meta := s.DimMetadata[place[rank+i]]
		block := int(meta.DenseSize)
		if meta.Format != schema.DimensionTypeDENSE || block < 1 || sizes[d]%block != 0 {
			return nil, fmt.Errorf("sparsity: block %d of size %d in a dimension of %d", i, block, sizes[d])
		}
		sizes[d] /= block
		sizes[rank+i] = block
	}
	return sizes, nil
}

// sparseRows checks one compressed dimension below rows rows, and returns how
// many entries it has.
func sparseRows(d *schema.DimensionMetadataT, rows, size int) (int, error) {
	segments, okS := indexVector(d.ArraySegments)
	indices, okI := indexVector(d.ArrayIndices)
	if !okS || !okI || len(segments) != rows+1 || segments[0] != 0 {
		return 0, fmt.Errorf("%d segments for %d rows", len(segments), rows)
	}
	for i := range rows {
		if segments[i+1] < segments[i] {
			return 0, fmt.Errorf("segment %d ends before it begins", i)
		}
	}
	if segments[rows] != int64(len(indices)) {
		return 0, fmt.Errorf("the last segment ends at %d of %d indices", segments[rows], len(indices))
	}
	for _, x := range indices {
		if x < 0 || x >= int64(size) {
			return 0, fmt.Errorf("index %d of %d", x, size)
		}
	}
	return len(indices), nil
}

// indexVector widens the format's three kinds of index vectors.
func indexVector(v *schema.SparseIndexVectorT) ([]int64, bool) {
	if v == nil {
		return nil, false
	}
	switch x := v.Value.(type) {
	case *schema.Int32VectorT:
		return widen(x.Values), true
	case *schema.Uint16VectorT:
		return widen(x.Values), true
	case *schema.Uint8VectorT:
		return widen(x.Values), true
	}
	return nil, false
}

func widen[T int32 | uint16 | byte](values []T) []int64 {
	out := make([]int64, len(values))
	for i, v := range values {
		out[i] = int64(v)
	}
	return out
}

// quantization checks that a tensor's quantization goes with its shape
// and type. A scale of 0 is for constants only: a channel of zeros.
func (c *checker) quantization(g *Subgraph, t *Tensor) error {
	q := t.Quantization
	if q == nil {
		return nil
	}
	if q.Details != nil {
		return c.details(g, q.Details)
	}
	if len(q.Scale) == 0 {
		return nil // calibration's Min and Max only
	}
	if len(q.ZeroPoint) != len(q.Scale) {
		return fmt.Errorf("quantization: %d scales and %d zero points", len(q.Scale), len(q.ZeroPoint))
	}
	constant := len(c.m.Buffers[t.Buffer]) > 0
	for i, scale := range q.Scale {
		if s := float64(scale); math.IsNaN(s) || math.IsInf(s, 0) || s < 0 || s == 0 && !constant {
			return fmt.Errorf("quantization: scale %d is %v", i, scale)
		}
	}
	low, high := integerRange(t.Type)
	for i, z := range q.ZeroPoint {
		if z < low || z > high {
			return fmt.Errorf("quantization: zero point %d is %d, outside of %v", i, z, t.Type)
		}
	}
	if len(q.Scale) == 1 {
		return nil
	}
	if q.Dimension < 0 || q.Dimension >= len(t.Shape) || t.Shape[q.Dimension] != len(q.Scale) {
		return fmt.Errorf("quantization: %d scales along dimension %d", len(q.Scale), q.Dimension)
	}
	return nil
}

// details checks the blockwise scheme, whose scales and zero points are
// constants of their own; a custom scheme belongs to whoever made it.
func (c *checker) details(g *Subgraph, details *schema.QuantizationDetailsT) error {
	b, ok := details.Value.(*schema.BlockwiseQuantizationT)
	if !ok {
		return nil
	}
	if b.BlockSize < 1 {
		return fmt.Errorf("quantization: blocks of %d elements", b.BlockSize)
	}
	if err := c.parameter(g, "scales", int(b.Scales)); err != nil {
		return err
	}
	if b.ZeroPoints == NoTensor {
		return nil
	}
	return c.parameter(g, "zero points", int(b.ZeroPoints))
}

// parameter checks a tensor that holds another one's quantization.
func (c *checker) parameter(g *Subgraph, what string, t int) error {
	if t < 0 || t >= len(g.Tensors) {
		return fmt.Errorf("quantization: %s are tensor %d of %d", what, t, len(g.Tensors))
	}
	x := &g.Tensors[t]
	if x.Buffer < 0 || x.Buffer >= len(c.m.Buffers) || len(c.m.Buffers[x.Buffer]) == 0 {
		return fmt.Errorf("quantization: %s, tensor %d %s, are not constant", what, t, quoted(x.Name))
	}
	if x.Quantization != nil && x.Quantization.Details != nil {
		return fmt.Errorf("quantization: %s, tensor %d %s, are quantized in blocks themselves", what, t, quoted(x.Name))
	}
	return nil
}

// integerRange is the range of an integer type; everything for other types,
// which only carry quantization along.
func integerRange(t TensorType) (low, high int64) {
	switch t {
	case Int4:
		return -8, 7
	case Int8:
		return math.MinInt8, math.MaxInt8
	case Uint8:
		return 0, math.MaxUint8
	case Int16:
		return math.MinInt16, math.MaxInt16
	case Uint16:
		return 0, math.MaxUint16
	case Int32:
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}
