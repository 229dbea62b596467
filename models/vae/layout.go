package vae

import "nanoflux/models/weights"

// Sub-pixel shuffles number channels differently in torch and in graphs, which is
// made good in the convolution next to them.

// shuffleOrder lists, for each channel on the coarse side of DEPTH_TO_SPACE or
// SPACE_TO_DEPTH, the channel of torch's pixel_shuffle or pixel_unshuffle.
// With C channels on the fine side and blocks of n×n, the graph's operators
// number (dy·n + dx)·C + c, torch numbers c·n² + dy·n + dx.
func shuffleOrder(fine, n int) []int {
	order := make([]int, 0, fine*n*n)
	for d := range n * n {
		for c := range fine {
			order = append(order, c*n*n+d)
		}
	}
	return order
}

// permute reorders blocks of n values: block i of the result is block order[i].
func permute(values []float32, order []int, n int) []float32 {
	if weights.IsBlank(values) {
		return values
	}
	r := make([]float32, 0, len(values))
	for _, from := range order {
		r = append(r, values[from*n:(from+1)*n]...)
	}
	return r
}
