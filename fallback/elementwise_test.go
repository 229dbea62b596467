package fallback

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// broadcastPairs are shapes with each way of stretching.
var broadcastPairs = [][2][]int{
	{{}, {}}, {{1}, {}}, {{5}, {5}}, {{}, {2, 3}}, {{2, 3}, {1}}, {{1, 88, 192}, {192}}, {{3, 4, 5}, {3, 4, 1}},
	{{1, 4, 1}, {3, 1, 5}}, {{2, 1, 3, 1}, {1, 4, 1, 5}}, {{7, 1, 2}, {7, 3, 2}}, {{4, 5}, {2, 3, 4, 5}},
	{{2, 3, 4, 5}, {2, 1, 4, 5}}, {{1, 1, 1, 1, 2, 3}, {2, 2, 2, 2, 1, 3}}, {{0, 3}, {1, 3}}, {{100, 200}, {100, 200}}, {{300, 100}, {1, 100}}, {{300, 100}, {300, 1}},
}

func TestBinaryOperatorsStretchTheirOperands(t *testing.T) {
	quotient := func(a, b float64) float64 { return a / b }
	operators := []struct {
		name  string
		build func(b *graph.Builder, x, y graph.T) graph.T
		f     func(a, b float64) float64
		types []graph.TensorType
	}{
		{"add", (*graph.Builder).Add, func(a, b float64) float64 { return a + b }, []graph.TensorType{graph.Float32, graph.Int32, graph.Int64}},
		{"sub", (*graph.Builder).Sub, func(a, b float64) float64 { return a - b }, []graph.TensorType{graph.Float32, graph.Int32, graph.Int64}},
		{"mul", (*graph.Builder).Mul, func(a, b float64) float64 { return a * b }, []graph.TensorType{graph.Float32, graph.Int32, graph.Int64}},
		{"div", (*graph.Builder).Div, quotient, []graph.TensorType{graph.Float32}},
		{"squared difference", (*graph.Builder).SquaredDifference, func(a, b float64) float64 { return (a - b) * (a - b) }, []graph.TensorType{graph.Float32, graph.Int32}},
		{"maximum", (*graph.Builder).Maximum, math.Max, []graph.TensorType{graph.Float32, graph.Int32, graph.Int64}},
		{"minimum", (*graph.Builder).Minimum, math.Min, []graph.TensorType{graph.Float32, graph.Int32, graph.Int64}},
	}
	for _, o := range operators {
		for _, typ := range o.types {
			for _, shapes := range broadcastPairs {
				t.Run(fmt.Sprintf("%s %v %v and %v", o.name, typ, shapes[0], shapes[1]), func(t *testing.T) {
					r := seeded(t)
					x, y := random(r, typ, shapes[0]...), random(r, typ, shapes[1]...)
					got := evaluate(t, one(func(b *graph.Builder, x []graph.T) graph.T { return o.build(b, x[0], x[1]) }), x, y)
					shape, err := broadcastShapes(shapes[0], shapes[1])
					if err != nil {
						t.Fatal(err)
					}
					want := newTensor(shape...)
					a, b := tensorOf(x), tensorOf(y)
					every(shape, func(i []int) { want.data[want.flat(i...)] = o.f(a.stretched(i), b.stretched(i)) })
					same(t, got[0], want, 2e-7)
				})
			}
		}
	}
}

// pairwise runs a binary operator that the builder may have no method for.
func pairwise(t *testing.T, code graph.OpCode, x, y graph.Array) graph.Array {
	t.Helper()
	return evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T {
		return b.Op(code, 0, nil, in, graph.Tensor{Type: x.Type, Shape: x.Shape, HasRank: true})[0]
	}), x, y)[0]
}

func TestPowersAndDivisionsOfIntegers(t *testing.T) {
	x := ints32(7, -7, 7, -7, 0, 3, 1, -1, -1, math.MinInt32)
	y := ints32(2, 2, -2, -2, 5, 0, -9, -9, -8, -1)
	sameBytes(t, "pow", pairwise(t, schema.BuiltinOperatorPOW, x, y), ints32(49, 49, 0, 0, 0, 1, 1, -1, 1, 0))
	x, y = ints32(7, -7, 7, -7, 0, 8, math.MinInt32), ints32(2, 2, -2, -2, 5, 4, -1)
	sameBytes(t, "div", pairwise(t, schema.BuiltinOperatorDIV, x, y), ints32(3, -3, -3, 3, 0, 2, math.MinInt32))
	sameBytes(t, "floor div", pairwise(t, schema.BuiltinOperatorFLOOR_DIV, x, y), ints32(3, -4, -4, 3, 0, 2, math.MinInt32))
	sameBytes(t, "floor mod", pairwise(t, schema.BuiltinOperatorFLOOR_MOD, x, y), ints32(1, 1, -1, -1, 0, 0, 0))
}

