//go:build tflite

package emulated_test

import (
	"debug/elf"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/coreml"
	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/emulated"
	"nanoflux/delegate/external"
	"nanoflux/delegate/tflite"
	"nanoflux/graph"
)

// floats is random numbers of −1…1.
func floats(r *rand.Rand, shape ...int) graph.Array {
	a := graph.NewArray(graph.Float32, shape...)
	for i := range graph.View[float32](a.Data) {
		graph.View[float32](a.Data)[i] = 2*r.Float32() - 1
	}
	return a
}

func built(t *testing.T, b *graph.Builder) *graph.Model {
	t.Helper()
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Three pieces of 3, 2 and 1 sums, with a product between them.
func TestPartitionsAreLimited(t *testing.T) {
	b := graph.NewBuilder("pieces")
	x := b.Input("x", graph.Float32, 4)
	y, two := x, graph.ConstOf(b, "two", []float32{2}, 1)
	for i, piece := range []int{1, 3, 2} {
		if i > 0 {
			y = b.Mul(y, two)
		}
		for range piece {
			y = b.Add(y, two)
		}
	}
	b.Output("y", y)
	m := built(t, b)
	// Operators: 0 +, 1 ·, 2 3 4 +, 5 ·, 6 7 +.
	for _, test := range []struct {
		most, fewest string
		left         []int
		partitions   int
	}{
		{"0", "1", []int{1, 5}, 3},
		{"3", "1", []int{1, 5}, 3},
		{"2", "1", []int{0, 1, 5}, 2},
		{"1", "1", []int{0, 1, 5, 6, 7}, 1},
		{"0", "2", []int{0, 1, 5}, 2},
		{"0", "3", []int{0, 1, 5, 6, 7}, 1},
		{"0", "4", []int{0, 1, 2, 3, 4, 5, 6, 7}, 0},
		{"1", "2", []int{0, 1, 5, 6, 7}, 1},
	} {
		t.Run(test.most+" at most, of "+test.fewest, func(t *testing.T) {
			p := plugin(t, rules(t, "ADD\n"), external.Setting{Key: "max_partitions", Value: test.most}, external.Setting{Key: "min_nodes", Value: test.fewest})
			in := graph.Array{Type: graph.Float32, Shape: []int{4}, Data: graph.Bytes([]float32{1, 2, 3, -4})}
			out, taken := outputs(t, p, delegatetest.Case{Name: "pieces", Model: m, Inputs: []graph.Array{in}})
			if !slices.Equal(taken.Left, test.left) || taken.Partitions != test.partitions {
				t.Errorf("it left %v in %d partitions, must leave %v in %d", taken.Left, taken.Partitions, test.left, test.partitions)
			}
			if got := graph.View[float32](out[0].Data); !slices.Equal(got, []float32{28, 32, 36, 8}) {
				t.Errorf("it gives %v", got)
			}
		})
	}
}

// The doubles keep to the limits of the vendors' options; the variable says more.
func TestTheDoublesKeepToTheirLimits(t *testing.T) {
	b := graph.NewBuilder("pieces")
	y := b.Input("x", graph.Float32, 1, 4)
	for range 3 {
		y = b.Sin(b.Add(y, y))
	}
	b.Output("y", y)
	m := built(t, b)
	open := func(o coreml.Options) delegate.Backend {
		o.Library, o.AllDevices, o.Version = library(t, emulated.CoreML), true, 3
		p, err := coreml.New(o)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	in := []graph.Array{graph.NewArray(graph.Float32, 1, 4)}
	for _, test := range []struct {
		options   coreml.Options
		variable  string
		most      int
		unmakable bool
	}{
		{coreml.Options{MinOperators: 1}, "", 3, false},
		{coreml.Options{MinOperators: 1, MaxPartitions: 2}, "", 2, false},
		{coreml.Options{MinOperators: 2}, "", 0, false},
		{coreml.Options{MinOperators: 1, MaxPartitions: 2}, "max_partitions=1", 1, false},
		{coreml.Options{MinOperators: 1}, "max_partitions", 0, true},
		{coreml.Options{MinOperators: 1}, "colour=red", 0, true},
	} {
		t.Run(fmt.Sprintf("%+v %s", test.options, test.variable), func(t *testing.T) {
			t.Setenv("NANOFLUX_EMUNPU_OPTIONS", test.variable)
			if test.unmakable {
				if _, err := open(test.options).Compile(t.Context(), m); !errors.Is(err, delegate.ErrUnavailable) {
					t.Errorf("got %v", err)
				}
				return
			}
			_, taken := outputs(t, open(test.options), delegatetest.Case{Name: "pieces", Model: m, Inputs: in})
			if got := taken.Operators - len(taken.Left); got != test.most || taken.Partitions != test.most {
				t.Errorf("it took %d operators in %d partitions, must take %d", got, taken.Partitions, test.most)
			}
		})
	}
}

// Tensors inside a partition, which are the plugin's own, follow the inputs.
func TestInnerTensorsAreResized(t *testing.T) {
	b := graph.NewBuilder("chain")
	x := b.Input("x", graph.Float32, -1, 3)
	b.Output("y", b.Neg(b.Add(b.Square(x), x)))
	e, err := plugin(t).Compile(t.Context(), built(t, b))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 400, 2, 3000, 1} {
		in, out := floats(r, n, 3), make([]graph.Array, 1)
		if err := e.Run(t.Context(), []graph.Array{in}, out); err != nil {
			t.Fatalf("%d rows: %v", n, err)
		}
		if left := e.(delegate.Delegated).Taken().Left; len(left) != 0 {
			t.Errorf("%d rows: it left %v", n, left)
		}
		got := graph.View[float32](out[0].Data)
		for i, v := range graph.View[float32](in.Data) {
			if want := -(float32(v*v) + v); got[i] != want {
				t.Fatalf("%d rows: element %d is %v, must be %v", n, i, got[i], want)
			}
		}
	}
}

// An operand that a kernel cannot use is a reason not to claim, never an error
// of a run.
func TestTheLogSaysWhatIsLeftAndWhy(t *testing.T) {
	b := graph.NewBuilder("left")
	x := b.Input("x", graph.Float32, 1, 8)
	y := b.FullyConnected(x, b.QuantizedConst("w", graph.NewArray(graph.Int8, 8, 8), &graph.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{0}}), graph.None, graph.ActNone)
	b.Output("y", b.Sin(b.Tanh(b.Square(y))))
	log := filepath.Join(t.TempDir(), "log")
	p := plugin(t, rules(t, "* max_rank=2\nTANH types=INT8\n"), external.Setting{Key: "log", Value: log}, external.Setting{Key: "fault", Value: "slow"}, external.Setting{Key: "fault_at", Value: "1"})
	_, taken := outputs(t, p, delegatetest.Case{Name: "left", Model: built(t, b), Inputs: []graph.Array{graph.NewArray(graph.Float32, 1, 8)}})
	if !slices.Equal(taken.Left, []int{0, 2, 3}) {
		t.Errorf("it left %v", taken.Left)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"leaves operator 0 (number 9, version",
		"operands of types that the kernel does not know",
		"leaves operator 2 (number 28, version 1): the rules do not have the type",
		"leaves operator 3 (number 66, version 1): there is no kernel for it",
		"takes 1 of 4 operators",
		"misbehaves in invoke 1",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the log lacks %q:\n%s", want, text)
		}
	}
}

