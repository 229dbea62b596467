package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// vectorCase is a function that makes each element of out from the same elements
// of a and b.
type vectorCase struct {
	name string
	call func(v *Vector, out, a, b []float32, s, t float32)
	want func(a, b, out, s, t float64) float64
	// ulp is how many units in the last place the result may be off.
	ulp float64
}

func bothOperands(name string, f func(v *Vector) func(out, a, b []float32), want func(a, b float64) float64) vectorCase {
	return vectorCase{name, func(v *Vector, out, a, b []float32, _, _ float32) { f(v)(out, a, b) }, func(a, b, _, _, _ float64) float64 { return want(a, b) }, 0.5}
}

func scalarOperand(name string, f func(v *Vector) func(out, a []float32, s float32), want func(a, s float64) float64) vectorCase {
	return vectorCase{name, func(v *Vector, out, a, _ []float32, s, _ float32) { f(v)(out, a, s) }, func(a, _, _, s, _ float64) float64 { return want(a, s) }, 0.5}
}

func oneOperand(name string, ulp float64, f func(v *Vector) func(out, a []float32), want func(a float64) float64) vectorCase {
	return vectorCase{name, func(v *Vector, out, a, _ []float32, _, _ float32) { f(v)(out, a) }, func(a, _, _, _, _ float64) float64 { return want(a) }, ulp}
}

