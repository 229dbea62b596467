//go:build tflite

package litert_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/litert"
	"nanoflux/delegate/litert/compiler"
	"nanoflux/delegate/litert/installed"
	"nanoflux/fallback"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

var pantherLake = compiler.Target{Manufacturer: "IntelOpenVINO", Model: "PTL"}

// openvino is the backend for one of Intel's NPUs, which OpenVINO runs on any PC's
// CPU, or the test is skipped where it is not.
func openvino(t *testing.T, o litert.Options) delegate.Backend {
	t.Helper()
	needLibraries(t, "IntelOpenVINO")
	o.NPU, o.Cache = true, t.TempDir()
	return here(t, o)
}

// needLibraries skips a test where a vendor's libraries are not.
func needLibraries(t *testing.T, name string) {
	t.Helper()
	v, known := installed.VendorNamed(name)
	if !known {
		t.Fatalf("no vendor %s", name)
	}
	for _, folder := range installed.Find().LibraryFolders(v) {
		if _, err := os.Stat(folder); err != nil {
			t.Skipf("%s's libraries are not here: %s", name, v.Source)
		}
	}
}

// outputs compiles a case and runs it; nil when the backend refuses it.
func outputs(t *testing.T, b delegate.Backend, m *graph.Model, inputs []graph.Array) ([]graph.Array, delegate.Taken) {
	t.Helper()
	for op := range m.Subgraphs[0].Ops {
		if r := b.Supports(m, 0, op); r != nil {
			t.Skip(r)
		}
	}
	e, err := b.Compile(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	out := make([]graph.Array, len(m.Subgraphs[0].Outputs))
	if err := e.Run(t.Context(), inputs, out); err != nil {
		t.Fatal(err)
	}
	var taken delegate.Taken
	if d, ok := e.(delegate.Delegated); ok {
		taken = d.Taken()
	}
	return out, taken
}

func TestLiteRTOnAnNPUComplies(t *testing.T) {
	const refused = 1 // see traps
	delegatetest.RunAll(t, openvino(t, litert.Options{Target: pantherLake}), len(delegatetest.Cases())-refused)
}

// TestIntegersDifferByOneStepAtMost: XNNPACK and OpenVINO round halves otherwise
// than the fallback, which gives the integers of TensorFlow Lite's own kernels.
func TestIntegersDifferByOneStepAtMost(t *testing.T) {
	t.Run("on the CPU", func(t *testing.T) { testIntegers(t, here(t, litert.Options{}), "") })
	t.Run("on an NPU", func(t *testing.T) {
		// OpenVINO's compiler ends over it with an exception.
		testIntegers(t, openvino(t, litert.Options{Target: pantherLake}), "requantize int16 to int8")
	})
}

func testIntegers(t *testing.T, b delegate.Backend, not string) {
	ours := fallback.New(fallback.Options{})
	for _, c := range delegatetest.QuantizedCases(1) {
		if c.Name == not {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			got, _ := outputs(t, b, c.Model, c.Inputs)
			want, _ := outputs(t, ours, c.Model, c.Inputs)
			for i := range want {
				if strings.HasPrefix(c.Name, "hybrid") {
					// TensorFlow Lite quantizes the activations too, OpenVINO does not.
					if d := apart(got[i], want[i]); !(d < 0.05) {
						t.Errorf("output %d differs by %v of the range", i, d)
					}
					continue
				}
				if steps := farthest(t, got[i], want[i]); steps > 1 {
					t.Errorf("output %d differs by %d steps", i, steps)
				}
			}
		})
	}
}

// farthest is the largest difference of integers; floats are compared by Differ.
func farthest(t *testing.T, a, b graph.Array) int {
	t.Helper()
	most := 0
	switch b.Type {
	case graph.Int8:
		x, y := graph.View[int8](a.Data), graph.View[int8](b.Data)
		for i := range y {
			most = max(most, int(math.Abs(float64(x[i])-float64(y[i]))))
		}
	case graph.Int16:
		x, y := graph.View[int16](a.Data), graph.View[int16](b.Data)
		for i := range y {
			most = max(most, int(math.Abs(float64(x[i])-float64(y[i]))))
		}
	case graph.Uint8:
		for i := range b.Data {
			most = max(most, int(math.Abs(float64(a.Data[i])-float64(b.Data[i]))))
		}
	default:
		if d := delegatetest.Differ(a, b); d != "" {
			t.Error(d)
		}
	}
	return most
}