func TestRuleFilesAreReadStrictly(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"ADD\nMUL\nADD types=INT8\n", ":3: that operator has a line already"},
		{"ADD\n# " + strings.Repeat("x", 2000) + "\n", ":2: a line of more than 1000 characters"},
		{"ADD max_rank=0\n", ":1: max_rank= wants"},
		{"ADD max_version=two\n", ":1: max_version= wants"},
		{"ADD types=\n", ":1: types= wants"},
		{"add\n", ":1: this device has no kernel"},
	} {
		_, err := plugin(t, rules(t, test.text)).Compile(t.Context(), sum(t))
		if !errors.Is(err, delegate.ErrUnavailable) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.40q: got %v, want %q", test.text, err, test.want)
		}
	}
	// A line of its own says more than *, wherever it stands.
	for _, text := range []string{"*\nMUL types=INT8\n", "MUL types=INT8\n*\n"} {
		e, err := plugin(t, rules(t, text)).Compile(t.Context(), sum(t))
		if err != nil {
			t.Fatal(err)
		}
		if left := e.(delegate.Delegated).Taken().Left; !slices.Equal(left, []int{1}) {
			t.Errorf("%q: it left %v", text, left)
		}
		_ = e.Close()
	}
	_, err := plugin(t, external.Setting{Key: "log", Value: "/nowhere/log"}).Compile(t.Context(), sum(t))
	if err == nil || !strings.Contains(err.Error(), "option log: /nowhere/log cannot be written") {
		t.Errorf("got %v", err)
	}
}

