//go:build tflite

package emulated_test

import (
	"fmt"
	"math"
	"math/big"
	"runtime"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/tflite"
	"nanoflux/graph"
)

// TensorFlow Lite's fast kernels of these cases round the sums' halves up, and
// those of the device, as its reference kernels, away from zero: a result may be
// one apart. SOFTMAX is computed in float32.
var oneApart = []string{"conv", "depthwise", "fully connected", "halfway", "softmax", "classifier"}

// What the device takes it computes, and its integers are TensorFlow Lite's.
func TestItsIntegersAreTensorFlowLites(t *testing.T) {
	reference, b := tflite.New(tflite.Options{Threads: 1}), plugin(t)
	took, elements, apart := 0, 0, 0
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		for _, c := range delegatetest.QuantizedCases(seed + 1) {
			t.Run(fmt.Sprintf("%s, seed %d", c.Name, seed+1), func(t *testing.T) {
				if refused(b, c.Model) {
					t.Skip("not for TensorFlow Lite")
				}
				want, _ := outputs(t, reference, c)
				got, taken := outputs(t, b, c)
				took += taken.Operators - len(taken.Left)
				// Elsewhere the library's kernels round otherwise.
				near := runtime.GOARCH != "amd64" || has(c.Name, oneApart)
				for i := range want {
					n, d := differ(got[i], want[i], near)
					if d != "" {
						t.Errorf("output %d: %s (it left %v of %d operators)", i, d, taken.Left, taken.Operators)
					}
					if near && want[i].Type == graph.Int8 && !has(c.Name, []string{"powers of two", "halfway"}) {
						elements += len(want[i].Data)
						apart += n
					}
				}
			})
		}
	}
	if took < 50*int(seeds) {
		t.Errorf("the device took %d operators only", took)
	}
	if runtime.GOARCH == "amd64" && apart*100 > elements {
		t.Errorf("%d of %d integers are one apart; halves are rarer", apart, elements)
	}
}

func has(name string, words []string) bool {
	for _, w := range words {
		if strings.Contains(name, w) {
			return true
		}
	}
	return false
}

// outputs runs a case; taken is how much of it the device ran.
func outputs(t *testing.T, b delegate.Backend, c delegatetest.Case) (out []graph.Array, taken delegate.Taken) {
	t.Helper()
	e, err := b.Compile(t.Context(), c.Model)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	out = make([]graph.Array, len(c.Model.Subgraphs[0].Outputs))
	if err := e.Run(t.Context(), c.Inputs, out); err != nil {
		t.Fatal(err)
	}
	if d, ok := e.(delegate.Delegated); ok {
		taken = d.Taken()
	}
	return out, taken
}

// differ is delegatetest.Differ; near lets int8 be one apart, n times.
func differ(got, want graph.Array, near bool) (n int, wrong string) {
	if !near || want.Type != graph.Int8 || got.Type != graph.Int8 || len(got.Data) != len(want.Data) {
		return 0, delegatetest.Differ(got, want)
	}
	for i := range want.Data {
		d := int(int8(got.Data[i])) - int(int8(want.Data[i]))
		if d < -1 || d > 1 {
			return n, fmt.Sprintf("element %d is %d, want %d", i, int8(got.Data[i]), int8(want.Data[i]))
		}
		n += d * d
	}
	return n, ""
}

// Sums are brought to the output's scale as the specification of TensorFlow
// Lite's reference kernels has it, here in exact fractions: a product with 31
// bits of the factor, rounded with halves up, and a shift, rounded with halves
// away from zero.
func TestSumsAreRescaledAsSpecified(t *testing.T) {
	b := plugin(t)
	for _, scale := range []float32{0.5, 1, 4, 37.3, 64, 100.7, 128, 1000, 4096} {
		in := graph.NewArray(graph.Int8, 256, 1)
		for i := range in.Data {
			in.Data[i] = byte(i)
		}
		weights := graph.NewArray(graph.Int8, 9, 1)
		for i, w := range []int8{-127, -64, -37, -3, -1, 1, 2, 99, 127} {
			weights.Data[i] = byte(w)
		}
		g := graph.NewBuilder("products")
		x := g.QuantizedInput("x", graph.Int8, &graph.Quantization{Scale: []float32{1}, ZeroPoint: []int64{0}}, 256, 1)
		w := g.QuantizedConst("w", weights, &graph.Quantization{Scale: []float32{1}, ZeroPoint: []int64{0}})
		g.Output("y", g.Quantized(g.FullyConnected(x, w, graph.None, graph.ActNone), scale, 5))
		m, err := g.Model()
		if err != nil {
			t.Fatal(err)
		}
		out, taken := outputs(t, b, delegatetest.Case{Name: "products", Model: m, Inputs: []graph.Array{in}})
		if len(taken.Left) != 0 {
			t.Fatalf("it left %v", taken.Left)
		}
		for row := range 256 {
			for column := range 9 {
				sum := int64(int8(in.Data[row])) * int64(int8(weights.Data[column]))
				want := min(max(rescaled(sum, 1/float64(scale))+5, -128), 127)
				if got := int64(int8(out[0].Data[row*9+column])); got != want {
					t.Fatalf("scale %g: %d becomes %d, must be %d", scale, sum, got, want)
				}
			}
		}
	}
}

// rescaled is sum·factor as the specification rounds it.
func rescaled(sum int64, factor float64) int64 {
	fraction, shift := math.Frexp(factor)
	mantissa := int64(math.Round(math.Ldexp(fraction, 31)))
	if mantissa == 1<<31 {
		mantissa, shift = 1<<30, shift+1
	}
	if shift > 0 {
		sum <<= shift
	}
	half := big.NewRat(1, 2)
	product := floor(new(big.Rat).Add(new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(sum), big.NewInt(mantissa)), big.NewInt(1<<31)), half))
	if shift >= 0 {
		return product
	}
	size := new(big.Rat).SetFrac64(max(product, -product), 1<<-shift)
	rounded := floor(size.Add(size, half))
	if product < 0 {
		return -rounded
	}
	return rounded
}

// floor is the whole number at or below x.
func floor(x *big.Rat) int64 {
	var q, r big.Int
	q.DivMod(x.Num(), x.Denom(), &r)
	return q.Int64()
}