var vectorCases = []vectorCase{
	bothOperands("Add", func(v *Vector) func(out, a, b []float32) { return v.Add }, func(a, b float64) float64 { return a + b }),
	bothOperands("Sub", func(v *Vector) func(out, a, b []float32) { return v.Sub }, func(a, b float64) float64 { return a - b }),
	bothOperands("Mul", func(v *Vector) func(out, a, b []float32) { return v.Mul }, func(a, b float64) float64 { return a * b }),
	bothOperands("Div", func(v *Vector) func(out, a, b []float32) { return v.Div }, func(a, b float64) float64 { return a / b }),
	bothOperands("Max", func(v *Vector) func(out, a, b []float32) { return v.Max }, math.Max),
	bothOperands("Min", func(v *Vector) func(out, a, b []float32) { return v.Min }, math.Min),
	bothOperands("PRelu", func(v *Vector) func(out, a, b []float32) { return v.PRelu }, func(a, b float64) float64 {
		if a < 0 {
			return a * b
		}
		return a
	}),
	{"SquaredDifference", func(v *Vector, out, a, b []float32, _, _ float32) { v.SquaredDifference(out, a, b) }, func(a, b, _, _, _ float64) float64 { return squared(a - b) }, 0.5},
	{"SquaredDifferenceScalar", func(v *Vector, out, a, _ []float32, s, _ float32) { v.SquaredDifferenceScalar(out, a, s) }, func(a, _, _, s, _ float64) float64 { return squared(a - s) }, 0.5},
	{"Mix", func(v *Vector, out, a, b []float32, s, t float32) { v.Mix(out, a, b, s, t) }, func(a, b, _, s, t float64) float64 { return a*s + b*t }, 2},
	scalarOperand("AddScalar", func(v *Vector) func(out, a []float32, s float32) { return v.AddScalar }, func(a, s float64) float64 { return a + s }),
	scalarOperand("SubScalar", func(v *Vector) func(out, a []float32, s float32) { return v.SubScalar }, func(a, s float64) float64 { return a - s }),
	scalarOperand("MulScalar", func(v *Vector) func(out, a []float32, s float32) { return v.MulScalar }, func(a, s float64) float64 { return a * s }),
	scalarOperand("DivScalar", func(v *Vector) func(out, a []float32, s float32) { return v.DivScalar }, func(a, s float64) float64 { return a / s }),
	scalarOperand("MaxScalar", func(v *Vector) func(out, a []float32, s float32) { return v.MaxScalar }, math.Max),
	scalarOperand("MinScalar", func(v *Vector) func(out, a []float32, s float32) { return v.MinScalar }, math.Min),
	scalarOperand("ScalarSub", func(v *Vector) func(out, a []float32, s float32) { return v.ScalarSub }, func(a, s float64) float64 { return s - a }),
	scalarOperand("ScalarDiv", func(v *Vector) func(out, a []float32, s float32) { return v.ScalarDiv }, func(a, s float64) float64 { return s / a }),
	scalarOperand("LeakyRelu", func(v *Vector) func(out, a []float32, s float32) { return v.LeakyRelu }, func(a, s float64) float64 {
		if a < 0 {
			return a * s
		}
		return a
	}),
	{"MulAdd", func(v *Vector, out, a, b []float32, _, _ float32) { v.MulAdd(out, a, b) }, func(a, b, out, _, _ float64) float64 { return out + a*b }, 2},
	{"ScaleShift", func(v *Vector, out, a, _ []float32, s, t float32) { v.ScaleShift(out, a, s, t) }, func(a, _, _, s, t float64) float64 { return a*s + t }, 2},
	{"Clamp", func(v *Vector, out, a, _ []float32, s, t float32) { v.Clamp(out, a, min(s, t), max(s, t)) }, func(a, _, _, s, t float64) float64 { return math.Min(math.Max(a, math.Min(s, t)), math.Max(s, t)) }, 0},
	oneOperand("Neg", 0, func(v *Vector) func(out, a []float32) { return v.Neg }, func(a float64) float64 { return -a }),
	oneOperand("Abs", 0, func(v *Vector) func(out, a []float32) { return v.Abs }, math.Abs),
	oneOperand("Sqrt", 0.5, func(v *Vector) func(out, a []float32) { return v.Sqrt }, math.Sqrt),
	oneOperand("Rsqrt", 2, func(v *Vector) func(out, a []float32) { return v.Rsqrt }, func(a float64) float64 { return 1 / math.Sqrt(a) }),
	oneOperand("Exp", 2, func(v *Vector) func(out, a []float32) { return v.Exp }, math.Exp),
	oneOperand("Logistic", 4, func(v *Vector) func(out, a []float32) { return v.Logistic }, func(a float64) float64 { return 1 / (1 + math.Exp(-a)) }),
	oneOperand("Tanh", 4, func(v *Vector) func(out, a []float32) { return v.Tanh }, math.Tanh),
	oneOperand("GeluErf", 6, func(v *Vector) func(out, a []float32) { return v.GeluErf }, func(a float64) float64 { return a * math.Erfc(-a/math.Sqrt2) / 2 }),
	oneOperand("Elu", 3, func(v *Vector) func(out, a []float32) { return v.Elu }, func(a float64) float64 {
		if a < 0 {
			return math.Expm1(a)
		}
		return a
	}),
	oneOperand("Log", 2, func(v *Vector) func(out, a []float32) { return v.Log }, math.Log),
	oneOperand("Sin", 2, func(v *Vector) func(out, a []float32) { return v.Sin }, math.Sin),
	oneOperand("Cos", 2, func(v *Vector) func(out, a []float32) { return v.Cos }, math.Cos),
	oneOperand("Sign", 0, func(v *Vector) func(out, a []float32) { return v.Sign }, func(a float64) float64 {
		if a > 0 || a < 0 {
			return math.Copysign(1, a)
		}
		return a
	}),
	oneOperand("Floor", 0, func(v *Vector) func(out, a []float32) { return v.Floor }, math.Floor),
	oneOperand("Ceil", 0, func(v *Vector) func(out, a []float32) { return v.Ceil }, math.Ceil),
	oneOperand("Round", 0, func(v *Vector) func(out, a []float32) { return v.Round }, math.RoundToEven),
	oneOperand("HardSwish", 3, func(v *Vector) func(out, a []float32) { return v.HardSwish }, func(a float64) float64 { return a * math.Min(math.Max(a+3, 0), 6) / 6 }),
}

// squared is the square of a difference that was rounded to a float32.
func squared(d float64) float64 { return float64(float32(d)) * float64(float32(d)) }

// special are values at the edges of float32.
var special = []float32{0, float32(math.Copysign(0, -1)), 1, -1, 88.7, 88.73, 89, -87.3, -87.4, -103.9, -104, -200, 0.625, -0.6249, 9.1, 20, 1e-40, -1e-40, 1e38, -1e38,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), math.SmallestNonzeroFloat32, math.MaxFloat32}

// numbers are n values: all sizes, special ones among them.
func numbers(r *rand.Rand, n int) []float32 {
	list := make([]float32, n)
	for i := range list {
		switch r.IntN(8) {
		case 0:
			list[i] = special[r.IntN(len(special))]
		case 1:
			list[i] = float32(r.NormFloat64() * 30)
		default:
			list[i] = float32(r.NormFloat64() * 2)
		}
	}
	return list
}

