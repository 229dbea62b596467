//go:build tflite

package delegatetest_test

import (
	"bytes"
	"compress/gzip"
	"encoding/gob"
	"flag"
	"os"
	"testing"

	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/tflite"
	"nanoflux/graph"
)

var update = flag.Bool("update", false, "record the golden outputs again")

func TestTFLiteComplies(t *testing.T) {
	delegatetest.RunAll(t, tflite.New(tflite.Options{}), len(delegatetest.Cases()))
}

func TestTFLiteOnOneThreadComplies(t *testing.T) {
	delegatetest.RunAll(t, tflite.New(tflite.Options{Threads: 1}), len(delegatetest.Cases()))
}

func TestXNNPACKComplies(t *testing.T) {
	delegatetest.RunAll(t, tflite.New(tflite.Options{XNNPACK: true}), len(delegatetest.Cases()))
}

// TestGoldensAreTheBuiltInKernels records with -update; without it RunAll
// above is what compares.
func TestGoldensAreTheBuiltInKernels(t *testing.T) {
	if !*update {
		t.Skip("records only with -update; TestTFLiteComplies compares")
	}
	b := tflite.New(tflite.Options{Threads: 1})
	all := map[string][]graph.Array{}
	for _, c := range delegatetest.Cases() {
		e, err := b.Compile(t.Context(), c.Model)
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		out := make([]graph.Array, len(c.Model.Subgraphs[0].Outputs))
		if err := e.Run(t.Context(), c.Inputs, out); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		all[c.Name] = out
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	var b2 bytes.Buffer
	z := gzip.NewWriter(&b2)
	if err := gob.NewEncoder(z).Encode(all); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("testdata/goldens.gob.gz", b2.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