// TRANSPOSE_CONV and CAST in more shapes and types than the common cases have.
func TestKernelsGiveTensorFlowLites(t *testing.T) {
	reference, p := tflite.New(tflite.Options{Threads: 1}), plugin(t)
	check := func(name string, b *graph.Builder, in graph.Array) {
		t.Run(name, func(t *testing.T) {
			c := delegatetest.Case{Name: name, Model: built(t, b), Inputs: []graph.Array{in}}
			want, _ := outputs(t, reference, c)
			got, taken := outputs(t, p, c)
			if len(taken.Left) != 0 {
				t.Errorf("it left %v", taken.Left)
			}
			if d := delegatetest.Differ(got[0], want[0]); d != "" {
				t.Error(d)
			}
		})
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, o := range []graph.ConvOptions{
		{StrideH: 1, StrideW: 1, Padding: graph.Same}, {StrideH: 2, StrideW: 3, Padding: graph.Same},
		{StrideH: 2, StrideW: 1, Padding: graph.Valid}, {StrideH: 3, StrideW: 3, Padding: graph.Valid, Activation: graph.ActRelu},
	} {
		o.DilationH, o.DilationW = 1, 1
		for _, bias := range []bool{false, true} {
			b := graph.NewBuilder("transposed")
			height, width := 5*o.StrideH, 4*o.StrideW
			if o.Padding == graph.Valid {
				height, width = 4*o.StrideH+3, 3*o.StrideW+2
			}
			with := graph.None
			if bias {
				with = b.Const("bias", floats(r, 6))
			}
			b.Output("y", b.TransposeConv(b.Input("x", graph.Float32, 2, 5, 4, 7), b.Const("w", floats(r, 6, 3, 2, 7)), with, height, width, o))
			check(fmt.Sprintf("transposed convolution, strides %d %d, %v, bias %v", o.StrideH, o.StrideW, o.Padding, bias), b, floats(r, 2, 5, 4, 7))
		}
	}
	types := []graph.TensorType{graph.Float32, graph.Int64, graph.Int32, graph.Int16, graph.Int8, graph.Uint8, graph.Bool}
	for _, from := range types {
		for _, to := range types {
			if from == to {
				continue
			}
			in := graph.NewArray(from, 40)
			switch {
			case from == graph.Float32:
				for i := range graph.View[float32](in.Data) {
					graph.View[float32](in.Data)[i] = float32(i)*3.07 - 0.9 // fits every type
				}
			case from == graph.Bool:
				for i := range in.Data {
					in.Data[i] = byte(i % 2)
				}
			default:
				for i := range in.Data {
					in.Data[i] = byte(r.Uint32())
				}
			}
			b := graph.NewBuilder("cast")
			b.Output("y", b.Cast(b.Input("x", from, 40), to))
			check(fmt.Sprintf("%v to %v", from, to), b, in)
		}
	}
}

// TensorFlow Lite leaves this to the processor; the device's results are the same
// on all.
func TestCastsOutsideATypeAreItsNearestValue(t *testing.T) {
	nan := float32(math.NaN())
	in := graph.Array{Type: graph.Float32, Shape: []int{8}, Data: graph.Bytes([]float32{300, -5.9, 1e20, -1e20, nan, 255, 127.9, -128.9})}
	for to, want := range map[graph.TensorType][]int64{
		graph.Uint8: {255, 0, 255, 0, 0, 255, 127, 0},
		graph.Int8:  {127, -5, 127, -128, 0, 127, 127, -128},
		graph.Int32: {300, -5, math.MaxInt32, math.MinInt32, 0, 255, 127, -128},
		graph.Int64: {300, -5, math.MaxInt64, math.MinInt64, 0, 255, 127, -128},
	} {
		b := graph.NewBuilder("cast")
		b.Output("y", b.Cast(b.Input("x", graph.Float32, 8), to))
		out, taken := outputs(t, plugin(t), delegatetest.Case{Name: "cast", Model: built(t, b), Inputs: []graph.Array{in}})
		if len(taken.Left) != 0 {
			t.Errorf("%v: it left %v", to, taken.Left)
		}
		for i, w := range want {
			var got int64
			switch to {
			case graph.Uint8:
				got = int64(out[0].Data[i])
			case graph.Int8:
				got = int64(int8(out[0].Data[i]))
			case graph.Int32:
				got = int64(graph.View[int32](out[0].Data)[i])
			case graph.Int64:
				got = graph.View[int64](out[0].Data)[i]
			}
			if got != w {
				t.Errorf("%v: %v becomes %d, must be %d", to, graph.View[float32](in.Data)[i], got, w)
			}
		}
	}
}

// A plugin that needed symbols of TensorFlow Lite could not be opened beside a
// library that hides them.
func TestTheLibrariesNeedNoTensorFlowLite(t *testing.T) {
	for name, want := range map[string][]string{
		emulated.Plugin:  {"tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"},
		emulated.NNAPI:   {"TfLiteNnapiDelegateCreate", "TfLiteNnapiDelegateDelete", "TfLiteNnapiDelegateOptionsDefault"},
		emulated.Hexagon: {"TfLiteHexagonDelegateCreate", "TfLiteHexagonDelegateDelete", "TfLiteHexagonDelegateOptionsDefault", "TfLiteHexagonInit", "TfLiteHexagonInitWithPath", "TfLiteHexagonTearDown"},
		emulated.CoreML:  {"TfLiteCoreMlDelegateCreate", "TfLiteCoreMlDelegateDelete"},
	} {
		f, err := elf.Open(library(t, name))
		if err != nil {
			t.Fatal(err)
		}
		symbols, err := f.DynamicSymbols()
		if err != nil {
			t.Fatal(err)
		}
		var exports []string
		for _, s := range symbols {
			switch {
			case elf.ST_TYPE(s.Info) == elf.STT_SECTION: // arm64's linker names its sections
			case s.Section != elf.SHN_UNDEF:
				exports = append(exports, s.Name)
			case strings.HasPrefix(s.Name, "TfLite") || strings.Contains(s.Name, "tflite"):
				t.Errorf("%s needs %s", name, s.Name)
			}
		}
		slices.Sort(exports)
		if !slices.Equal(exports, want) {
			t.Errorf("%s exports %v, must export %v", name, exports, want)
		}
		_ = f.Close()
	}
}
