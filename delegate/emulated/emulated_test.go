//go:build tflite

package emulated_test

import (
	"errors"
	"fmt"
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
	"nanoflux/delegate/hexagon"
	"nanoflux/delegate/nnapi"
	"nanoflux/graph"
)

func library(t testing.TB, name string) string {
	t.Helper()
	path, ok := emulated.Library(name)
	if !ok {
		t.Skip("the emulated NPU is not built (ci/emunpu)")
	}
	return path
}

// plugin is the emulated NPU behind the interface of plugins.
func plugin(t testing.TB, settings ...external.Setting) delegate.Backend {
	t.Helper()
	b, err := external.New("external", external.Options{Library: library(t, emulated.Plugin), Threads: 1, Plugin: settings})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rules(t testing.TB, text string) external.Setting {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return external.Setting{Key: "rules", Value: path}
}

func TestTheEmulatedNPUComplies(t *testing.T) {
	delegatetest.RunAll(t, plugin(t), len(delegatetest.Cases()))
}

// What it has kernels for it must take and compute: the suite alone would pass
// when everything ran on TensorFlow Lite's own kernels.
func TestItComputesItself(t *testing.T) {
	b := plugin(t)
	took, left := 0, map[string]int{}
	for _, c := range delegatetest.Cases() {
		if refused(b, c.Model) {
			continue
		}
		e, err := b.Compile(t.Context(), c.Model)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		taken := e.(delegate.Delegated).Taken()
		took += taken.Operators - len(taken.Left)
		for _, op := range taken.Left {
			left[c.Model.Subgraphs[0].Ops[op].Name()]++
		}
		_ = e.Close()
	}
	t.Logf("it took %d operators and left %v", took, left)
	if took < 60 {
		t.Errorf("it took %d operators only", took)
	}
	for _, op := range []string{"FULLY_CONNECTED", "BATCH_MATMUL", "SOFTMAX", "GELU", "TRANSPOSE"} {
		if left[op] > 4 {
			t.Errorf("it left %d × %s", left[op], op)
		}
	}
}

func refused(b delegate.Backend, m *graph.Model) bool {
	for op := range m.Subgraphs[0].Ops {
		if b.Supports(m, 0, op) != nil {
			return true
		}
	}
	return false
}

// The doubles run the code that calls vendors' entry points.
func TestTheDoublesComply(t *testing.T) {
	t.Run("nnapi", func(t *testing.T) {
		b, err := nnapi.New(nnapi.Options{Library: library(t, emulated.NNAPI), Level: 1000008, Accelerator: "emulated", CacheDir: t.TempDir(), ModelToken: "m", Preference: "sustained-speed"})
		if err != nil {
			t.Fatal(err)
		}
		if testing.Short() { // the suite has run on the same device above
			testSome(t, b, delegatetest.Cases())
			return
		}
		delegatetest.RunAll(t, b, 10)
	})
	t.Run("hexagon", func(t *testing.T) {
		testSome(t, hexagon.New(hexagon.Options{Library: library(t, emulated.Hexagon), SkelDir: t.TempDir(), MaxPartitions: 16, MinOperators: 1}), delegatetest.QuantizedCases(1))
	})
	t.Run("coreml", func(t *testing.T) {
		b, err := coreml.New(coreml.Options{Library: library(t, emulated.CoreML), AllDevices: true, Version: 3, MinOperators: 1})
		if err != nil {
			t.Fatal(err)
		}
		testSome(t, b, delegatetest.Cases())
	})
}

// testSome runs the cases that a backend takes.
func testSome(t *testing.T, b delegate.Backend, cases []delegatetest.Case) {
	t.Helper()
	if _, err := b.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range cases {
		if refused(b, c.Model) {
			continue
		}
		e, err := b.Compile(t.Context(), c.Model)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if err := e.Run(t.Context(), c.Inputs, make([]graph.Array, len(c.Model.Subgraphs[0].Outputs))); err != nil {
			t.Errorf("%s: %v", c.Name, err)
		}
		_ = e.Close()
		ran++
	}
	if ran == 0 {
		t.Error("it takes no case")
	}
}

func TestADoubleWithoutItsDeviceIsUnavailable(t *testing.T) {
	n, err := nnapi.New(nnapi.Options{Library: library(t, emulated.NNAPI), Level: 29, Accelerator: "another", Preference: "undefined"})
	if err != nil {
		t.Fatal(err)
	}
	c, err := coreml.New(coreml.Options{Library: library(t, emulated.CoreML), Version: 3})
	if err != nil {
		t.Fatal(err)
	}
	missing, err := coreml.New(coreml.Options{Library: "/nowhere/libcoreml.dylib", Version: 3})
	if err != nil {
		t.Fatal(err)
	}
	wrong := hexagon.New(hexagon.Options{Library: library(t, emulated.CoreML)}) // no such symbols
	for name, b := range map[string]delegate.Backend{"nnapi": n, "coreml": c, "no library": missing, "another library": wrong} {
		if _, err := b.Probe(t.Context()); !errors.Is(err, delegate.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// sum is y = x + x, and z = y · 2.
func sum(t testing.TB) *graph.Model {
	t.Helper()
	b := graph.NewBuilder("sum")
	x := b.Input("x", graph.Float32, 8)
	b.Output("z", b.Mul(b.Add(x, x), graph.ConstOf(b, "two", []float32{2}, 1)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRulesSayWhatItTakes(t *testing.T) {
	for _, test := range []struct {
		text string
		left []int
	}{
		{"ADD\nMUL\n", nil},
		{"# only sums\nADD types=FLOAT32 max_rank=4\n", []int{1}},
		{"ADD types=INT8\nMUL\n", []int{0}},
		{"* max_rank=1\n", nil},
	} {
		e, err := plugin(t, rules(t, test.text)).Compile(t.Context(), sum(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := e.(delegate.Delegated).Taken().Left; !slices.Equal(got, test.left) {
			t.Errorf("%q: it left %v, must leave %v", test.text, got, test.left)
		}
		_ = e.Close()
	}
}

// The rule files imitate vendors' delegates: GELU is in none but QNN's, and
// BATCH_MATMUL comes with NNAPI's feature level 6.
func TestRuleFilesImitateDelegates(t *testing.T) {
	b := graph.NewBuilder("attention")
	x := b.Input("x", graph.Float32, 1, 8, 8)
	b.Output("y", b.Softmax(b.Gelu(b.BatchMatMul(x, x, false, false), true)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	for name, left := range map[string][]int{"nnapi-29": {0, 1}, "nnapi-fl6": {1}, "coreml-3": {0, 1}, "hexagon": {0, 1, 2}, "qnn-sm8650": nil} {
		e, err := plugin(t, external.Setting{Key: "rules", Value: "rules/" + name + ".rules"}).Compile(t.Context(), m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := e.(delegate.Delegated).Taken().Left; !slices.Equal(got, left) {
			t.Errorf("%s leaves %v, must leave %v", name, got, left)
		}
		_ = e.Close()
	}
	files, err := filepath.Glob("rules/*.rules")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d rule files, %v", len(files), err)
	}
	for _, f := range files {
		if e, err := plugin(t, external.Setting{Key: "rules", Value: f}).Compile(t.Context(), m); err != nil {
			t.Errorf("%s: %v", f, err)
		} else {
			_ = e.Close()
		}
	}
}

func TestWrongOptionsAreErrorsInThePluginsWords(t *testing.T) {
	for _, test := range []struct {
		settings external.Setting
		want     string
	}{
		{external.Setting{Key: "colour", Value: "red"}, "unknown option 'colour'; there are rules, fault"},
		{external.Setting{Key: "delay_us", Value: "soon"}, "option delay_us is 'soon'"},
		{external.Setting{Key: "fault", Value: "explode"}, "option fault is 'explode'; there are refuse"},
		{external.Setting{Key: "rules", Value: "/nowhere/rules"}, "option rules: /nowhere/rules cannot be opened"},
		{rules(t, "ADD\n\nMATMUL\n"), ":3: this device has no kernel for that operator"},
		{rules(t, "ADD rank=3\n"), ":1: unknown key; there are types=, max_rank= and max_version="},
		{rules(t, "ADD types=FLOAT\n"), ":1: types= wants a list like FLOAT32,INT8"},
	} {
		_, err := plugin(t, test.settings).Compile(t.Context(), sum(t))
		if !errors.Is(err, delegate.ErrUnavailable) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: got %v, want %q", test.settings, err, test.want)
		}
	}
}

// Faults that leave the process alive; the others are for isolated workers.
func TestFaultsThatAreErrors(t *testing.T) {
	in := []graph.Array{{Type: graph.Float32, Shape: []int{8}, Data: graph.Bytes(slices.Repeat([]float32{1}, 8))}}
	for _, fault := range []string{"refuse", "fail", "lost", "nan", "wrong", "slow", "leak", "fewer"} {
		for _, at := range []int{0, 1, 3} {
			t.Run(fmt.Sprintf("%s at %d", fault, at), func(t *testing.T) {
				b := plugin(t, external.Setting{Key: "fault", Value: fault}, external.Setting{Key: "fault_at", Value: fmt.Sprint(at)})
				e, err := b.Compile(t.Context(), sum(t))
				failsAtPrepare := at == 0 && slices.Contains([]string{"refuse", "fail", "lost"}, fault)
				if failsAtPrepare != (err != nil) {
					t.Fatalf("Compile: %v", err)
				}
				if err != nil {
					return
				}
				defer e.Close()
				for run := 1; run <= 4; run++ {
					out := make([]graph.Array, 1)
					err := e.Run(t.Context(), in, out)
					fails := slices.Contains([]string{"refuse", "fail"}, fault) && run == at || fault == "lost" && run >= at
					if fails != (err != nil) {
						t.Errorf("run %d: %v", run, err)
					}
					if err != nil {
						continue
					}
					right := slices.Equal(graph.View[float32](out[0].Data), slices.Repeat([]float32{4}, 8))
					if spoilt := slices.Contains([]string{"nan", "wrong"}, fault) && run >= at; right == spoilt {
						t.Errorf("run %d gives %v", run, graph.View[float32](out[0].Data))
					}
				}
			})
		}
	}
}
