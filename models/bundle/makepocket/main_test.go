package main

import (
	"bytes"
	"os"
	"testing"

	"nanoflux/models/bundle"
)

// The same weights give the same bytes on every run and every platform, and the
// bundle in the repository is up to date.
func TestThePocketBundleIsWhatItsWeightsGive(t *testing.T) {
	m, files, err := makeBundle("../../data/pocket")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := bundle.Write(&b, m, files); err != nil {
		t.Fatal(err)
	}
	const most = 16 << 20
	if b.Len() > most {
		t.Errorf("it has %d bytes, more than %d", b.Len(), most)
	}
	committed, err := os.ReadFile("../pocket/pocket.zip")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), committed) {
		t.Error("models/bundle/pocket/pocket.zip is not what the weights and builders give; run go generate ./models/bundle/pocket")
	}
}
