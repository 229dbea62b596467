package rewrite

import (
	"nanoflux/graph"
)

// transpose lays out a with dimension i of the result being dimension perm[i]
// of a. ok is false for types that do not fill whole bytes.
func transpose(a graph.Array, perm []int) (out graph.Array, ok bool) {
	size := graph.ElementBits(a.Type) / 8
	if size == 0 || len(perm) != len(a.Shape) {
		return graph.Array{}, false
	}
	out = graph.NewArray(a.Type, permuted(a.Shape, perm)...)
	// steps are the distances in a of neighbours along each dimension of out.
	steps := make([]int, len(perm))
	step := size
	for i := len(perm) - 1; i >= 0; i-- {
		for j, p := range perm {
			if p == i {
				steps[j] = step
			}
		}
		step *= a.Shape[i]
	}
	at, from := make([]int, len(perm)), 0
	for to := 0; to < len(out.Data); to += size {
		copy(out.Data[to:to+size], a.Data[from:])
		for i := len(perm) - 1; i >= 0; i-- {
			at[i]++
			from += steps[i]
			if at[i] < out.Shape[i] {
				break
			}
			from -= at[i] * steps[i]
			at[i] = 0
		}
	}
	return out, true
}
