package simd

import "math"

// MostAngle is up to which size SinNear and CosNear take angles.
const MostAngle = 1 << 17

// Sin is the sine within 2 ulp, of numbers of any size. An element's value does
// not depend on those beside it.
func (v *Vector) Sin(out, a []float32) { v.angles(out, a, v.SinNear, sine) }

// Cos is the cosine within 2 ulp, of numbers of any size.
func (v *Vector) Cos(out, a []float32) { v.angles(out, a, v.CosNear, cosine) }

// angles computes near, and far where angles are larger.
func (v *Vector) angles(out, a []float32, near func(out, a []float32), far func(float32) float32) {
	const block = 512
	var kept [block]float32 // out may be a
	for from := 0; from < len(out); from += block {
		x, y := a[from:min(from+block, len(out))], out[from:min(from+block, len(out))]
		if v.CountBeyond(x, MostAngle) == 0 {
			near(y, x)
			continue
		}
		copy(kept[:], x)
		near(y, x)
		for i, x := range kept[:len(y)] {
			if x > MostAngle || x < -MostAngle {
				y[i] = far(x)
			}
		}
	}
}

// sine and cosine are rounded from package math's, whose reduction of large
// angles is exact (Payne and Hanek).
func sine(x float32) float32   { return float32(math.Sin(float64(x))) }
func cosine(x float32) float32 { return float32(math.Cos(float64(x))) }

// sign is −1 for negative numbers and 1 for positive ones, else x.
func sign(x float32) float32 {
	switch {
	case x < 0:
		return -1
	case x > 0:
		return 1
	}
	return x
}
