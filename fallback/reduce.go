package fallback

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func init() {
	sum := func(a, b float32) float32 { return a + b }
	registerReduction(schema.BuiltinOperatorSUM, reduction[float32]{start: 0, step: sum, line: sumOf, rows: vectors.Add})
	registerReduction(schema.BuiltinOperatorMEAN, reduction[float32]{start: 0, step: sum, line: sumOf, rows: vectors.Add, mean: true})
	registerReduction(schema.BuiltinOperatorREDUCE_PROD, reduction[float32]{start: 1, step: func(a, b float32) float32 { return a * b }})
	registerReduction(schema.BuiltinOperatorREDUCE_MAX, reduction[float32]{first: true, step: largest[float32], line: vectors.Largest, rows: vectors.Max})
	registerReduction(schema.BuiltinOperatorREDUCE_MIN, reduction[float32]{first: true, step: smallest[float32], line: vectors.Smallest, rows: vectors.Min})
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
	// line reduces a slice that is not empty, rows reduces two slices element by
	// element; nil where there is no loop on vectors.
	line func(x []T) T
	rows func(out, a, b []T)
	// mean divides by the number of elements; for float32.
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
// dimensions with the mark which of them are reduced.
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
	return shape, reduced, nil
}

func prepareReduction[T graph.Element](n *node, r reduction[T]) (compute, error) {
	shape, reduced, err := reducedShapes(n)
	if err != nil {
		return nil, err
	}
	// Reading order: dimensions that stay first, those reduced last.
	kept, gone := split(shape, reduced)
	lines := gone.lines()
	if r.first && gone.count() == 0 && !n.empty() {
		return nil, fmt.Errorf("nothing to reduce in shape %v", shape)
	}
	if last := len(kept.sizes) - 1; r.rows != nil && last >= 0 && kept.strides[last] == 1 && kept.sizes[last] >= fewestColumns && gone.count() > 0 {
		return reduceRows(n, r, kept, lines), nil
	}
	some := func(from, to int) {
		x, y := graph.View[T](n.in[0].data), graph.View[T](n.out[0].data)
		for i := from; i < to; i++ {
			y[i] = r.one(x, kept.offset(i), lines)
		}
		r.divide(y[from:to], lines)
	}
	return func() { n.pool.chunks(n.out[0].elements(), 1+(1<<13)/max(1, gone.count()), some) }, nil
}

// fewestColumns is from how many results side by side rows are reduced whole.
const fewestColumns = 8

// one reduces the elements on the lines from at on.
func (r *reduction[T]) one(x []T, at int, lines straight) T {
	value := r.start
	if r.first {
		value = x[at] // its own step changes nothing
	}
	for l := range lines.count {
		k := at + lines.outer.offset(l)
		if r.line != nil && lines.step == 1 && lines.length > 0 {
			value = r.step(value, r.line(x[k:k+lines.length]))
			continue
		}
		for range lines.length {
			value = r.step(value, x[k])
			k += lines.step
		}
	}
	return value
}

// divide makes means of sums.
func (r *reduction[T]) divide(sums []T, lines straight) {
	if s, ok := any(sums).([]float32); ok && r.mean {
		vectors.DivScalar(s, s, float32(lines.count*lines.length))
	}
}

// reduceRows reduces where results lie side by side as what they are made of
// does: whole rows are added, in blocks of columns that share the work.
func reduceRows[T graph.Element](n *node, r reduction[T], kept walk, lines straight) compute {
	last := len(kept.sizes) - 1
	width := kept.sizes[last]
	outer := walk{kept.sizes[:last], kept.strides[:last]}
	const block = 64
	blocks := (width + block - 1) / block
	some := func(from, to int) {
		x, y := graph.View[T](n.in[0].data), graph.View[T](n.out[0].data)
		for i := from; i < to; i++ {
			column := i % blocks * block
			at := outer.offset(i/blocks) + column
			out := y[i/blocks*width+column:][:min(block, width-column)]
			copy(out, x[at:])
			for l := range lines.count {
				k := at + lines.outer.offset(l)
				for j := range lines.length {
					if l+j > 0 { // the first row is there
						r.rows(out, out, x[k:])
					}
					k += lines.step
				}
			}
			r.divide(out, lines)
		}
	}
	return func() { n.pool.chunks(outer.count()*blocks, 1+(1<<13)/(block*lines.count*lines.length), some) }
}

// split divides the dimensions of a dense array into those that stay and those
// that are marked.
func split(shape []int, marked []bool) (kept, gone walk) {
	for i, stride := range dense(shape) {
		w := &kept
		if marked[i] {
			w = &gone
		}
		w.sizes = append(w.sizes, shape[i])
		w.strides = append(w.strides, stride)
	}
	return kept.merged(), gone.merged()
}
