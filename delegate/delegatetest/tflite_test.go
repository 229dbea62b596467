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
	"nanoflux/delegate/xnnpack"
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
	delegatetest.RunAll(t, xnnpack.New(0), len(delegatetest.Cases()))
}

// TestGoldensAreTheBuiltInKernels records with -update; without it RunAll
// above is what compares.
func TestGoldensAreTheBuiltInKernels(t *testing.T) {
	if !*update {
		t.Skip("records only with -update; TestTFLiteComplies compares")
	}
	record(t, "testdata/goldens.gob.gz", delegatetest.Cases())
	record(t, "testdata/quantized.gob.gz", delegatetest.QuantizedCases(1))
}

func record(t *testing.T, file string, cases []delegatetest.Case) {
	t.Helper()
	b := tflite.New(tflite.Options{Threads: 1})
	all := map[string][]graph.Array{}
	for _, c := range cases {
		all[c.Name] = outputs(t, b, c)
	}
	var b2 bytes.Buffer
	z := gzip.NewWriter(&b2)
	if err := gob.NewEncoder(z).Encode(all); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b2.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}