func TestFloatDivisionsRoundDown(t *testing.T) {
	x, y := floats32(7, -7, 7, -7, 0.5, -6), floats32(2, 2, -2, -2, 3, 3)
	same(t, pairwise(t, schema.BuiltinOperatorFLOOR_DIV, x, y), tensorOf(floats32(3, -4, -4, 3, 0, -2)), 0)
	same(t, pairwise(t, schema.BuiltinOperatorFLOOR_MOD, x, y), tensorOf(floats32(1, 1, -1, -1, 0.5, 0)), 0)
	same(t, pairwise(t, schema.BuiltinOperatorPOW, floats32(2, 9, 4), floats32(10, 0.5, -1)), tensorOf(floats32(1024, 3, 0.25)), 1e-6)
	same(t, pairwise(t, schema.BuiltinOperatorATAN2, floats32(1, -1), floats32(-1, 1)), tensorOf(floats32(3*math.Pi/4, -math.Pi/4)), 1e-6)
}

func TestFusedActivationsOfIntegersClamp(t *testing.T) {
	x := ints32(-9, -1, 0, 1, 5, 9)
	for act, want := range map[graph.Activation]graph.Array{
		graph.ActNone:      ints32(-9, -1, 0, 1, 5, 9),
		graph.ActRelu:      ints32(0, 0, 0, 1, 5, 9),
		graph.ActRelu6:     ints32(0, 0, 0, 1, 5, 6),
		graph.ActReluN1To1: ints32(-1, -1, 0, 1, 1, 1),
	} {
		got := evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T { return b.AddAct(in[0], in[1], act) }), x, ints32(0, 0, 0, 0, 0, 0))
		sameBytes(t, fmt.Sprint(act), got[0], want)
	}
}

func TestComparisonsAndLogic(t *testing.T) {
	nan := float32(math.NaN())
	x, y := floats32(1, 2, 3, nan, nan), floats32(2, 2, 2, 2, nan)
	bools := func(v ...bool) graph.Array { return arrayOf(graph.Bool, v, len(v)) }
	for code, want := range map[graph.OpCode]graph.Array{
		schema.BuiltinOperatorEQUAL:         bools(false, true, false, false, false),
		schema.BuiltinOperatorNOT_EQUAL:     bools(true, false, true, true, true),
		schema.BuiltinOperatorLESS:          bools(true, false, false, false, false),
		schema.BuiltinOperatorLESS_EQUAL:    bools(true, true, false, false, false),
		schema.BuiltinOperatorGREATER:       bools(false, false, true, false, false),
		schema.BuiltinOperatorGREATER_EQUAL: bools(false, true, true, false, false),
	} {
		got := evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T { return b.Compare(code, in[0], in[1]) }), x, y)
		sameBytes(t, code.String(), got[0], want)
	}
	p, q := bools(false, false, true, true), bools(false, true, false, true)
	sameBytes(t, "and", pairwise(t, schema.BuiltinOperatorLOGICAL_AND, p, q), bools(false, false, false, true))
	sameBytes(t, "or", pairwise(t, schema.BuiltinOperatorLOGICAL_OR, p, q), bools(false, true, true, true))
	not := evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T { return b.LogicalNot(in[0]) }), p)
	sameBytes(t, "not", not[0], bools(true, true, false, false))
}

func TestSelectStretchesItsThreeOperands(t *testing.T) {
	for _, typ := range []graph.TensorType{graph.Float32, graph.Int64, graph.Uint8, graph.Int16} {
		for _, s := range [][3][]int{{{4}, {4}, {4}}, {{3, 1}, {1, 4}, {}}, {{2, 3, 4}, {4}, {3, 1}}, {{1}, {2, 2}, {2, 2}}, {{0}, {0}, {1}}} {
			t.Run(fmt.Sprintf("%v %v", typ, s), func(t *testing.T) {
				r := seeded(t)
				c, x, y := random(r, graph.Bool, s[0]...), random(r, typ, s[1]...), random(r, typ, s[2]...)
				got := evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T { return b.SelectV2(in[0], in[1], in[2]) }), c, x, y)[0]
				size := graph.ElementBits(typ) / 8
				element := func(a graph.Array, index []int) []byte {
					at := newTensor(a.Shape...)
					for i := range at.data {
						at.data[i] = float64(i)
					}
					k := int(at.stretched(index))
					return a.Data[k*size:][:size]
				}
				out := newTensor(got.Shape...)
				every(got.Shape, func(i []int) {
					want := element(y, i)
					if tensorOf(c).stretched(i) != 0 {
						want = element(x, i)
					}
					if !slices.Equal(got.Data[out.flat(i...)*size:][:size], want) {
						t.Fatalf("element %v is not of the right operand", i)
					}
				})
			})
		}
	}
}

