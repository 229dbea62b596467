//go:build tflite

package litert_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/litert"
	"nanoflux/delegate/litert/compiler"
	"nanoflux/delegate/litert/installed"
	"nanoflux/graph"
)

// fails checks that Probe and Compile give one clear line.
func fails(t *testing.T, b delegate.Backend, want ...string) {
	t.Helper()
	_, probed := b.Probe(t.Context())
	_, compiled := b.Compile(t.Context(), chain(t, 8))
	for what, err := range map[string]error{"Probe": probed, "Compile": compiled} {
		if !errors.Is(err, delegate.ErrUnavailable) {
			t.Errorf("%s: %v", what, err)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %q has no %q", what, err, w)
			}
		}
	}
}

func backend(t *testing.T, o litert.Options) delegate.Backend {
	t.Helper()
	b, err := litert.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestWithoutTheLibrary(t *testing.T) {
	fails(t, backend(t, litert.Options{Library: "/nowhere/libLiteRt.so"}), "/nowhere/libLiteRt.so", "ci/setup litert")
}

func TestALibraryWithoutTheFunctions(t *testing.T) {
	fails(t, backend(t, litert.Options{Library: "libm.so.6"}), "libm.so.6 has no symbol LiteRt", "2.3.0 or newer")
}

func TestWithoutADispatchLibrary(t *testing.T) {
	needLibraries(t, "IntelOpenVINO")
	folder := t.TempDir()
	t.Run("in the folder that is named", func(t *testing.T) {
		fails(t, here(t, litert.Options{NPU: true, Target: pantherLake, Dispatch: folder, Cache: t.TempDir()}),
			"IntelOpenVINO's dispatch library libLiteRtDispatch_IntelOpenvino.so is missing", "looked in "+folder, "option dispatch")
	})
	t.Run("that can be opened", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(folder, "libLiteRtDispatch_IntelOpenvino.so"), []byte("no library"), 0o600); err != nil {
			t.Fatal(err)
		}
		fails(t, here(t, litert.Options{NPU: true, Target: pantherLake, Dispatch: folder, Cache: t.TempDir()}), folder, "ci/setup openvino")
	})
	t.Run("that is the only one", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(folder, "libLiteRtDispatch_Other.so"), []byte("no library"), 0o600); err != nil {
			t.Fatal(err)
		}
		fails(t, here(t, litert.Options{NPU: true, Target: pantherLake, Dispatch: folder, Cache: t.TempDir()}), "has 2 dispatch libraries", "a folder of its own")
	})
}

func TestQualcommsCodeIsMadeHereAndRunsOnAPhone(t *testing.T) {
	needLibraries(t, "Qualcomm")
	b := here(t, litert.Options{NPU: true, Target: compiler.Target{Manufacturer: "Qualcomm", Model: "SM8750"}, Cache: t.TempDir()})
	code, report, err := compiler.Compile(t.Context(), chain(t, 8), compiler.Target{Manufacturer: "Qualcomm", Model: "SM8750"}, compiler.Options{})
	if err != nil || len(code) == 0 || report.Taken != 3 || !strings.Contains(report.Library, "SDK v2.") {
		t.Errorf("%+v, %v", report, err)
	}
	v, _ := installed.VendorNamed("Qualcomm")
	fails(t, b, "Qualcomm's dispatch library libLiteRtDispatch_Qualcomm.so is missing", "looked in "+installed.Find().Dispatch(v), "option dispatch")
}

func TestOptionsThatDoNotGoTogether(t *testing.T) {
	for name, c := range map[string]struct {
		o    litert.Options
		want string
	}{
		"a chip without its maker": {litert.Options{NPU: true, Target: compiler.Target{Model: "SM8750"}}, "go together"},
		"an unknown maker":         {litert.Options{NPU: true, Target: compiler.Target{Manufacturer: "Qualcom", Model: "SM8750"}}, "did you mean Qualcomm? There are Google, IntelOpenVINO"},
		"a chip on the CPU":        {litert.Options{Target: pantherLake}, "accelerator npu"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := litert.New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Error(err)
			}
		})
	}
}

func TestAnUnknownChip(t *testing.T) {
	needLibraries(t, "IntelOpenVINO")
	b := here(t, litert.Options{NPU: true, Target: compiler.Target{Manufacturer: "IntelOpenVINO", Model: "PTX"}, Cache: t.TempDir()})
	if _, err := b.Compile(t.Context(), chain(t, 8)); err == nil || !strings.Contains(err.Error(), `no chip "PTX"; did you mean PTL? It knows LNL, PTL`) {
		t.Error(err)
	}
}

func TestProbeSaysWhatIsThere(t *testing.T) {
	needLibraries(t, "IntelOpenVINO")
	d, err := here(t, litert.Options{NPU: true, Target: pantherLake}).Probe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	features := strings.Join(d.Features, ", ")
	if !strings.Contains(d.Description, "IntelOpenVINO PTL") || !strings.HasSuffix(d.Library, "libLiteRt.so") || d.Version != "LiteRT 2.3.0, libLiteRt.so" ||
		features != "dispatch libraries for IntelOpenVINO, none for Google MediaTek Qualcomm Samsung" {
		t.Errorf("%+v", d)
	}
	t.Logf("%+v", d)
}

func TestWhatEndsQualcommsCompilerIsRefused(t *testing.T) {
	b := backend(t, litert.Options{NPU: true, Target: compiler.Target{Manufacturer: "Qualcomm", Model: "SM8750"}})
	for name, c := range map[string]struct {
		scales []float32
		want   bool
	}{"a scale a channel": {[]float32{0.5, 0.25}, true}, "one scale": {[]float32{0.5}, false}} {
		t.Run(name, func(t *testing.T) {
			g := graph.NewBuilder("weights")
			w := g.QuantizedConst("w", graph.NewArray(graph.Int8, 2, 3), &graph.Quantization{Scale: c.scales, ZeroPoint: make([]int64, len(c.scales))})
			g.Output("y", g.FullyConnected(g.Input("x", graph.Float32, 1, 3), g.Dequantize(w), graph.None, graph.ActNone))
			m, err := g.Model()
			if err != nil {
				t.Fatal(err)
			}
			r := b.Supports(m, 0, 0)
			if (r != nil) != c.want || r != nil && r.Reason != delegate.ReasonQuantization {
				t.Error(r)
			}
		})
	}
}