// guardedCopy is a copy that ends where memory that may not be touched begins.
func guardedCopy(t *testing.T, x []float32) []float32 {
	t.Helper()
	g := guarded[float32](t, len(x))
	copy(g, x)
	return g
}

var vectorLengths = []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129, 513}

// near reports whether got is want within so many units in the last place of
// a float32.
func near(got float32, want, ulp float64) bool {
	if math.IsNaN(want) {
		return got != got
	}
	rounded := float32(want)
	if got == rounded {
		return true
	}
	if math.IsInf(want, 0) || got != got {
		return false
	}
	// Where results are denormal, units are those of the smallest normal number.
	unit := math.Abs(float64(math.Float32frombits(math.Float32bits(float32(max(math.Abs(want), 1.2e-38)))+1)) - max(math.Abs(want), 1.2e-38))
	if math.IsInf(float64(got), 0) || math.IsInf(float64(rounded), 0) {
		return math.Abs(want) > math.MaxFloat32*(1-1e-6)
	}
	return math.Abs(float64(got)-want) <= ulp*unit*1.001+1e-45
}

func TestEveryTableComputesElementsWithinTheStatedError(t *testing.T) {
	for _, table := range Available() {
		for _, c := range vectorCases {
			t.Run(table.Name+" "+c.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(7, uint64(len(c.name))))
				for _, n := range vectorLengths {
					a, b, out := guardedCopy(t, numbers(r, n)), guardedCopy(t, numbers(r, n)), guardedCopy(t, numbers(r, n))
					s, u := float32(r.NormFloat64()*2), float32(r.NormFloat64()*2)
					before := append([]float32(nil), out...)
					c.call(&table.Vector, out, a, b, s, u)
					for i, got := range out {
						x, y := float64(a[i]), float64(b[i])
						want := c.want(x, y, float64(before[i]), float64(s), float64(u))
						if (x != x || y != y || before[i] != before[i]) && (c.name == "Max" || c.name == "Min" || c.name == "MaxScalar" || c.name == "MinScalar") {
							continue // left to the processor
						}
						ulp := c.ulp
						if z := map[string]float64{"MulAdd": x * y, "ScaleShift": x * float64(s), "Mix": math.Abs(x*float64(s)) + math.Abs(y*float64(u))}[c.name]; z != 0 && !math.IsInf(z, 0) {
							ulp += math.Abs(z / want) // rounding the product counts in its own units
						}
						if !near(got, want, ulp) {
							t.Fatalf("length %d, element %d: %v and %v (was %v, s %v, t %v) give %v, want %v", n, i, a[i], b[i], before[i], s, u, got, want)
						}
					}
					// In place, from every offset: the same bits.
					for from := 0; from < min(n, 3); from++ {
						again := append([]float32(nil), before[from:]...)
						x := append([]float32(nil), a[from:]...)
						c.call(&table.Vector, again, x, b[from:], s, u)
						if c.name != "MulAdd" {
							c.call(&table.Vector, x, x, b[from:], s, u)
						} else {
							x = again
						}
						for i := range again {
							if g, w := math.Float32bits(again[i]), math.Float32bits(out[from+i]); g != w && again[i] == again[i] {
								t.Fatalf("length %d from %d: element %d is %v, was %v", n, from, i, again[i], out[from+i])
							}
							if g, w := math.Float32bits(x[i]), math.Float32bits(again[i]); g != w && x[i] == x[i] {
								t.Fatalf("length %d in place: element %d is %v, was %v", n, i, x[i], again[i])
							}
						}
					}
				}
			})
		}
	}
}

func TestGELUIsWithinAFewUnitsOfItsFormula(t *testing.T) {
	for _, table := range Available() {
		a := make([]float32, 4001)
		for i := range a {
			a[i] = float32(i-2000) / 250
		}
		out := make([]float32, len(a))
		table.GeluTanh(out, a)
		for i, x := range a {
			v := float64(x)
			want := v / (1 + math.Exp(-2*math.Sqrt(2/math.Pi)*(v+0.044715*v*v*v)))
			if d := math.Abs(float64(out[i]) - want); d > 1e-6*math.Abs(want)*(1+math.Abs(v*v)/4)+1e-12 {
				t.Fatalf("%s: %v gives %v, want %v", table.Name, x, out[i], want)
			}
		}
	}
}

