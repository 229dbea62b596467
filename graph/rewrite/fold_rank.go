package rewrite

import (
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// mostRank is the number of dimensions that NPUs take.
const mostRank = 4

// foldRank writes operators on more than four dimensions with at most four:
// dimensions that stay beside each other are taken together, and RESHAPEs,
// which move no byte, stand before and after. It is exact.
var foldRank = pass("fold-rank", "operators on more than 4 dimensions work on at most 4", func(d *draft, op *graph.Op) bool {
	if !d.fixed || len(op.Outputs) == 0 || !d.deep(op) {
		return false
	}
	switch {
	case op.Code == schema.BuiltinOperatorTRANSPOSE:
		return d.foldTranspose(op)
	case alone[op.Code] && len(op.Inputs) == 1:
		return d.foldAlone(op)
	case pairs[op.Code]:
		return d.foldPair(op)
	case op.Code == schema.BuiltinOperatorSOFTMAX:
		return d.foldSoftmax(op)
	case op.Code == schema.BuiltinOperatorCONCATENATION, op.Code == schema.BuiltinOperatorSPLIT:
		return d.foldAxis(op)
	case op.Code == schema.BuiltinOperatorBATCH_MATMUL:
		return d.foldProduct(op)
	case reductions[op.Code]:
		return d.foldReduction(op)
	}
	return false
})

var reductions = setOf(schema.BuiltinOperatorMEAN, schema.BuiltinOperatorSUM, schema.BuiltinOperatorREDUCE_MAX,
	schema.BuiltinOperatorREDUCE_MIN, schema.BuiltinOperatorREDUCE_PROD)

// deep: an operand has too many dimensions, none is without elements, and all
// can be reshaped.
func (d *draft) deep(op *graph.Op) bool {
	deep := false
	if len(d.shape(op.Inputs[0])) == 0 && op.Code != schema.BuiltinOperatorSPLIT {
		return false
	}
	for _, t := range slices.Concat(op.Inputs, op.Outputs) {
		if t == graph.NoTensor {
			continue
		}
		if elements(d.shape(t)) == 0 || !perTensor(d.tensor(t)) {
			return false
		}
		deep = deep || len(d.shape(t)) > mostRank
	}
	return deep
}

// folded writes operator op on reshaped operands: inputs that are not to be
// reshaped have nil.
func (d *draft) folded(op *graph.Op, settings any, inputs, outputs [][]int) bool {
	in, out := slices.Clone(op.Inputs), slices.Clone(op.Outputs)
	for i, shape := range inputs {
		if shape != nil {
			in[i] = d.reshaped(in[i], shape...)
		}
	}
	for i, shape := range outputs {
		out[i] = d.shaped(out[i], "folded", shape)
	}
	d.emit(op.Code, settings, in, out)
	for i := range out {
		d.reshapeInto(out[i], op.Outputs[i])
	}
	return true
}

func (d *draft) foldAlone(op *graph.Op) bool {
	shape := d.shape(op.Inputs[0])
	flat := []int{elements(shape[:len(shape)-1]), shape[len(shape)-1]}
	return d.folded(op, op.Options, [][]int{flat}, [][]int{flat})
}

func (d *draft) foldSoftmax(op *graph.Op) bool { return d.foldAlone(op) }

// foldPair takes neighbouring dimensions together along which both operands
// have their full size, or one of them has size 1.
func (d *draft) foldPair(op *graph.Op) bool {
	out := d.shape(op.Outputs[0])
	x, y := padded(d.shape(op.Inputs[0]), len(out)), padded(d.shape(op.Inputs[1]), len(out))
	var p, q, r []int
	kind := -1
	for i, n := range out {
		if n == 1 {
			continue
		}
		own := 0
		if x[i] == 1 {
			own = 1
		}
		if y[i] == 1 {
			own = 2
		}
		if own == kind {
			last := len(r) - 1
			p[last], q[last], r[last] = p[last]*x[i], q[last]*y[i], r[last]*n
			continue
		}
		kind = own
		p, q, r = append(p, x[i]), append(q, y[i]), append(r, n)
	}
	if len(r) > mostRank {
		return false
	}
	if len(r) == 0 {
		p, q, r = []int{1}, []int{1}, []int{1}
	}
	return d.folded(op, op.Options, [][]int{p, q}, [][]int{r})
}

// padded is shape with leading dimensions of size 1.
func padded(shape []int, rank int) []int {
	return append(slices.Repeat([]int{1}, max(0, rank-len(shape))), shape...)
}

// foldAxis works on [before, axis, behind].
func (d *draft) foldAxis(op *graph.Op) bool {
	var axis int
	var settings any
	x := op.Inputs[0]
	if op.Code == schema.BuiltinOperatorSPLIT {
		given, ok := d.ints(op.Inputs[0])
		if !ok || len(given) != 1 {
			return false
		}
		axis, x, settings = given[0], op.Inputs[1], op.Options
	} else {
		o := options[schema.ConcatenationOptionsT](op)
		axis = int(o.Axis)
		o.Axis = 1
		settings = &o
	}
	rank := len(d.shape(x))
	axis, ok := counted(axis, rank)
	others := op.Outputs
	if op.Code == schema.BuiltinOperatorCONCATENATION {
		others = slices.Concat(op.Inputs, op.Outputs)
	}
	if !ok || slices.ContainsFunc(others, func(t int) bool { return len(d.shape(t)) != rank }) {
		return false
	}
	three := func(ids []int) (shapes [][]int) {
		for _, t := range ids {
			s := d.shape(t)
			shapes = append(shapes, []int{elements(s[:axis]), s[axis], elements(s[axis+1:])})
		}
		return shapes
	}
	if op.Code == schema.BuiltinOperatorSPLIT {
		changed := *op
		changed.Inputs = []int{d.axis(op.Outputs[0], 1), x}
		return d.folded(&changed, settings, append([][]int{nil}, three([]int{x})...), three(op.Outputs))
	}
	return d.folded(op, settings, three(op.Inputs), three(op.Outputs))
}

// foldProduct takes the leading dimensions of both operands together.
func (d *draft) foldProduct(op *graph.Op) bool {
	three := func(t int) []int {
		s := d.shape(t)
		rest := max(0, len(s)-2)
		return append([]int{elements(s[:rest])}, s[rest:]...)
	}
	x, y := three(op.Inputs[0]), three(op.Inputs[1])
	if x[0] != y[0] || len(x) != 3 || len(y) != 3 {
		return false
	}
	return d.folded(op, op.Options, [][]int{x, y}, [][]int{three(op.Outputs[0])})
}

// foldReduction takes neighbouring dimensions together that are all reduced,
// or all kept.
func (d *draft) foldReduction(op *graph.Op) bool {
	axes, ok := d.ints(op.Inputs[1])
	shape := d.shape(op.Inputs[0])
	if !ok {
		return false
	}
	gone := make([]bool, len(shape))
	for _, a := range axes {
		a, ok = counted(a, len(shape))
		if !ok {
			return false
		}
		gone[a] = true
	}
	var from, to, reduced []int
	for i, n := range shape {
		switch last := len(from) - 1; {
		case n == 1:
		case last >= 0 && gone[i] == slices.Contains(reduced, last):
			from[last] *= n
			if !gone[i] {
				to[last] *= n
			}
		case gone[i]:
			reduced = append(reduced, len(from))
			from, to = append(from, n), append(to, 1)
		default:
			from, to = append(from, n), append(to, n)
		}
	}
	if len(from) > mostRank || len(reduced) == 0 {
		return false
	}
	o := options[schema.ReducerOptionsT](op)
	o.KeepDims = true
	changed := *op
	changed.Inputs = []int{op.Inputs[0], d.list(op.Outputs[0], "axes", reduced)}
	return d.folded(&changed, &o, [][]int{from}, [][]int{to})
}

// foldTranspose takes dimensions together that stay beside each other. Where
// more than four are left it moves one after another to its place: each such
// step exchanges two neighbours of [placed, between, next, rest].
func (d *draft) foldTranspose(op *graph.Op) bool {
	perm, ok := d.permutation(op)
	if !ok {
		return false
	}
	x, y := op.Inputs[0], op.Outputs[0]
	sizes, perm := mergedTranspose(d.shape(x), perm)
	if len(sizes) <= mostRank {
		d.transposeStep(x, y, sizes, perm)
		return true
	}
	order := make([]int, len(sizes)) // the dimensions as they lie now
	for i := range order {
		order[i] = i
	}
	for placed := range perm {
		at := slices.Index(order, perm[placed])
		if at == placed {
			continue
		}
		size := func(dims []int) int { return elements(permuted(sizes, dims)) }
		blocks := []int{size(order[:placed]), size(order[placed:at]), sizes[order[at]], size(order[at+1:])}
		order = slices.Insert(slices.Delete(order, at, at+1), placed, perm[placed])
		to := y
		if !slices.Equal(order, perm) {
			to = d.shaped(y, "step", d.shape(y))
		}
		d.transposeStep(x, to, blocks, []int{0, 2, 1, 3})
		x = to
		if to == y {
			break
		}
	}
	return true
}

// transposeStep writes y = x, seen as of the given sizes, transposed.
func (d *draft) transposeStep(x, y int, sizes, perm []int) {
	if slices.IsSorted(perm) {
		d.reshapeInto(x, y)
		return
	}
	moved := d.shaped(y, "transposed", permuted(sizes, perm))
	d.transposeInto(d.reshaped(x, sizes...), moved, perm)
	d.reshapeInto(moved, y)
}

// mergedTranspose drops dimensions of size 1 and merges those that follow each
// other before and after.
func mergedTranspose(shape, perm []int) (sizes, merged []int) {
	kept := slices.DeleteFunc(slices.Clone(perm), func(p int) bool { return shape[p] == 1 })
	var groups [][]int // in the order of the output
	for _, p := range kept {
		if n := len(groups); n > 0 {
			last := groups[n-1]
			if follows(shape, last[len(last)-1], p) {
				groups[n-1] = append(last, p)
				continue
			}
		}
		groups = append(groups, []int{p})
	}
	if len(groups) == 0 {
		return []int{1}, []int{0}
	}
	sorted := slices.Clone(groups)
	slices.SortFunc(sorted, func(a, b []int) int { return a[0] - b[0] })
	for _, g := range sorted {
		sizes = append(sizes, elements(permuted(shape, g)))
	}
	for _, g := range groups {
		merged = append(merged, slices.IndexFunc(sorted, func(s []int) bool { return s[0] == g[0] }))
	}
	return sizes, merged
}

// follows: q is the next dimension after p that is not of size 1.
func follows(shape []int, p, q int) bool {
	if q <= p {
		return false
	}
	return elements(shape[p+1:q]) == 1
}
