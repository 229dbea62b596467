//go:build tflite

package litert_test

import (
	"os"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/litert"
	"nanoflux/delegate/litert/installed"
)

// here is the backend, or the test is skipped where LiteRT is not.
func here(t *testing.T, o litert.Options) delegate.Backend {
	t.Helper()
	if _, err := os.Stat(installed.Find().Library()); err != nil {
		t.Skip("LiteRT is not here: run ci/setup litert")
	}
	b, err := litert.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLiteRTOnTheCPUComplies(t *testing.T) {
	delegatetest.RunAll(t, here(t, litert.Options{}), len(delegatetest.Cases()))
}
