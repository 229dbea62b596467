package rewrite

import (
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// splitAttentionHeads writes BATCH_MATMUL head by head with FULLY_CONNECTED,
// whose weights a run may bring as well, for delegates that have no
// BATCH_MATMUL:
//
//	x [heads, m, k] · y [heads, n, k]ᵀ
//
// becomes SPLIT of x [heads·m, k] and of y [heads·n, k], one FULLY_CONNECTED a
// head, and CONCATENATION. An operand that lies the other way is transposed
// first. Float32, where the order of summation may change, and 8 bits with one
// scale a tensor, which are within one step.
var splitAttentionHeads = pass("split-attention-heads", "BATCH_MATMUL becomes one FULLY_CONNECTED a head", func(d *draft, op *graph.Op) bool {
	if op.Code != schema.BuiltinOperatorBATCH_MATMUL || !d.fixed || len(op.Inputs) != 2 {
		return false
	}
	if !d.all(op, graph.Float32) && !(d.all(op, graph.Int8) && d.oneScale(op.Inputs[0]) && d.oneScale(op.Inputs[1]) && d.oneScale(op.Outputs[0])) {
		return false
	}
	o := options[schema.BatchMatMulOptionsT](op)
	x, y, out := op.Inputs[0], op.Inputs[1], op.Outputs[0]
	rankX, rankY := len(d.shape(x)), len(d.shape(y))
	if rankX < 2 || rankY < 2 || elements(d.shape(out)) == 0 || elements(d.shape(x)) == 0 {
		return false
	}
	leadX, leadY := d.shape(x)[:rankX-2], d.shape(y)[:rankY-2]
	heads := elements(leadX)
	// One y for all heads is a fully connected layer of all rows at once.
	common := elements(leadY) == 1
	if !common && (!slices.Equal(withoutOnes(leadX), withoutOnes(leadY)) || heads > mostHeads) {
		return false
	}
	if common {
		heads = 1
	}
	if o.AdjX {
		x = d.transposed(x, lastTwoSwapped(rankX))
	}
	if !o.AdjY {
		y = d.transposed(y, lastTwoSwapped(rankY))
	}
	k, n := d.shape(x)[rankX-1], d.shape(y)[rankY-2]
	rows := elements(d.shape(x)) / k
	parts := d.rowParts(d.reshaped(x, rows, k), heads)
	weights := d.rowParts(d.reshaped(y, heads*n, k), heads)
	products := make([]int, heads)
	for h := range heads {
		products[h] = d.shaped(out, "head", []int{rows / heads, n})
		d.emit(schema.BuiltinOperatorFULLY_CONNECTED, &schema.FullyConnectedOptionsT{},
			[]int{parts[h], weights[h], graph.NoTensor}, []int{products[h]})
	}
	all := products[0]
	if heads > 1 {
		all = d.shaped(out, "heads", []int{rows, n})
		d.emit(schema.BuiltinOperatorCONCATENATION, &schema.ConcatenationOptionsT{Axis: 0}, products, []int{all})
	}
	d.reshapeInto(all, out)
	return true
})

// mostHeads bounds how many operators one can become.
const mostHeads = 256

func withoutOnes(shape []int) []int {
	return slices.DeleteFunc(slices.Clone(shape), func(n int) bool { return n == 1 })
}

// lastTwoSwapped is the permutation that exchanges the last two dimensions.
func lastTwoSwapped(rank int) []int {
	perm := make([]int, rank)
	for i := range perm {
		perm[i] = i
	}
	perm[rank-2], perm[rank-1] = rank-1, rank-2
	return perm
}

// rowParts cuts x [rows, columns] into n parts of as many rows. A constant is
// cut in the file, without copying where the parts stay aligned.
func (d *draft) rowParts(x, n int) []int {
	if n == 1 {
		return []int{x}
	}
	rows, columns := d.shape(x)[0]/n, d.shape(x)[1]
	parts := make([]int, n)
	if a, ok := d.constant(x); ok {
		size := len(a.Data) / n
		for i := range parts {
			data := a.Data[i*size : (i+1)*size : (i+1)*size]
			if size%bufferAlignment != 0 {
				data = append(graph.AlignedBytes(size)[:0], data...)
			}
			parts[i] = d.newConstant(x, "part", graph.Array{Type: a.Type, Shape: []int{rows, columns}, Data: data}, d.tensor(x).Quantization)
		}
		return parts
	}
	for i := range parts {
		parts[i] = d.shaped(x, "part", []int{rows, columns})
	}
	d.splitInto(x, 0, parts)
	return parts
}

// bufferAlignment is the alignment of constants that runtimes count on.
const bufferAlignment = 16