// specials are values where functions go wrong.
var specials = []float32{0, float32(math.Copysign(0, -1)), 1, -1, 0.5, -0.5, 1.5, 2.5, -1.5, -2.5, 3, -3, 6, 7, 1e-40, -1e-40, 1e-20, 88, -88, 89, -104, -110, 1e10, -1e10,
	math.MaxFloat32, -math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}

func TestFunctionsOfOneValue(t *testing.T) {
	clampTo := func(low, high float64) func(float64) float64 {
		return func(x float64) float64 { return math.Min(math.Max(x, low), high) }
	}
	type function struct {
		code    graph.OpCode
		options any
		f       func(x float64) float64
		tol     float64
	}
	gelu := func(x float64) float64 { return x * 0.5 * math.Erfc(-x/math.Sqrt2) }
	geluTanh := func(x float64) float64 {
		if x < -1e4 {
			return math.Copysign(0, -1)
		}
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}
	for _, c := range []function{
		{schema.BuiltinOperatorRSQRT, nil, func(x float64) float64 { return 1 / math.Sqrt(x) }, 2e-7},
		{schema.BuiltinOperatorSQRT, nil, math.Sqrt, 1e-7},
		{schema.BuiltinOperatorSQUARE, nil, func(x float64) float64 { return x * x }, 1e-7},
		{schema.BuiltinOperatorEXP, nil, math.Exp, 3e-7},
		{schema.BuiltinOperatorLOG, nil, math.Log, 2.5e-7},
		{schema.BuiltinOperatorNEG, nil, func(x float64) float64 { return -x }, 0},
		{schema.BuiltinOperatorABS, nil, math.Abs, 0},
		{schema.BuiltinOperatorSIN, nil, math.Sin, 2.5e-7},
		{schema.BuiltinOperatorCOS, nil, math.Cos, 2.5e-7},
		{schema.BuiltinOperatorTANH, nil, math.Tanh, 3e-7},
		{schema.BuiltinOperatorLOGISTIC, nil, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 3e-7},
		{schema.BuiltinOperatorRELU, nil, clampTo(0, math.Inf(1)), 0},
		{schema.BuiltinOperatorRELU6, nil, clampTo(0, 6), 0},
		{schema.BuiltinOperatorRELU_N1_TO_1, nil, clampTo(-1, 1), 0},
		{schema.BuiltinOperatorRELU_0_TO_1, nil, clampTo(0, 1), 0},
		{schema.BuiltinOperatorELU, nil, func(x float64) float64 {
			if x > 0 {
				return x
			}
			return math.Expm1(x)
		}, 1e-7},
		{schema.BuiltinOperatorLEAKY_RELU, &schema.LeakyReluOptionsT{Alpha: 0.25}, func(x float64) float64 { return math.Max(x, x/4) }, 0},
		{schema.BuiltinOperatorHARD_SWISH, nil, func(x float64) float64 { return x * math.Min(math.Max(x+3, 0), 6) / 6 }, 2e-7},
		{schema.BuiltinOperatorGELU, &schema.GeluOptionsT{}, gelu, 2e-7},
		{schema.BuiltinOperatorGELU, &schema.GeluOptionsT{Approximate: true}, geluTanh, 5e-7},
		{schema.BuiltinOperatorFLOOR, nil, math.Floor, 0},
		{schema.BuiltinOperatorCEIL, nil, math.Ceil, 0},
		{schema.BuiltinOperatorROUND, nil, math.RoundToEven, 0},
		{schema.BuiltinOperatorSIGN, nil, func(x float64) float64 {
			switch {
			case x > 0:
				return 1
			case x < 0:
				return -1
			}
			return x
		}, 0},
	} {
		t.Run(fmt.Sprintf("%v %v", c.code, c.options), func(t *testing.T) {
			values := append([]float32(nil), specials...)
			for i := range 5000 {
				values = append(values, float32(i-2500)/250)
			}
			got := evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T {
				return b.Op(c.code, 0, c.options, in, graph.Tensor{Type: graph.Float32, Shape: []int{len(values)}, HasRank: true})[0]
			}), floats32(values...))[0]
			for i, x := range values {
				// Rounded to float32 first: beyond its range both are infinite.
				y, want := float64(graph.View[float32](got.Data)[i]), float64(float32(c.f(float64(x))))
				infinite := math.IsInf(float64(x), 0) // HARD_SWISH and GELU are 0·∞ there
				if y == want || y != y && (want != want || infinite) {
					continue
				}
				if d := math.Abs(y - want); !(d <= c.tol*(math.Abs(want)+1e-30) || d <= c.tol && math.Abs(float64(x)) > 1e-3) {
					t.Errorf("of %v is %v, want %v", x, y, want)
				}
			}
		})
	}
}

