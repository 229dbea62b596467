package flux

import (
	"math"

	"nanoflux/models/weights"
)

// Rotary positions. The reference rotates adjacent pairs of channels
// (x[2j], x[2j+1]) by an angle a_j:
//
//	y[2j]   = x[2j]·cos a_j − x[2j+1]·sin a_j
//	y[2j+1] = x[2j+1]·cos a_j + x[2j]·sin a_j
//
// Taking pairs apart needs gathers, which NPUs are bad at. The graph has each
// head's channels in another order instead: all x[2j], then all x[2j+1]. The
// same order in queries and keys leaves their dot products as they were, and it
// costs nothing, being a permutation of the rows of the projections' weights
// (halvesOrder). In that order the rotation is
//
//	y = x·C + swap(x)·S,  C = (cos, cos),  S = (−sin, sin)
//
// with swap exchanging the two halves.

// halvesOrder lists, for each channel of a head in the graph's order, the
// channel of the reference: 0 2 4 … 1 3 5 ….
func halvesOrder(headDim int) []int {
	order := make([]int, headDim)
	for j := range headDim / 2 {
		order[j], order[headDim/2+j] = 2*j, 2*j+1
	}
	return order
}

// permuteHeads reorders the rows of a [heads·len(order), columns] matrix by
// order within each head: row h·D+i of the result is row h·D+order[i]. A vector
// is a matrix of one column.
func permuteHeads(values []float32, order []int, columns int) []float32 {
	if weights.IsBlank(values) {
		return values
	}
	d := len(order)
	out := make([]float32, 0, len(values))
	for head := 0; head < len(values); head += d * columns {
		for _, from := range order {
			at := head + from*columns
			out = append(out, values[at:at+columns]...)
		}
	}
	return out
}

// ropeTables returns C and S for the tokens [text, image], each
// [text + rows·columns, headDim]. Text tokens are at the position (0, 0, 0),
// image tokens at (0, row, column), row by row. Axis a of size A rotates A/2
// pairs at position · theta^(−2i/A), i = 0…A/2−1. As in the reference
// (diffusers, FluxPosEmbed) angles are float64, rounded to float32 at the end.
func ropeTables(c Config, s Shape) (cos, sin []float32) {
	d := c.HeadDim
	tokens := s.TextTokens + s.Rows*s.Columns
	cos, sin = make([]float32, tokens*d), make([]float32, tokens*d)
	for n := range tokens {
		var position [positionAxes]int
		if i := n - s.TextTokens; i >= 0 {
			position[1], position[2] = i/s.Columns, i%s.Columns
		}
		pair := n * d
		for axis, size := range c.AxesDims {
			for i := range size / 2 {
				frequency := 1 / math.Pow(c.Theta, float64(2*i)/float64(size))
				angle := float64(position[axis]) * frequency
				co, si := float32(math.Cos(angle)), float32(math.Sin(angle))
				cos[pair], cos[pair+d/2] = co, co
				sin[pair], sin[pair+d/2] = -si, si
				pair++
			}
		}
	}
	return cos, sin
}