func TestEveryTableFoldsSlices(t *testing.T) {
	for _, table := range Available() {
		r := rand.New(rand.NewPCG(3, 3))
		for _, n := range vectorLengths {
			a := make([]float32, n)
			sum, squares, top := 0.0, 0.0, math.Inf(-1)
			s := float32(r.NormFloat64())
			for i := range a {
				a[i] = float32(r.NormFloat64() * 3)
				sum += float64(a[i])
				squares += (float64(a[i]) - float64(s)) * (float64(a[i]) - float64(s))
				top = max(top, float64(a[i]))
			}
			a = guardedCopy(t, a)
			close := func(name string, got float32, want, size float64) {
				if math.Abs(float64(got)-want) > 1e-6*(1+size) {
					t.Fatalf("%s %s of %d: %v, want %v", table.Name, name, n, got, want)
				}
			}
			close("sum", table.Sum(a), sum, 3*float64(n))
			beyond := 0.0
			for _, x := range a {
				if math.Abs(float64(x)) > 2.5 {
					beyond++
				}
			}
			if got := table.CountBeyond(a, 2.5); float64(got) != beyond {
				t.Fatalf("%s: %v of %d are beyond, want %v", table.Name, got, n, beyond)
			}
			close("sum of squares", table.SumSquares(a, s), squares, squares)
			if n == 0 {
				continue
			}
			if got := table.Largest(a); got != float32(top) {
				t.Fatalf("%s: largest of %d is %v, want %v", table.Name, n, got, top)
			}
			if got, want := table.Smallest(a), slices.Min(a); got != want {
				t.Fatalf("%s: smallest of %d is %v, want %v", table.Name, n, got, want)
			}
			out := guardedCopy(t, make([]float32, n))
			got, want := table.ExpSum(out, a, float32(top), 0.5), 0.0
			for i := range a {
				e := math.Exp((float64(a[i]) - top) * 0.5)
				want += e
				close(fmt.Sprint("e^ element ", i), out[i], e, e)
			}
			close("sum of e^", got, want, want)
		}
	}
}

func TestEveryTableFoldsColumns(t *testing.T) {
	for _, table := range Available() {
		r := rand.New(rand.NewPCG(4, 4))
		for _, rows := range []int{0, 1, 2, 3, 24, 101} {
			c := table.Columns
			a := make([]float32, rows*c)
			for i := range a {
				a[i] = float32(r.NormFloat64() * 3)
			}
			a = guardedCopy(t, a)
			top, sums := make([]float32, c), make([]float32, c)
			for j := range top {
				top[j] = float32(math.Inf(-1))
			}
			table.LargestOfColumns(a, top)
			out := guardedCopy(t, make([]float32, len(a)))
			if rows == 0 {
				clear(top)
			}
			table.ExpSumOfColumns(out, a, top, sums, 0.3)
			for j := range c {
				largest, sum := math.Inf(-1), 0.0
				for k := j; k < len(a); k += c {
					largest = max(largest, float64(a[k]))
				}
				for k := j; k < len(a); k += c {
					e := math.Exp((float64(a[k]) - largest) * float64(float32(0.3)))
					sum += e
					if math.Abs(float64(out[k])-e) > 1e-6 {
						t.Fatalf("%s: row %d, column %d is %v, want %v", table.Name, k/c, j, out[k], e)
					}
				}
				if rows > 0 && float64(top[j]) != largest || math.Abs(float64(sums[j])-sum) > 1e-5*(1+sum) {
					t.Fatalf("%s: column %d: %v and %v, want %v and %v", table.Name, j, top[j], sums[j], largest, sum)
				}
			}
		}
	}
}

func TestSinesKeepTheSignOfZeroAndFindLargeAnglesBesideNaN(t *testing.T) {
	nan, negative := float32(math.NaN()), float32(math.Copysign(0, -1))
	for _, table := range Available() {
		for at := range 70 {
			x := slices.Repeat([]float32{nan}, 70)
			x[at] = 1e10
			table.Sin(x, x)
			if want := float32(math.Sin(1e10)); x[at] != want {
				t.Fatalf("%s: element %d is %v, want %v", table.Name, at, x[at], want)
			}
		}
		y := []float32{negative, 0, -1e-40}
		table.Sin(y, y)
		if !math.Signbit(float64(y[0])) || math.Signbit(float64(y[1])) || y[2] != -1e-40 {
			t.Errorf("%s: sines of small numbers are %v", table.Name, y)
		}
		z := []float32{negative}
		table.Sign(z, z)
		if z[0] != 0 {
			t.Errorf("%s: the sign of 0 is %v", table.Name, z[0])
		}
	}
}

