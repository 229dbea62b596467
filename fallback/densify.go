package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	register(schema.BuiltinOperatorDENSIFY, kernel{
		accepts: func(o operands) *delegate.Refusal {
			if r := acceptsMove(1, 1, 1)(o); r != nil {
				return r
			}
			if o.in(0).Sparsity == nil {
				return delegate.Refuse(delegate.ReasonConstant, "input 0 is not sparse")
			}
			return nil
		},
		prepare: prepareDensify,
	})
}

// sparse is an array in the file format's storage: the dimensions of the array,
// and those of the blocks that some of them are cut into, in an order of their
// own, each stored whole or as the indices that occur.
type sparse struct {
	levels []level
	size   int // bytes of an element
}

// level is one stored dimension.
type level struct {
	// step in the dense array, in elements.
	step int
	// dense is the dimension's size; −1 when segments and indices tell what
	// occurs: entry e of the level above has indices[segments[e]:segments[e+1]].
	dense             int
	segments, indices []int
}

// prepareDensify writes a sparse constant out with its zeros. graph.Check has
// verified the storage.
func prepareDensify(n *node) (compute, error) {
	x := n.in[0]
	if err := n.shape(0, x.shape...); err != nil {
		return nil, err
	}
	s, err := newSparse(x.tensor)
	if err != nil {
		return nil, err
	}
	return func() {
		clear(n.out[0].data)
		s.spread(n.out[0].data, x.data, 0, 0, 0)
	}, nil
}

func newSparse(t *graph.Tensor) (*sparse, error) {
	p := t.Sparsity
	rank := len(t.Shape)
	if len(p.TraversalOrder) != len(p.DimMetadata) || len(p.TraversalOrder) != rank+len(p.BlockMap) {
		return nil, fmt.Errorf("sparsity of %d dimensions for shape %v", len(p.TraversalOrder), t.Shape)
	}
	// Steps of the array's dimensions, then of the blocks: a block takes over
	// the step of its dimension, which then goes from block to block.
	steps := dense(t.Shape)
	steps = append(steps, make([]int, len(p.BlockMap))...)
	place := make([]int, len(steps))
	for i, d := range p.TraversalOrder {
		place[d] = i
	}
	for i := len(p.BlockMap) - 1; i >= 0; i-- {
		d := p.BlockMap[i]
		steps[rank+i] = steps[d]
		steps[d] *= int(p.DimMetadata[place[rank+i]].DenseSize)
	}
	s := &sparse{size: elementSize(t.Type)}
	for i, d := range p.DimMetadata {
		l := level{step: steps[p.TraversalOrder[i]], dense: int(d.DenseSize)}
		if d.Format == schema.DimensionTypeSPARSE_CSR {
			l.dense = -1
			var ok1, ok2 bool
			l.segments, ok1 = indexVector(d.ArraySegments)
			l.indices, ok2 = indexVector(d.ArrayIndices)
			if !ok1 || !ok2 {
				return nil, fmt.Errorf("dimension %d of the sparse storage has no indices", i)
			}
		}
		s.levels = append(s.levels, l)
	}
	return s, nil
}

func indexVector(v *schema.SparseIndexVectorT) ([]int, bool) {
	if v == nil {
		return nil, false
	}
	switch x := v.Value.(type) {
	case *schema.Int32VectorT:
		return toInts(x.Values), true
	case *schema.Uint16VectorT:
		return toInts(x.Values), true
	case *schema.Uint8VectorT:
		return toInts(x.Values), true
	}
	return nil, false
}

// spread copies what lies below an entry of a level: entry counts the entries of
// the level above, at is the place in the dense array.
func (s *sparse) spread(out, values []byte, depth, entry, at int) {
	if depth == len(s.levels) {
		copy(out[at*s.size:][:s.size], values[entry*s.size:])
		return
	}
	l := &s.levels[depth]
	if l.dense >= 0 {
		for i := range l.dense {
			s.spread(out, values, depth+1, entry*l.dense+i, at+i*l.step)
		}
		return
	}
	for e := l.segments[entry]; e < l.segments[entry+1]; e++ {
		s.spread(out, values, depth+1, e, at+l.indices[e]*l.step)
	}
}