// apart is the largest difference of floats over the range of the second.
func apart(a, b graph.Array) float64 {
	x, y := graph.View[float32](a.Data), graph.View[float32](b.Data)
	most := 0.0
	for i := range y {
		most = max(most, math.Abs(float64(x[i]-y[i])))
	}
	return most / float64(slices.Max(y)-slices.Min(y))
}

// TestOpenVINORunsAThirdPartysModel is the whole way with MLPerf Tiny's visual
// wake words.
func TestOpenVINORunsAThirdPartysModel(t *testing.T) {
	root := os.Getenv("NANOFLUX_CONFORMANCE")
	if root == "" {
		t.Skip("NANOFLUX_CONFORMANCE names no folder with mlperf-tiny/vww_96_int8.tflite")
	}
	m, err := graph.Open(filepath.Join(root, "mlperf-tiny", "vww_96_int8.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	in := graph.NewArray(graph.Int8, 1, 96, 96, 3)
	for i := range in.Data {
		in.Data[i] = byte(i * i >> 3)
	}
	got, taken := outputs(t, openvino(t, litert.Options{Target: pantherLake}), m, []graph.Array{in})
	want, _ := outputs(t, fallback.New(fallback.Options{}), m, []graph.Array{in})
	if steps := farthest(t, got[0], want[0]); steps > 2 {
		t.Errorf("differs by %d steps of 1/256", steps)
	}
	if taken.Operators != 31 || len(taken.Left) > 0 || taken.Partitions != 1 {
		t.Errorf("took %+v", taken)
	}
	t.Logf("%v, the fallback %v", graph.View[int8](got[0].Data), graph.View[int8](want[0].Data))
}

// chain is x·w, ELU, ·w, of which OpenVINO's compiler takes all but the ELU.
func chain(t *testing.T, size int) *graph.Model {
	t.Helper()
	b := graph.NewBuilder("chain")
	w := graph.NewArray(graph.Float32, size, size)
	for i := range graph.View[float32](w.Data) {
		graph.View[float32](w.Data)[i] = float32(i%7)/7 - 0.4
	}
	weights := b.Const("w", w)
	x := b.FullyConnected(b.Input("x", graph.Float32, 2, size), weights, graph.None, graph.ActNone)
	b.Output("y", b.FullyConnected(b.Elu(x), weights, graph.None, graph.ActNone))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func chainInput(size int) []graph.Array {
	a := graph.NewArray(graph.Float32, 2, size)
	for i := range graph.View[float32](a.Data) {
		graph.View[float32](a.Data)[i] = float32(i%5) - 2
	}
	return []graph.Array{a}
}

func TestCodeOfACompilerAheadOfTimeRuns(t *testing.T) {
	b := openvino(t, litert.Options{})
	m := chain(t, 8)
	code, report, err := compiler.Compile(t.Context(), m, compiler.Target{Manufacturer: "intelopenvino", Model: "ptl"}, compiler.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Target != pantherLake || report.Operators != 3 || report.Taken != 2 || report.Partitions != 2 || report.Size != len(code) ||
		report.Duration <= 0 || report.PeakMemory < 1<<20 || !strings.HasPrefix(report.Library, "LiteRT") ||
		len(report.Left) != 1 || report.Left[0].Op != 1 || report.Left[0].Reason != "the compiler has no such operator" {
		t.Errorf("the report is %+v", report)
	}
	got, taken := outputs(t, b, delegate.WithCompiled(m, "litert", code), chainInput(8))
	if taken.Operators != 3 || len(taken.Left) != 1 || taken.Left[0] != 1 || taken.Partitions != 2 {
		t.Errorf("taken: %+v", taken)
	}
	want, _ := outputs(t, fallback.New(fallback.Options{}), m, chainInput(8))
	if d := delegatetest.Differ(got[0], want[0]); d != "" {
		t.Error(d)
	}

	t.Run("with another segment it is refused", func(t *testing.T) {
		_, err := b.Compile(t.Context(), delegate.WithCompiled(chain(t, 9), "litert", code))
		if err == nil || !strings.Contains(err.Error(), "the segment has") {
			t.Error(err)
		}
	})
	t.Run("with another chip it is refused", func(t *testing.T) {
		other := openvino(t, litert.Options{Target: compiler.Target{Manufacturer: "IntelOpenVINO", Model: "LNL"}})
		_, err := other.Compile(t.Context(), delegate.WithCompiled(m, "litert", code))
		if err == nil || !strings.Contains(err.Error(), "compiled for IntelOpenVINO PTL, and the chip here is IntelOpenVINO LNL") {
			t.Error(err)
		}
	})
	t.Run("broken it is refused", func(t *testing.T) {
		for _, size := range []int{0, 1, 100} {
			if e, err := b.Compile(t.Context(), delegate.WithCompiled(m, "litert", append([]byte{}, code[:size]...))); err == nil {
				_ = e.Close()
				t.Errorf("%d of %d bytes were taken", size, len(code))
			}
		}
	})
	t.Run("what the vendor's library says of broken code is in the error", func(t *testing.T) {
		_, err := b.Compile(t.Context(), delegate.WithCompiled(m, "litert", append([]byte{}, code[:len(code)/3]...)))
		if err == nil || !strings.Contains(err.Error(), "Failed to create context from context binary") || strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
	})
	t.Run("without a chip's name nothing else is compiled", func(t *testing.T) {
		if _, err := b.Compile(t.Context(), m); !errors.Is(err, delegate.ErrUnsupported) || !strings.Contains(err.Error(), "set options soc_manufacturer and soc") {
			t.Error(err)
		}
	})
}

func TestManyInputsKeepTheirOrder(t *testing.T) {
	const count = 12
	b := graph.NewBuilder("many")
	var in [count]graph.T
	inputs := make([]graph.Array, count)
	for i := range in {
		in[i] = b.Input(string(rune('z'-i)), graph.Float32, 4)
		inputs[i] = graph.NewArray(graph.Float32, 4)
		graph.View[float32](inputs[i].Data)[i%4] = float32(int(1) << i)
	}
	for i := range in {
		b.Output(string(rune('m'-i)), b.Add(in[i], in[(i+5)%count]))
	}
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	got, taken := outputs(t, openvino(t, litert.Options{Target: pantherLake}), m, inputs)
	if len(taken.Left) > 0 {
		t.Errorf("left %v", taken.Left)
	}
	want, _ := outputs(t, fallback.New(fallback.Options{}), m, inputs)
	for i := range want {
		if d := delegatetest.Differ(got[i], want[i]); d != "" {
			t.Errorf("output %d: %s", i, d)
		}
	}
}

func TestWhatAnNPUTakesNothingOfRunsOnTheCPU(t *testing.T) {
	b := graph.NewBuilder("elu")
	b.Output("y", b.Elu(b.Input("x", graph.Float32, 2, 4)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	got, taken := outputs(t, openvino(t, litert.Options{Target: pantherLake}), m, chainInput(4))
	if taken.Operators != 1 || len(taken.Left) != 1 || taken.Partitions != 0 {
		t.Errorf("taken: %+v", taken)
	}
	want, _ := outputs(t, fallback.New(fallback.Options{}), m, chainInput(4))
	if d := delegatetest.Differ(got[0], want[0]); d != "" {
		t.Error(d)
	}
}

func TestASegmentIsCompiledOnce(t *testing.T) {
	needLibraries(t, "IntelOpenVINO")
	folder, m := t.TempDir(), chain(t, 8)
	b := here(t, litert.Options{NPU: true, Target: pantherLake, Cache: folder})
	kept := func() []string {
		list, err := filepath.Glob(filepath.Join(folder, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	first, _ := outputs(t, b, m, chainInput(8))
	files := kept()
	if len(files) != 1 {
		t.Fatalf("kept: %v", files)
	}
	before, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	// What is broken is compiled again.
	if err := os.WriteFile(files[0], before[:len(before)/3], 0o600); err != nil {
		t.Fatal(err)
	}
	second, _ := outputs(t, b, m, chainInput(8))
	if d := delegatetest.Differ(second[0], first[0]); d != "" {
		t.Error(d)
	}
	if again, err := os.ReadFile(files[0]); err != nil || len(again) != len(before) || len(kept()) != 1 {
		t.Errorf("%d bytes, were %d; %v", len(again), len(before), err)
	}
	// With other flags it is another one.
	outputs(t, here(t, litert.Options{NPU: true, Target: pantherLake, Cache: folder, Flags: []string{"--intel_openvino_performance_mode=throughput"}}), m, chainInput(8))
	if len(kept()) != 2 {
		t.Errorf("kept: %v", kept())
	}
}

func TestASizeThatWasNotCompiledRunsOnTheCPU(t *testing.T) {
	b := graph.NewBuilder("rows")
	x := b.Input("x", graph.Float32, -1, 3)
	b.Output("y", b.Softmax(b.Add(x, x)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	e, err := openvino(t, litert.Options{Target: pantherLake}).Compile(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if taken := e.(delegate.Delegated).Taken(); len(taken.Left) > 0 {
		t.Errorf("left %v", taken.Left)
	}
	ours, err := fallback.New(fallback.Options{}).Compile(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	for _, rows := range []int{1, 4, 1, 2} {
		a := graph.NewArray(graph.Float32, rows, 3)
		for i := range graph.View[float32](a.Data) {
			graph.View[float32](a.Data)[i] = float32(i%4) - 1
		}
		got, want := make([]graph.Array, 1), make([]graph.Array, 1)
		if err := e.Run(t.Context(), []graph.Array{a}, got); err != nil {
			t.Fatal(err)
		}
		if err := ours.Run(t.Context(), []graph.Array{a}, want); err != nil {
			t.Fatal(err)
		}
		if d := delegatetest.Differ(got[0], want[0]); d != "" {
			t.Errorf("%d rows: %s", rows, d)
		}
	}
	if err := e.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, 2, 4)}, make([]graph.Array, 1)); !errors.Is(err, delegate.ErrInput) {
		t.Errorf("another width: %v", err)
	}
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := e.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, 2, 3)}, make([]graph.Array, 1)); !errors.Is(err, delegate.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestSizesThatAreComputedAreRefused(t *testing.T) {
	npu := openvino(t, litert.Options{Target: pantherLake})
	for name, c := range map[string]struct {
		computed bool
		want     delegate.Reason
	}{
		"a reshape to sizes that are an input": {true, delegate.ReasonDynamic},
		"a reshape of any batch":               {false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := graph.NewBuilder("reshape")
			x := b.Input("x", graph.Float32, -1, 6)
			to := graph.ConstOf(b, "to", []int32{-1, 2, 3}, 3)
			if c.computed {
				to = b.Input("to", graph.Int32, 3)
			}
			b.Output("y", b.Op(schema.BuiltinOperatorRESHAPE, 1, &schema.ReshapeOptionsT{}, []graph.T{x, to},
				graph.Tensor{Type: graph.Float32, Shape: []int{1, 2, 3}, ShapeSignature: []int{-1, 2, 3}})[0])
			m, err := b.Model()
			if err != nil {
				t.Fatal(err)
			}
			r := npu.Supports(m, 0, 0)
			if (r == nil) != (c.want == "") || r != nil && r.Reason != c.want {
				t.Error(r)
			}
		})
	}
}

func TestPrecompiledCodeRuns(t *testing.T) {
	b := openvino(t, litert.Options{Target: pantherLake})
	m := chain(t, 8)
	p, err := b.(delegate.Precompiler).Precompile(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if p.Operators != 3 || p.Partitions != 2 || len(p.Left) != 1 || p.Left[0] != (delegate.LeftOperator{Op: 1, Reason: "the compiler has no such operator"}) {
		t.Errorf("%+v", p)
	}
	if d, err := b.Probe(t.Context()); err != nil || !strings.HasPrefix(d.Version, p.Library+", ") {
		t.Errorf("made by %q, and here is %q, %v", p.Library, d.Version, err)
	}
	got, _ := outputs(t, openvino(t, litert.Options{}), delegate.WithCompiled(m, "litert", p.Code), chainInput(8))
	want, _ := outputs(t, fallback.New(fallback.Options{}), m, chainInput(8))
	if d := delegatetest.Differ(got[0], want[0]); d != "" {
		t.Error(d)
	}

	elu := graph.NewBuilder("elu")
	elu.Output("y", elu.Elu(elu.Input("x", graph.Float32, 2, 4)))
	nothing, err := elu.Model()
	if err != nil {
		t.Fatal(err)
	}
	p, err = b.(delegate.Precompiler).Precompile(t.Context(), nothing)
	if err != nil || len(p.Code) > 0 || len(p.Left) != 1 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := openvino(t, litert.Options{}).(delegate.Precompiler).Precompile(t.Context(), m); err == nil || !strings.Contains(err.Error(), "soc_manufacturer") {
		t.Error(err)
	}
}