func BenchmarkVector(b *testing.B) {
	const n = 4096
	x, y, out := make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range x {
		x[i], y[i] = float32(i%17)/4-2, float32(i%13)/3-2
	}
	for _, table := range Available() {
		for name, f := range map[string]func(){
			"Add":      func() { table.Add(out, x, y) },
			"MulAdd":   func() { table.MulAdd(out, x, y) },
			"Exp":      func() { table.Exp(out, x) },
			"Tanh":     func() { table.Tanh(out, x) },
			"Logistic": func() { table.Logistic(out, x) },
			"GeluTanh": func() { table.GeluTanh(out, x) },
			"Log":      func() { table.Log(out, x) },
			"Sin":      func() { table.Sin(out, x) },
			"Sum":      func() { table.Sum(x) },
			"ExpSum":   func() { table.ExpSum(out, x, 2, 1) },
		} {
			b.Run(table.Name+"/"+name, func(b *testing.B) {
				for b.Loop() {
					f()
				}
				b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gelements/s")
			})
		}
	}
}

// ulps is the distance of a float32 from the exact value, in units of the last
// place of the nearest float32.
func ulps(got float32, exact float64) float64 {
	near := float32(exact)
	unit := float64(math.Nextafter32(near, float32(math.Inf(1)))) - float64(near)
	return math.Abs(float64(got)-exact) / unit
}

func TestFunctionsAreWithinTheirStatedError(t *testing.T) {
	for _, c := range []struct {
		name      string
		f         func(v *Vector) func(out, a []float32)
		exact     func(float64) float64
		low, high float32
		most      float64
	}{
		{"exp", func(v *Vector) func(out, a []float32) { return v.Exp }, math.Exp, -103, 88.7, 2},
		{"tanh", func(v *Vector) func(out, a []float32) { return v.Tanh }, math.Tanh, -10, 10, 4},
		{"gelu", func(v *Vector) func(out, a []float32) { return v.GeluErf }, func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, -12, 12, 6},
		{"elu", func(v *Vector) func(out, a []float32) { return v.Elu }, func(x float64) float64 {
			if x < 0 {
				return math.Expm1(x)
			}
			return x
		}, -20, 1, 3},
		{"log", func(v *Vector) func(out, a []float32) { return v.Log }, math.Log, 0.01, 4, 2},
		{"log of large numbers", func(v *Vector) func(out, a []float32) { return v.Log }, math.Log, 1, 1e38, 2},
		{"log of denormal numbers", func(v *Vector) func(out, a []float32) { return v.Log }, math.Log, 1e-45, 1e-37, 2},
		{"sine", func(v *Vector) func(out, a []float32) { return v.Sin }, math.Sin, -10, 10, 2},
		{"cosine", func(v *Vector) func(out, a []float32) { return v.Cos }, math.Cos, -10, 10, 2},
		{"sine of large angles", func(v *Vector) func(out, a []float32) { return v.Sin }, math.Sin, -140000, 140000, 2},
		{"cosine of large angles", func(v *Vector) func(out, a []float32) { return v.Cos }, math.Cos, -140000, 140000, 2},
		{"sine of huge angles", func(v *Vector) func(out, a []float32) { return v.Sin }, math.Sin, -1e38, 1e38, 2},
		{"logistic", func(v *Vector) func(out, a []float32) { return v.Logistic }, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, -80, 30, 4},
	} {
		const steps = 1 << 16
		x := make([]float32, steps)
		for i := range x {
			x[i] = c.low + (c.high-c.low)*float32(i)/steps
		}
		for _, table := range Available() {
			y := make([]float32, steps)
			c.f(&table.Vector)(y, x)
			worst, at := 0.0, float32(0)
			for i, v := range x {
				if d := ulps(y[i], c.exact(float64(v))); d > worst {
					worst, at = d, v
				}
			}
			t.Logf("%s, %s: at most %.2f units in the last place, at %v", table.Name, c.name, worst, at)
			if worst > c.most {
				t.Errorf("%s, %s is %.2f units in the last place off at %v, says %v", table.Name, c.name, worst, at, c.most)
			}
		}
	}
}
