package weights

import (
	"fmt"
	"math"
	"slices"

	"nanoflux/graph"
)

// Constants adds weights to a graph under a storage policy. Each method returns
// a float32 tensor of the given shape. Values are kept, not copied, when they
// are stored as float32.
type Constants struct {
	b      *graph.Builder
	policy Policy
	scope  string
	err    error
}

// NewConstants returns a Constants that adds to b.
func NewConstants(b *graph.Builder, p Policy) *Constants { return &Constants{b: b, policy: p} }

// Err is the first error: a weight that is not a finite number, or too large
// for its storage.
func (c *Constants) Err() error { return c.err }

// Scope is the builder's Scope, and puts name + "/" before the names that
// Policy.Exceptions match.
func (c *Constants) Scope(name string, body func()) {
	outer := c.scope
	c.scope += name + "/"
	defer func() { c.scope = outer }()
	c.b.Scope(name, body)
}

// Matrix is the weight of a linear layer [out, in] or of a convolution
// [out, height, width, in].
func (c *Constants) Matrix(name string, values []float32, shape ...int) graph.T {
	return c.add(name, values, c.policy.matrix(c.scope+name, len(values)), shape)
}

// Table is an embedding [entries, channels] or another large table.
func (c *Constants) Table(name string, values []float32, shape ...int) graph.T {
	return c.add(name, values, c.policy.table(c.scope+name, len(values)), shape)
}

// Exact is a constant that stays float32: a bias, a norm's weight, a position
// table.
func (c *Constants) Exact(name string, values []float32, shape ...int) graph.T {
	return c.add(name, values, Float32, shape)
}

func (c *Constants) add(name string, values []float32, s Storage, shape []int) graph.T {
	if IsBlank(values) {
		return c.addBlank(name, values, s, shape)
	}
	if i := firstNotFinite(values); i >= 0 && c.err == nil {
		c.err = fmt.Errorf("%w: element %d of %s is %v", ErrWeights, i, c.scope+name, values[i])
	}
	stored := graph.Array{Shape: shape}
	var q *graph.Quantization
	switch s {
	case Float16:
		if !fitsHalf(values) && c.err == nil {
			c.err = fmt.Errorf("%w: %s has values beyond float16's ±65504; give it another storage by an exception", ErrWeights, c.scope+name)
		}
		stored.Type, stored.Data = graph.Float16, graph.Bytes(halves(values))
	case Int8:
		codes, scales := quantizeRows(values, shape[0])
		stored.Type, stored.Data = graph.Int8, graph.Bytes(codes)
		q = &graph.Quantization{Scale: scales, ZeroPoint: make([]int64, len(scales)), Dimension: 0}
	default:
		return c.b.Const(name, graph.Array{Type: graph.Float32, Shape: shape, Data: graph.Bytes(values)})
	}
	return c.b.Named(c.b.Dequantize(c.b.QuantizedConst(name, stored, q)), name+"_float")
}

// addBlank adds zeros in the form that add gives to values; they stay in the
// memory that all blank weights share.
func (c *Constants) addBlank(name string, values []float32, s Storage, shape []int) graph.T {
	zeros := graph.Bytes(values)
	stored := graph.Array{Type: graph.Float32, Shape: shape, Data: zeros}
	var q *graph.Quantization
	switch s {
	case Float16:
		stored.Type, stored.Data = graph.Float16, zeros[:len(values)*2]
	case Int8:
		stored.Type, stored.Data = graph.Int8, zeros[:len(values)]
		q = &graph.Quantization{Scale: slices.Repeat([]float32{1}, shape[0]), ZeroPoint: make([]int64, shape[0])}
	default:
		return c.b.Const(name, stored)
	}
	return c.b.Named(c.b.Dequantize(c.b.QuantizedConst(name, stored, q)), name+"_float")
}

func firstNotFinite(values []float32) int {
	for i, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return i
		}
	}
	return -1
}
