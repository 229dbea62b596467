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
			e, err := compile(t.Context(), m, 1, fuse)
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
