package simd

import (
	"math"

	"github.com/x448/float16"
)

// vectorGeneric is plain Go, for every platform; explicit conversions forbid
// fused multiply-add, so that it gives the same bits everywhere.
var vectorGeneric = Vector{
	Add: addGeneric, AddScalar: withScalar(func(a, s float32) float32 { return a + s }),
	Sub: subGeneric, SubScalar: withScalar(func(a, s float32) float32 { return a - s }),
	Mul: mulGeneric, MulScalar: withScalar(func(a, s float32) float32 { return a * s }),
	Div: pairwise(func(a, b float32) float32 { return a / b }), DivScalar: withScalar(func(a, s float32) float32 { return a / s }),
	Max: pairwise(larger), MaxScalar: withScalar(larger),
	Min: pairwise(smaller), MinScalar: withScalar(smaller),
	SquaredDifference:       pairwise(squaredDifference),
	SquaredDifferenceScalar: withScalar(squaredDifference),
	PRelu:                   pairwise(leaky),
	Mix: func(out, a, b []float32, s, t float32) {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = float32(a[i]*s) + float32(b[i]*t)
		}
	},
	ScalarSub: withScalar(func(a, s float32) float32 { return s - a }),
	ScalarDiv: withScalar(func(a, s float32) float32 { return s / a }),
	MulAdd: func(out, a, b []float32) {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] += float32(a[i] * b[i])
		}
	},
	ScaleShift: func(out, a []float32, s, t float32) {
		for i, x := range a[:len(out)] {
			out[i] = float32(x*s) + t
		}
	},
	Clamp: func(out, a []float32, s, t float32) {
		for i, x := range a[:len(out)] {
			out[i] = min(max(x, s), t)
		}
	},
	LeakyRelu: withScalar(leaky),
	Neg:       each(func(x float32) float32 { return -x }),
	Abs:       each(func(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }),
	Sqrt:      each(sqrt),
	Rsqrt:     each(func(x float32) float32 { return 1 / sqrt(x) }),
	Exp:       each(exp),
	Logistic:  each(logistic),
	Tanh:      each(tanh),
	GeluTanh:  each(geluTanh),
	GeluErf:   each(geluErf),
	Elu:       each(elu),
	Floor:     each(func(x float32) float32 { return float32(math.Floor(float64(x))) }),
	Ceil:      each(func(x float32) float32 { return float32(math.Ceil(float64(x))) }),
	Round:     each(func(x float32) float32 { return float32(math.RoundToEven(float64(x))) }),
	Log:       each(func(x float32) float32 { return float32(math.Log(float64(x))) }),
	SinNear:   each(sine),
	CosNear:   each(cosine),
	Sign:      each(sign),
	HardSwish: each(func(x float32) float32 { return x * float32(min(max(x+3, 0), 6)*(1.0/6)) }),
	Sum:       totalGeneric,
	Largest:   largestOf,
	Smallest:  smallestOf,
	SumSquares: func(a []float32, s float32) float32 {
		var sums [4]float32
		for i, x := range a {
			d := x - s
			sums[i%4] += float32(d * d)
		}
		return sum4(&sums)
	},
	CountBeyond: func(a []float32, s float32) float32 {
		count := 0
		for _, x := range a {
			if x > s || -x > s {
				count++
			}
		}
		return float32(count)
	},
	ExpSum: func(out, a []float32, s, t float32) float32 {
		for i, x := range a[:len(out)] {
			out[i] = exp(float32((x - s) * t))
		}
		return totalGeneric(out)
	},
	LargestOfColumns: func(a, sums []float32) {
		for i, x := range a {
			sums[i%genericColumns] = max(sums[i%genericColumns], x)
		}
	},
	ExpSumOfColumns: func(out, a, b, sums []float32, s float32) {
		for i, x := range a {
			out[i] = exp(float32((x - b[i%genericColumns]) * s))
			sums[i%genericColumns] += out[i]
		}
	},
	Choose: func(out []float32, a []uint8, b []float32) {
		a, b = a[:len(out)], b[:len(out)]
		for i, chosen := range a {
			if chosen != 0 {
				out[i] = b[i]
			}
		}
	},
	ChooseScalar: func(out []float32, a []uint8, s float32) {
		for i, chosen := range a[:len(out)] {
			if chosen != 0 {
				out[i] = s
			}
		}
	},
	FromFloat16:            fromFloat16Generic,
	ToFloat16:              toFloat16Generic,
	FromInt8:               fromBytes[int8],
	FromUint8:              fromBytes[uint8],
	FromInt8OfColumns:      ofColumns(func(x int8) int8 { return x }),
	FromLowerInt4OfColumns: ofColumns(func(x int8) int8 { return x << 4 >> 4 }),
	FromUpperInt4OfColumns: ofColumns(func(x int8) int8 { return x >> 4 }),
}

func fromFloat16Generic(out []float32, a []uint16) {
	for i, x := range a[:len(out)] {
		out[i] = float16.Frombits(x).Float32()
	}
}

func toFloat16Generic(out []uint16, a []float32) {
	for i, x := range a[:len(out)] {
		out[i] = float16.Fromfloat32(x).Bits()
	}
}

func fromBytes[T int8 | uint8](out []float32, a []T, s, t float32) {
	for i, x := range a[:len(out)] {
		out[i] = (float32(x) - s) * t
	}
}

func squaredDifference(a, b float32) float32 { return (a - b) * (a - b) }

func leaky(a, s float32) float32 {
	if a < 0 {
		return a * s
	}
	return a
}

// The most frequent operators have loops of their own: a call for each element
// would take longer than the arithmetic.

func addGeneric(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] + b[i]
	}
}

func subGeneric(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] - b[i]
	}
}

func mulGeneric(out, a, b []float32) {
	a, b = a[:len(out)], b[:len(out)]
	for i := range out {
		out[i] = a[i] * b[i]
	}
}

func larger(a, b float32) float32  { return max(a, b) }
func smaller(a, b float32) float32 { return min(a, b) }

func pairwise(f func(a, b float32) float32) func(out, a, b []float32) {
	return func(out, a, b []float32) {
		a, b = a[:len(out)], b[:len(out)]
		for i := range out {
			out[i] = f(a[i], b[i])
		}
	}
}

func withScalar(f func(a, s float32) float32) func(out, a []float32, s float32) {
	return func(out, a []float32, s float32) {
		for i, x := range a[:len(out)] {
			out[i] = f(x, s)
		}
	}
}

func each(f func(x float32) float32) func(out, a []float32) {
	return func(out, a []float32) {
		for i, x := range a[:len(out)] {
			out[i] = f(x)
		}
	}
}

// totalGeneric adds in four interleaved sums, which is faster and rounds less.
func totalGeneric(x []float32) float32 {
	var s0, s1, s2, s3 float32
	for len(x) >= 4 {
		s0 += x[0]
		s1 += x[1]
		s2 += x[2]
		s3 += x[3]
		x = x[4:]
	}
	for _, v := range x {
		s0 += v
	}
	return (s0 + s1) + (s2 + s3)
}

func ofColumns(integer func(int8) int8) func(out []float32, a []int8, b []float32, s float32) {
	return func(out []float32, a []int8, b []float32, s float32) {
		for i, x := range a[:len(out)] {
			out[i] = (float32(integer(x)) - s) * b[i%genericColumns]
		}
	}
}