func TestPreluHasASlopePerChannel(t *testing.T) {
	r := seeded(t)
	x, slope := random(r, graph.Float32, 2, 3, 4, 5), random(r, graph.Float32, 1, 1, 5)
	got := evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T { return b.Prelu(in[0], in[1]) }), x, slope)
	want := newTensor(2, 3, 4, 5)
	every(want.shape, func(i []int) {
		v := tensorOf(x).at(i...)
		if v < 0 {
			v *= tensorOf(slope).stretched(i)
		}
		want.data[want.flat(i...)] = v
	})
	same(t, got[0], want, 1e-7)
}

func TestFunctionsOfIntegers(t *testing.T) {
	x := arrayOf(graph.Int64, []int64{0, 5, -5, 1 << 40, -1 << 40}, 5)
	run := func(code graph.OpCode) []int64 {
		got := evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T {
			return b.Op(code, 0, nil, in, graph.Tensor{Type: graph.Int64, Shape: []int{5}, HasRank: true})[0]
		}), x)
		return graph.View[int64](got[0].Data)
	}
	for code, want := range map[graph.OpCode][]int64{
		schema.BuiltinOperatorNEG:  {0, -5, 5, -1 << 40, 1 << 40},
		schema.BuiltinOperatorABS:  {0, 5, 5, 1 << 40, 1 << 40},
		schema.BuiltinOperatorSIGN: {0, 1, -1, 1, -1},
	} {
		if got := run(code); !slices.Equal(got, want) {
			t.Errorf("%v gives %v, want %v", code, got, want)
		}
	}
}

func TestPowersOfIntegersAreThoseOfBigNumbers(t *testing.T) {
	modulus := new(big.Int).Lsh(big.NewInt(1), 32)
	for a := int32(-20); a <= 20; a++ {
		for b := int32(0); b <= 40; b++ {
			exact := new(big.Int).Exp(big.NewInt(int64(a)), big.NewInt(int64(b)), nil)
			want := int32(uint32(exact.Mod(exact, modulus).Uint64()))
			if got := powInteger(a, b); got != want {
				t.Fatalf("%d to the power %d is %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestPowersWithFrequentExponentsAreThoseOfAnyExponent(t *testing.T) {
	r := seeded(t)
	x := append([]float32(nil), specials...)
	for range 500 {
		x = append(x, float32(r.NormFloat64()*3))
	}
	for _, exponent := range []float32{1, 2, 3, -1, 0.5, -0.5, 4, -2, 1.5, 0} {
		out := make([]float32, len(x))
		powLines(out, x, []float32{exponent}, 1, 0)
		for i, v := range x {
			want := powFloat(v, exponent)
			same := out[i] == want && (want != 0 || math.Signbit(float64(out[i])) == math.Signbit(float64(want)))
			if !same && !(out[i] != out[i] && want != want) && !(math.Abs(float64(out[i]-want)) <= 1.2e-7*math.Abs(float64(want))) {
				t.Errorf("%v to the power %v is %v, want %v", v, exponent, out[i], want)
			}
		}
	}
}

func TestSelectTakesEveryTypeAndStretchesEveryOperand(t *testing.T) {
	r := seeded(t)
	types := []graph.TensorType{graph.Float32, graph.Int32, graph.Int64, graph.Int8, graph.Bool, graph.Int16}
	shapes := [][]int{{3, 1, 70}, {1, 5, 70}, {3, 5, 1}, {3, 5, 70}, {1, 1, 1}, {70}}
	for _, typ := range types {
		for range 12 {
			at := func() []int { return shapes[r.IntN(len(shapes))] }
			c, x, y := random(r, graph.Bool, at()...), random(r, typ, at()...), random(r, typ, at()...)
			got := evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T {
				return b.Op(schema.BuiltinOperatorSELECT_V2, 0, nil, in, graph.Tensor{Type: typ, Shape: nil, HasRank: false})[0]
			}), c, x, y)[0]
			size := elementSize(typ)
			lines := newLines(got.Shape, c.Shape, x.Shape, y.Shape)
			for line := range lines.count() {
				for i := range lines.length {
					at := func(k int) int { return lines.offset(k, line) + i*lines.lineStrides[k] }
					from, k := y.Data, at(2)
					if c.Data[at(0)] != 0 {
						from, k = x.Data, at(1)
					}
					if g, w := got.Data[(line*lines.length+i)*size:][:size], from[k*size:][:size]; !bytes.Equal(g, w) {
						t.Fatalf("%v, %v ? %v : %v: element %d of line %d is %v, want %v", typ, c.Shape, x.Shape, y.Shape, i, line, g, w)
					}
				}
			}
		}
	}
}
