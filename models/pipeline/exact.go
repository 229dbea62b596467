package pipeline

import "math"

// The functions here give the same bits on every platform. They use only +, −,
// × and ÷ of IEEE 754 doubles, and every product is converted explicitly, which
// forbids the compiler to fuse it with the following sum (arm64 would).
// Package math cannot promise that: some of its functions are assembly on some
// platforms and Go with fused operations on others.

// logTerms and expTerms are how many terms the series below need for full
// double precision over their range. They are part of docs/noise.md.
const (
	logTerms = 11
	expTerms = 20
)

// exactLog is the natural logarithm of a normal, positive x, within 2 units in
// the last place. x = m·2^e with m in [√½, √2), and
// ln m = 2·(s + s³/3 + s⁵/5 + …) with s = (m−1)/(m+1).
func exactLog(x float64) float64 {
	bits := math.Float64bits(x)
	e := int(bits>>52) - 1023
	m := math.Float64frombits(bits&(1<<52-1) | 1023<<52) // in [1, 2)
	if m > math.Sqrt2 {
		m /= 2 // exact
		e++
	}
	s := (m - 1) / (m + 1)
	z := float64(s * s)
	sum := 0.0
	for k := logTerms - 1; k >= 1; k-- {
		sum = float64((sum + 1/float64(2*k+1)) * z)
	}
	lnM := float64(2*s) + float64(float64(2*s)*sum)
	return float64(float64(e)*math.Ln2) + lnM
}

// exactExp is e to the power x for |x| ≤ 16: the Taylor series at x/32, squared
// five times. Its relative error stays below 1e-14.
func exactExp(x float64) float64 {
	r := x / 32 // exact
	sum := 1.0
	for k := expTerms; k >= 1; k-- {
		sum = 1 + float64(sum*r)/float64(k)
	}
	for range 5 {
		sum = float64(sum * sum)
	}
	return sum
}
