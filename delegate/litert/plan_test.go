//go:build tflite && unix

package litert_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/isolate"
	"nanoflux/delegate/litert/installed"
	"nanoflux/fallback"
	"nanoflux/graph"
	"nanoflux/partition"
	"nanoflux/partition/exec"
	"nanoflux/profiles"
)

// The test program is its own worker.
func TestMain(m *testing.M) {
	if os.Getenv(isolate.WorkerEnvironment) == "" {
		os.Exit(m.Run())
	}
	if err := isolate.Serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestAPlanMixesAnNPUAndTheFallback: in a process of its own the NPU runs what is
// before and behind an operator that a rule keeps in Go, and what its compiler
// leaves is told.
func TestAPlanMixesAnNPUAndTheFallback(t *testing.T) {
	needLibraries(t, "IntelOpenVINO")
	root := installed.Find().Root
	v, _ := installed.VendorNamed("IntelOpenVINO")
	t.Setenv("NANOFLUX_OPENVINO", filepath.Dir(filepath.Dir(installed.Find().LibraryFolders(v)[0])))
	t.Setenv("NANOFLUX_LITERT", root)
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // nothing of it stays
	for name, c := range map[string]struct {
		rules          string
		segments, left int
	}{
		"a rule keeps ELU in Go":           {"rules:\n  - op: ELU\n    backend: go\n", 3, 0},
		"without a rule it stays LiteRT's": {"", 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "mixed.yaml")
			text := "version: 1\nname: mixed\nbackends:\n  - name: npu\n    kind: litert\n" +
				"    options: {accelerator: npu, soc_manufacturer: IntelOpenVINO, soc: PTL}\n  - name: go\n    kind: fallback\n" + c.rules
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := profiles.Load(path, partition.CheckBackend)
			if err != nil {
				t.Fatal(err)
			}
			backends, err := partition.OpenBackends(p, partition.Isolation{Worker: []string{os.Args[0]}})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := partition.CloseBackends(backends); err != nil {
					t.Error(err)
				}
			}()
			m := chain(t, 8)
			plan, err := partition.New(t.Context(), m, 0, p, backends)
			if err != nil {
				t.Fatal(err)
			}
			r, err := exec.New(t.Context(), m, plan, backends, exec.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = r.Close() }()
			out := make([]graph.Array, 1)
			if err := r.Run(t.Context(), chainInput(8), out); err != nil {
				t.Fatal(err)
			}
			want, _ := outputs(t, fallback.New(fallback.Options{}), m, chainInput(8))
			if d := delegatetest.Differ(out[0], want[0]); d != "" {
				t.Error(d)
			}
			report, left := r.Report(), 0
			for _, s := range report {
				if s.Moved != "" {
					t.Errorf("segment %d: %s", s.Segment, s.Moved)
				}
				if s.Kind == "litert" && s.Taken == nil {
					t.Errorf("segment %d does not say what was taken", s.Segment)
				}
				if s.Taken != nil {
					left += len(s.Taken.Left)
				}
			}
			if len(report) != c.segments || left != c.left {
				t.Errorf("%d segments, the NPU left %d operators; want %d and %d", len(report), left, c.segments, c.left)
			}
		})
	}
}
