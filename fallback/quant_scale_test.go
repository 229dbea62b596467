package fallback

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"nanoflux/fallback/simd"
	"nanoflux/graph"
)

func TestMultiplierIsWithinHalfAUnitOfTheRealFactor(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 10000 {
		real := math.Ldexp(1+r.Float64(), r.IntN(50)-30)
		m := newMultiplier(real)
		got := math.Ldexp(float64(m.mantissa), m.shift-31)
		if off := math.Abs(got-real) / real; off > math.Ldexp(1, -31) {
			t.Fatalf("%g became %d·2^(%d−31), off by %g", real, m.mantissa, m.shift, off)
		}
	}
	if m := newMultiplier(math.Ldexp(1, -40)); m != (multiplier{}) {
		t.Errorf("2^−40 became %+v, must be 0", m)
	}
	if m := newMultiplier(math.Nextafter(1, 0)); m.mantissa != 1<<30 || m.shift != 1 {
		t.Errorf("the factor just below 1 became %+v, its mantissa must carry over", m)
	}
}

// rounded is x to the nearest integer, by a rule for halves.
func rounded(x *big.Rat, half func(floor *big.Int, x *big.Rat) bool) int64 {
	floor := new(big.Int).Div(new(big.Int).Set(x.Num()), x.Denom()) // Euclidean; the denominator is positive
	rest := new(big.Rat).Sub(x, new(big.Rat).SetInt(floor))
	switch rest.Cmp(big.NewRat(1, 2)) {
	case 1:
		floor.Add(floor, big.NewInt(1))
	case 0:
		if half(floor, x) {
			floor.Add(floor, big.NewInt(1))
		}
	}
	return floor.Int64()
}

func TestMultiplyingRoundsTwiceByItsRule(t *testing.T) {
	away := func(_ *big.Int, x *big.Rat) bool { return x.Sign() > 0 }
	up := func(*big.Int, *big.Rat) bool { return true }
	power := func(n int) *big.Rat {
		return new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), uint(n)))
	}
	r := rand.New(rand.NewPCG(2, 2))
	for i := range 20000 {
		m := multiplier{mantissa: 1<<30 + int32(r.IntN(1<<30)), shift: r.IntN(20) - 18}
		if i%3 == 0 {
			m.mantissa = 1 << 30 // halves are frequent
		}
		x := int32(r.IntN(1<<22) - 1<<21)
		if i%5 == 0 {
			x = int32(r.IntN(64) - 32)
		}
		left, right := max(m.shift, 0), max(-m.shift, 0)
		first := new(big.Rat).SetInt64(int64(x<<left) * int64(m.mantissa))
		first.Mul(first, power(31))
		between := new(big.Rat).SetInt64(rounded(first, up))
		between.Mul(between, power(right))
		if got, want := int64(m.twice(x)), rounded(between, away); got != want {
			t.Fatalf("%+v.twice(%d) = %d, want %d", m, x, got, want)
		}
		if got, want := int64(m.upward(x)), rounded(between, up); got != want {
			t.Fatalf("%+v.upward(%d) = %d, want %d", m, x, got, want)
		}
	}
}

func TestRoundingToInt32Saturates(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		x          float32
		away, even int32
	}{
		{2.5, 3, 2}, {-2.5, -3, -2}, {3.5, 4, 4}, {0.49999997, 0, 0},
		{3e9, math.MaxInt32, math.MaxInt32}, {-3e9, math.MinInt32, math.MinInt32},
		{inf, math.MaxInt32, math.MaxInt32}, {-inf, math.MinInt32, math.MinInt32}, {float32(math.NaN()), 0, 0},
	} {
		if got := roundAway(c.x); got != c.away {
			t.Errorf("roundAway(%g) = %d, want %d", c.x, got, c.away)
		}
		if got := roundEven(c.x); got != c.even {
			t.Errorf("roundEven(%g) = %d, want %d", c.x, got, c.even)
		}
	}
}

func TestActivationRange(t *testing.T) {
	at := func(t graph.TensorType, scale float32, zero int64) *graph.Tensor {
		return &graph.Tensor{Type: t, Quantization: &graph.Quantization{Scale: []float32{scale}, ZeroPoint: []int64{zero}}}
	}
	for _, c := range []struct {
		name      string
		t         *graph.Tensor
		a         graph.Activation
		low, high int32
	}{
		{"nothing fused", at(graph.Int8, 0.5, 3), graph.ActNone, -128, 127},
		{"RELU begins at the zero point", at(graph.Int8, 0.5, 3), graph.ActRelu, 3, 127},
		{"RELU6 ends 6/scale above it", at(graph.Int8, 0.5, 3), graph.ActRelu6, 3, 15},
		{"RELU6 ends at the type's end", at(graph.Uint8, 0.01, 3), graph.ActRelu6, 3, 255},
		{"a scale so small that 6/scale is no int32", at(graph.Int8, 1e-12, 100), graph.ActRelu6, 100, 127},
		{"RELU_N1_TO_1 is around it", at(graph.Int16, 0.25, 0), graph.ActReluN1To1, -4, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			if low, high := activationRange(c.t, c.a); low != c.low || high != c.high {
				t.Errorf("%d…%d, want %d…%d", low, high, c.low, c.high)
			}
		})
	}
}

func TestDynamicQuantizationIsWithinHalfAStep(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 200 {
		x := make([]float32, 1+r.IntN(50))
		shift := 4*r.Float32() - 2
		for i := range x {
			x[i] = 8*r.Float32() - 4 + shift
		}
		for name, quantize := range map[string]func(*simd.Integer, []byte, []float32) dynamicRange{
			"symmetric": quantizeSymmetric, "asymmetric": quantizeAsymmetric,
		} {
			q := make([]byte, len(x))
			d := quantize(&simd.Active().Integer, q, x)
			for i, b := range q {
				// The zero point is rounded too, which moves both ends.
				v := float32(int32(int8(b)) - d.zero)
				if off := math.Abs(float64(v*d.scale - x[i])); off > 1.01*float64(d.scale) {
					t.Fatalf("%s: %g became %g·%g", name, x[i], v, d.scale)
				}
			}
		}
	}
	q := []byte{1, 1}
	if d := quantizeAsymmetric(&simd.Active().Integer, q, []float32{0, 0}); q[0] != 0 || d != (dynamicRange{scale: 1}) {
		t.Errorf("zeros became %v with %v", q, d)
	}
}

func TestKernelsRequantizeAsMultipliersDo(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 300 {
		const columns = 40
		rule := requantizer{zero: r.Int32N(200) - 100, low: -128, high: 127, upward: r.IntN(columns + 1)}
		for range columns {
			rule.multipliers = append(rule.multipliers, newMultiplier(math.Ldexp(r.Float64(), r.IntN(40)-35)))
		}
		if r.IntN(3) == 0 { // halves are frequent
			for i := range rule.multipliers {
				rule.multipliers[i].mantissa = 1 << 30
			}
		}
		sums := make([]int32, 48)
		for i := range sums {
			sums[i] = int32(r.Uint32()) >> r.IntN(32)
		}
		got := make([]byte, columns)
		simd.Active().Integer.Requantize(got, columns, sums, columns, 1, columns, rule.plan(columns), 0)
		for i, m := range rule.multipliers {
			want := m.twice(sums[i])
			if i < rule.upward {
				want = m.upward(sums[i])
			}
			if want = clampInteger(rule.zero+want, rule.low, rule.high); int32(int8(got[i])) != want {
				t.Fatalf("column %d of %+v: %d became %d, want %d", i, rule, sums[i], int8(got[i]), want)
			}
		}
	}
}
