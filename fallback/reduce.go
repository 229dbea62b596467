package fallback

import (
	"fmt"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	sum := func(a, b float32) float32 { return a + b }
	registerReduction(schema.BuiltinOperatorSUM, reduction[float32]{start: 0, step: sum})
	registerReduction(schema.BuiltinOperatorMEAN, reduction[float32]{start: 0, step: sum, mean: true})
	registerReduction(schema.BuiltinOperatorREDUCE_PROD, reduction[float32]{start: 1, step: func(a, b float32) float32 { return a * b }})
	registerReduction(schema.BuiltinOperatorREDUCE_MAX, reduction[float32]{first: true, step: largest[float32]})
	registerReduction(schema.BuiltinOperatorREDUCE_MIN, reduction[float32]{first: true, step: smallest[float32]})
	integerReductions[int32]()
	integerReductions[int64]()
	registerReduction(schema.BuiltinOperatorREDUCE_ANY, reduction[bool]{start: false, step: func(a, b bool) bool { return a || b }})
	registerReduction(schema.BuiltinOperatorREDUCE_ALL, reduction[bool]{start: true, step: func(a, b bool) bool { return a && b }})
}

func integerReductions[T int32 | int64]() {
	registerReduction(schema.BuiltinOperatorSUM, reduction[T]{start: 0, step: func(a, b T) T { return a + b }})
	registerReduction(schema.BuiltinOperatorREDUCE_PROD, reduction[T]{start: 1, step: func(a, b T) T { return a * b }})
	registerReduction(schema.BuiltinOperatorREDUCE_MAX, reduction[T]{first: true, step: largest[T]})
	registerReduction(schema.BuiltinOperatorREDUCE_MIN, reduction[T]{first: true, step: smallest[T]})
}

// reduction combines the elements along some dimensions.
type reduction[T graph.Element] struct {
	// start is the value before the first step; with first, the first element.
	start T
	first bool
	step  func(a, b T) T
	// mean divides by the number of elements.
	mean bool
}

func registerReduction[T graph.Element](code graph.OpCode, r reduction[T]) {
	element := elementType[T]()
	register(code, kernel{
		accepts: func(o operands) *delegate.Refusal {
			return firstRefusal(o.counts(2, 2, 1), o.types(0, element), o.types(1, graph.Int32), o.outTypes(0, element))
		},
		prepare: func(n *node) (compute, error) { return prepareReduction(n, r) },
	})
}

func elementType[T graph.Element]() graph.TensorType {
	var zero T
	switch any(zero).(type) {
	case int32:
		return graph.Int32
	case int64:
		return graph.Int64
	case bool:
		return graph.Bool
	}
	return graph.Float32
}

// reducedShapes gives a reduction's output its shape, and returns the input's
// dimensions with the mark which of them are reduced. It reserves the memory of
// the lists of offsets.
func reducedShapes(n *node) (shape []int, reduced []bool, err error) {
	axes, err := n.ints(1)
	if err != nil {
		return nil, nil, err
	}
	shape = n.in[0].shape
	reduced = make([]bool, len(shape))
	for _, a := range axes {
		if a < 0 {
			a += len(shape)
		}
		if a < 0 || a >= len(shape) {
			return nil, nil, fmt.Errorf("axis %v is outside the %d dimensions of the input", axes, len(shape))
		}
		reduced[a] = true
	}
	keep := options[schema.ReducerOptionsT](n.op).KeepDims
	var out []int
	for i, d := range shape {
		switch {
		case !reduced[i]:
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	if err := n.shape(0, out...); err != nil {
		return nil, nil, err
	}
	// The lists of offsets that split's walks make.
	kept, gone := split(shape, reduced)
	for _, w := range []walk{kept, gone} {
		count, err := graph.Elements(w.sizes)
		if err != nil {
			return nil, nil, err
		}
		if err := n.work(count, 8); err != nil {
			return nil, nil, err
		}
	}
	return shape, reduced, nil
}

func prepareReduction[T graph.Element](n *node, r reduction[T]) (compute, error) {
	shape, reduced, err := reducedShapes(n)
	if err != nil {
		return nil, err
	}
	// Reading order: dimensions that stay first, those reduced last.
	kept, gone := split(shape, reduced)
	keptOffsets, goneOffsets := kept.offsets(), gone.offsets()
	if r.first && len(goneOffsets) == 0 {
		return nil, fmt.Errorf("nothing to reduce in shape %v", shape)
	}
	// The common case: the last dimensions of a dense array.
	tail := slices.IsSorted(goneOffsets) && len(goneOffsets) > 0 && goneOffsets[len(goneOffsets)-1] == len(goneOffsets)-1
	mean, _ := any(r).(reduction[float32])
	return func() {
		x, y := graph.View[T](n.in[0].data), graph.View[T](n.out[0].data)
		n.pool.chunks(len(keptOffsets), 1+(1<<13)/max(1, len(goneOffsets)), func(from, to int) {
			for i := from; i < to; i++ {
				at := keptOffsets[i]
				if sums, ok := any(x).([]float32); ok && mean.mean {
					any(y).([]float32)[i] = meanOf(sums, at, goneOffsets, tail)
					continue
				}
				value, rest := r.start, goneOffsets
				if r.first {
					value, rest = x[at+rest[0]], rest[1:]
				}
				for _, o := range rest {
					value = r.step(value, x[at+o])
				}
				y[i] = value
			}
		})
	}, nil
}

// meanOf is the mean of the elements at the given offsets from at, or of the
// len(offsets) elements from at on.
func meanOf(x []float32, at int, offsets []int, dense bool) float32 {
	if dense {
		return sumOf(x[at:at+len(offsets)]) / float32(len(offsets))
	}
	sum := float32(0)
	for _, o := range offsets {
		sum += x[at+o]
	}
	return sum / float32(len(offsets))
}

// sumOf adds in four interleaved sums, which is faster and rounds less.
func sumOf(x []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(x) >= 4 {
		s0 += x[0]
		s1 += x[1]
		s2 += x[2]
		s3 += x[3]
		x = x[4:]
	}
	for _, v := range x {
		s0 += v
	}
	return (s0 + s1) + (s2 + s3)
}

// walk is a set of dimensions with their strides.
type walk struct{ sizes, strides []int }

// split divides the dimensions of a dense array into those that stay and those
// that are marked.
func split(shape []int, marked []bool) (kept, gone walk) {
	strides := broadcastStrides(shape, shape)
	stride := 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = stride
		stride *= shape[i]
	}
	for i, d := range shape {
		w := &kept
		if marked[i] {
			w = &gone
		}
		w.sizes = append(w.sizes, d)
		w.strides = append(w.strides, strides[i])
	}
	return kept, gone
}

// offsets lists the offset of each index, last dimension fastest.
func (w walk) offsets() []int {
	total := 1
	for _, d := range w.sizes {
		total *= d
	}
	list := make([]int, 0, total)
	index := make([]int, len(w.sizes))
	for range total {
		at := 0
		for i, x := range index {
			at += x * w.strides[i]
		}
		list = append(list, at)
		advance(index, w.sizes)
	}
	return list
}
