package fallback

import (
	"archive/zip"
	"cmp"
	"io"
	"os"
	"path/filepath"
	"testing"

	"nanoflux/graph"
)

// corpus are the pocket model's parts and those third-party models that are on
// this machine, by name.
func corpus(t *testing.T) map[string]*graph.Model {
	t.Helper()
	models := map[string]*graph.Model{}
	bundle, err := zip.OpenReader("../models/bundle/pocket/pocket.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bundle.Close() }()
	for _, f := range bundle.File {
		if filepath.Ext(f.Name) != ".tflite" {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if models[f.Name], err = graph.Read(data, f.Name); err != nil {
			t.Fatal(err)
		}
	}
	conformance := cmp.Or(os.Getenv("NANOFLUX_CONFORMANCE"), "../../shared/data/conformance")
	for _, pattern := range []string{
		conformance + "/mlperf-tiny/*.tflite",
		conformance + "/litert/*.tflite",
		cmp.Or(os.Getenv("NANOFLUX_MEDIAPIPE"), "../build/mediapipe") + "/*.tflite",
	} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			m, err := graph.Open(file)
			if err != nil {
				continue // some are wrong on purpose
			}
			t.Cleanup(func() { _ = m.Close() })
			models[filepath.Base(file)] = m
		}
	}
	return models
}

func TestArenasOfTheCorpusAreAsSmallAsTheyCanBe(t *testing.T) {
	compiledModels := 0
	for name, m := range corpus(t) {
		for _, fuse := range []bool{false, true} {
			e, err := compile(t.Context(), m, Options{Threads: 1, NoFusion: !fuse})
			if err != nil {
				continue // operators that are not for the Go kernels
			}
			compiledModels++
			var planned []*value
			for _, v := range e.values {
				if v.inArena() {
					planned = append(planned, v)
				}
			}
			// Beginning at a cache line may take 64 bytes a value.
			if bound := liveAtOnce(planned); e.arenaBytes*100 > bound*105+100*arenaAlign*len(planned) {
				t.Errorf("%s, fusion %v: an arena of %d bytes; %d live at once", name, fuse, e.arenaBytes, bound)
			}
		}
	}
	if compiledModels < 8 {
		t.Errorf("only %d models could be compiled", compiledModels)
	}
}

func TestRunsAfterTheFirstAllocateNothing(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	for name, m := range corpus(t) {
		if testing.Short() && m.Name != "text_encoder.tflite" {
			continue
		}
		e, err := compile(t.Context(), m, Options{Threads: 2})
		if err != nil {
			continue
		}
		inputs, outputs := make([]graph.Array, len(e.inputs)), make([]graph.Array, len(e.outputs))
		for i, v := range e.inputs {
			inputs[i] = graph.NewArray(v.tensor.Type, v.shape...)
		}
		late := false
		for _, n := range e.nodes {
			late = late || n.late
		}
		if late {
			continue // shapes that depend on data are worked out in each run
		}
		var failed error
		_ = e.Run(t.Context(), inputs, outputs) // goroutines find their memory
		n := testing.AllocsPerRun(20, func() {
			if err := e.Run(t.Context(), inputs, outputs); err != nil {
				failed = err
			}
		})
		if failed != nil {
			t.Logf("%s: %v", name, failed) // zeros may be no valid input
		} else if n >= 1 {
			t.Errorf("%s: %v allocations a run", name, n)
		}
	}
}
