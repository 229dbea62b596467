package simd

import "math"

// The functions here are float32 polynomials without fused operations, so that
// they give the same bits on every platform, and faster than package math's
// doubles. Each says how far it is from the true value.

// exp is eˣ within 2 units in the last place; 0 below −104, +Inf above 88.73.
// x = n·ln2 + r, |r| ≤ ln2/2; ln2 is split in two so that r is exact enough
// (Cody and Waite), and eʳ is its Taylor polynomial of degree 7, in an order
// that leaves the processor several terms to work on at once (Estrin).
func exp(x float32) float32 {
	if !(x >= -87 && x <= 88) {
		return expFar(x)
	}
	// Adding the magic number rounds to an integer, which stands in the low
	// bits of the sum.
	const magic = 3 << 22
	t := float32(x*log2e) + magic
	return expNear(x, t-magic) * math.Float32frombits(math.Float32bits(t)<<23+127<<23)
}

const (
	log2e = 1.44269504
	ln2Hi = 0.693359375 // 355/512, exact
	ln2Lo = -2.12194440e-4
)

// expNear is e^(x − n·ln2).
func expNear(x, n float32) float32 {
	r := x - float32(n*ln2Hi) - float32(n*ln2Lo)
	r2 := float32(r * r)
	p := float32(float32(float32(r*(1.0/5040))+1.0/720)*r2) + (float32(r*(1.0/120)) + 1.0/24)
	p = float32(p*r2) + (float32(r*(1.0/6)) + 0.5)
	return float32(p*r2) + r + 1
}

// expFar is exp where the result is not a normal number, or nearly so.
func expFar(x float32) float32 {
	switch {
	case x != x:
		return x
	case x > 88.8:
		return float32(math.Inf(1))
	case x < -104:
		return 0
	}
	n := floor(float32(x*log2e) + 0.5)
	// 2ⁿ in two factors: n = 128 and denormal results need it.
	half := int32(n) >> 1
	return expNear(x, n) * pow2(half) * pow2(int32(n)-half)
}

// pow2 is 2ⁿ for −126 ≤ n ≤ 127.
func pow2(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// floor for |x| < 2³¹.
func floor(x float32) float32 {
	t := float32(int32(x))
	if t > x {
		t--
	}
	return t
}

// tanh is within 4 units in the last place: for |x| < 0.625 a polynomial of
// odd powers (Cephes' tanhf coefficients), else 1 − 2/(e²ˣ+1).
func tanh(x float32) float32 {
	a := x
	if a < 0 {
		a = -a
	}
	if a < 0.625 {
		z := float32(x * x)
		p := float32(-5.70498872745e-3)
		p = float32(p*z) + 2.06390887954e-2
		p = float32(p*z) - 5.37397155531e-2
		p = float32(p*z) + 1.33314422036e-1
		p = float32(p*z) - 3.33332819422e-1
		return float32(float32(p*z)*x) + x
	}
	if a > 9.1 {
		a = 1
	} else {
		a = 1 - 2/(exp(2*a)+1)
	}
	if x < 0 {
		return -a
	}
	if x != x {
		return x
	}
	return a
}

// logistic is 1/(1+e⁻ˣ).
func logistic(x float32) float32 { return 1 / (1 + exp(-x)) }

// geluTanh is the tanh approximation of GELU (Hendrycks and Gimpel, 2016),
// x·(1 + tanh z)/2 with z = √(2/π)·(x + 0.044715·x³), written as x/(1 + e^(−2z)).
func geluTanh(x float32) float32 {
	const minusTwoSqrt2OverPi = -2 * 0.7978845608028654
	z2 := float32(minusTwoSqrt2OverPi * (x + float32(0.044715*float32(x*float32(x*x)))))
	return x / (1 + exp(z2))
}

// geluErf is x·Φ(x), Φ the normal distribution function.
func geluErf(x float32) float32 {
	return float32(0.5 * float64(x) * math.Erfc(-float64(x)*math.Sqrt2/2))
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// elu is eˣ − 1 where x is negative.
func elu(x float32) float32 {
	if !(x < 0) {
		return x
	}
	return float32(math.Expm1(float64(x)))
}
