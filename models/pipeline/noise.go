package pipeline

import (
	"math"
	"math/rand/v2"
)

// noiseStream is the second word of the generator's start state: "nanoflux" in
// ASCII. Another use of the same seed takes another constant.
const noiseStream = 0x6e616e6f666c7578

// noise draws standard normal values. It is specified to the bit in
// docs/noise.md: the same seed gives the same float32 values on every platform
// and in every later version.
type noise struct {
	source *rand.PCG
	spare  float64
	full   bool // spare holds the second value of the last pair
}

func newNoise(seed uint64) *noise {
	return &noise{source: rand.NewPCG(seed, noiseStream)}
}

// Noise fills dst with independent draws of N(0,1) that depend on the seed
// alone; a longer dst starts with the values of a shorter one.
func Noise(dst []float32, seed uint64) {
	n := newNoise(seed)
	for i := range dst {
		dst[i] = float32(n.next())
	}
}

// next is Marsaglia's polar method: a point drawn in the unit disc gives two
// independent normal values (Marsaglia & Bray 1964).
func (n *noise) next() float64 {
	if n.full {
		n.full = false
		return n.spare
	}
	for {
		x, y := n.symmetric(), n.symmetric()
		s := float64(x*x) + float64(y*y)
		if s >= 1 || s == 0 {
			continue
		}
		f := math.Sqrt(float64(-2*exactLog(s)) / s)
		n.spare, n.full = float64(y*f), true
		return float64(x * f)
	}
}

// symmetric is uniform in [−1, 1): 53 random bits of a draw, an exact double.
func (n *noise) symmetric() float64 {
	u := float64(n.source.Uint64()>>11) * 0x1p-53
	return float64(2*u) - 1
}
