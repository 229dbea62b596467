package simd

import "math"

// Vector has the loops on slices of float32. Slices that are read have at least
// the length of out, or of a where there is no out; out may be one of them. The
// value of an element depends on nothing but its operands: not on where it
// stands, nor on how long the slices are. Sums have an order that depends on
// the length only.
//
// Functions with s work on one number in place of b. Errors are in units in the
// last place (ulp), for results that are normal numbers.
type Vector struct {
	// out = a + b, a − b, a·b, a/b; the larger, the smaller of both. Where only
	// a is NaN, the last two are a or b.
	Add, Sub, Mul, Div, Max, Min func(out, a, b []float32)
	// SquaredDifference is (a − b)². PRelu is a·b where a is negative.
	SquaredDifference, PRelu func(out, a, b []float32)

	AddScalar, SubScalar, MulScalar, DivScalar, MaxScalar, MinScalar func(out, a []float32, s float32)
	// s − a, s/a.
	ScalarSub, ScalarDiv func(out, a []float32, s float32)

	SquaredDifferenceScalar func(out, a []float32, s float32)

	// Mix is a·s + b·t. It may round twice or three times.
	Mix func(out, a, b []float32, s, t float32)
	// MulAdd is out + a·b. ScaleShift is a·s + t. Both may round once or twice.
	MulAdd     func(out, a, b []float32)
	ScaleShift func(out, a []float32, s, t float32)
	// Clamp is the nearest number from s to t.
	Clamp func(out, a []float32, s, t float32)
	// LeakyRelu is a·s where a is negative.
	LeakyRelu func(out, a []float32, s float32)

	Neg, Abs, Sqrt func(out, a []float32)
	// Rsqrt is 1/√a within 2 ulp.
	Rsqrt func(out, a []float32)
	// Exp is eᵃ within 2 ulp, 0 and +Inf outside float32's range.
	Exp func(out, a []float32)
	// Logistic is 1/(1+e⁻ᵃ) within 4 ulp; Tanh within 4 ulp.
	Logistic, Tanh func(out, a []float32)
	// GeluTanh is a·(1 + tanh(√(2/π)·(a + 0.044715·a³)))/2.
	GeluTanh func(out, a []float32)
	// GeluErf is a·Φ(a), Φ the normal distribution function, within 6 ulp.
	GeluErf func(out, a []float32)
	// Elu is eᵃ − 1 where a is negative, within 3 ulp.
	Elu func(out, a []float32)
	// Floor, Ceil and Round are whole numbers: the next below, the next above,
	// the nearest with halves to the even one.
	Floor, Ceil, Round func(out, a []float32)
	// Log is ln a within 2 ulp.
	Log func(out, a []float32)
	// SinNear and CosNear are the sine and cosine within 2 ulp where |a| is at most
	// MostAngle; see Sin and Cos for all numbers.
	SinNear, CosNear func(out, a []float32)
	// Sign is −1 for negative numbers and 1 for positive ones; zeros and NaN stay.
	Sign func(out, a []float32)
	// HardSwish is a·min(max(a+3, 0), 6)/6.
	HardSwish func(out, a []float32)

	// Sum of a; SumSquares is Σ(a−s)². Largest and Smallest of a, which must not
	// be empty.
	Sum, Largest, Smallest func(a []float32) float32
	SumSquares             func(a []float32, s float32) float32
	// CountBeyond is how many elements have |a| > s; not exact from 2²⁴ on.
	CountBeyond func(a []float32, s float32) float32
	// ExpSum is out = e^((a−s)·t), t positive, and its sum.
	ExpSum func(out, a []float32, s, t float32) float32

	// a is [rows][Table.Columns]: LargestOfColumns makes sums the largest of
	// what they are and what is in their column. ExpSumOfColumns is
	// out = e^((a−b)·s) with b [Columns], added to sums.
	LargestOfColumns func(a, sums []float32)
	ExpSumOfColumns  func(out, a, b, sums []float32, s float32)

	// Choose makes out b where a is not 0, ChooseScalar s; bits stay as they are.
	Choose       func(out []float32, a []uint8, b []float32)
	ChooseScalar func(out []float32, a []uint8, s float32)

	// Numbers of IEEE 754's 16 bits become float32, and back, rounded to the
	// nearest, halves to the even one.
	FromFloat16 func(out []float32, a []uint16)
	ToFloat16   func(out []uint16, a []float32)
	// (a − s)·t, s a whole number of less than 2²³.
	FromInt8  func(out []float32, a []int8, s, t float32)
	FromUint8 func(out []float32, a []uint8, s, t float32)
	// (a − s)·b with a [rows][Table.Columns] and b [Columns]; a of 8 bits, or in the
	// lower or upper 4.
	FromInt8OfColumns, FromLowerInt4OfColumns, FromUpperInt4OfColumns func(out []float32, a []int8, b []float32, s float32)
}

var negativeInfinity = float32(math.Inf(-1))

// sum4, sum8 and sum16 add the elements of a vector: its halves to each other,
// until one is left.
func sum4(x *[4]float32) float32 { return (x[0] + x[2]) + (x[1] + x[3]) }

func sum8(x *[8]float32) float32 {
	return sum4(&[4]float32{x[0] + x[4], x[1] + x[5], x[2] + x[6], x[3] + x[7]})
}

func sum16(x *[16]float32) float32 {
	return sum8(&[8]float32{x[0] + x[8], x[1] + x[9], x[2] + x[10], x[3] + x[11], x[4] + x[12], x[5] + x[13], x[6] + x[14], x[7] + x[15]})
}

func smallestOf(x []float32) float32 {
	least := x[0]
	for _, v := range x {
		least = min(least, v)
	}
	return least
}

func largestOf(x []float32) float32 {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	return top
}
