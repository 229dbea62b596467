package flux

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestHalvesOrderIsAPermutationWithPairsHalfApart(t *testing.T) {
	for _, dim := range []int{2, 4, 32, 96, 128} {
		order := halvesOrder(dim)
		sorted := slices.Sorted(slices.Values(order))
		for i, v := range sorted {
			if v != i {
				t.Fatalf("%d channels: %v is no permutation", dim, order)
			}
		}
		for j := range dim / 2 {
			if order[j] != 2*j || order[j+dim/2] != 2*j+1 {
				t.Fatalf("%d channels: pair %d is (%d, %d)", dim, j, order[j], order[j+dim/2])
			}
		}
	}
}

// The graph's rotation on reordered channels against the reference's on
// adjacent pairs, for random states: the dot products must agree.
func TestRotationInHalvesKeepsTheScoresOfRotationInPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []Config{
		{Heads: 1, HeadDim: 32, AxesDims: []int{8, 12, 12}, Theta: 10000},
		{Heads: 1, HeadDim: 96, AxesDims: []int{12, 42, 42}, Theta: 10000},
		{Heads: 1, HeadDim: 6, AxesDims: []int{2, 2, 2}, Theta: 500},
	} {
		s := Shape{Rows: 3, Columns: 5, TextTokens: 2}
		cos, sin := ropeTables(c, s)
		d, order := c.HeadDim, halvesOrder(c.HeadDim)
		random := func() []float32 {
			v := make([]float32, d)
			for i := range v {
				v[i] = float32(r.NormFloat64())
			}
			return v
		}
		inHalves := func(x []float32, n int) []float64 {
			p := permuteHeads(x, order, 1)
			y := make([]float64, d)
			for i := range y {
				y[i] = float64(p[i])*float64(cos[n*d+i]) + float64(p[(i+d/2)%d])*float64(sin[n*d+i])
			}
			return y
		}
		inPairs := func(x []float32, n int) []float64 {
			var position [3]float64
			if i := n - s.TextTokens; i >= 0 {
				position = [3]float64{0, float64(i / s.Columns), float64(i % s.Columns)}
			}
			y := make([]float64, d)
			at := 0
			for axis, size := range c.AxesDims {
				for i := range size / 2 {
					a := position[axis] / math.Pow(c.Theta, 2*float64(i)/float64(size))
					u, v := float64(x[at]), float64(x[at+1])
					y[at], y[at+1] = u*math.Cos(a)-v*math.Sin(a), v*math.Cos(a)+u*math.Sin(a)
					at += 2
				}
			}
			return y
		}
		dot := func(a, b []float64) (sum float64) {
			for i := range a {
				sum += a[i] * b[i]
			}
			return
		}
		for range 50 {
			q, k := random(), random()
			n, m := r.IntN(17), r.IntN(17)
			if got, want := dot(inHalves(q, n), inHalves(k, m)), dot(inPairs(q, n), inPairs(k, m)); math.Abs(got-want) > 1e-5 {
				t.Fatalf("head of %d, tokens %d and %d: score %v, want %v", d, n, m, got, want)
			}
		}
	}
}

func TestPermuteHeadsStaysWithinEachHead(t *testing.T) {
	// Two heads of four channels, two columns; the values say where they were.
	var w []float32
	for row := range 8 {
		w = append(w, float32(10*row), float32(10*row+1))
	}
	got := permuteHeads(w, halvesOrder(4), 2)
	want := []float32{0, 1, 20, 21, 10, 11, 30, 31, 40, 41, 60, 61, 50, 51, 70, 71}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
