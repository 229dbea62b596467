//go:build tflite

package delegatetest_test

import (
	"fmt"
	"runtime"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/tflite"
	"nanoflux/fallback"
	"nanoflux/graph"
)

func TestTFLiteGivesTheQuantizedGoldens(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the goldens are the library's on x86-64")
	}
	delegatetest.RunQuantized(t, tflite.New(tflite.Options{Threads: 1}))
}

// TestFallbackGivesTensorFlowLitesIntegers compares the two on more constants
// and inputs than the goldens hold.
func TestFallbackGivesTensorFlowLitesIntegers(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the library rounds otherwise on " + runtime.GOARCH + "; the fallback gives its integers of x86-64 everywhere")
	}
	library, ours := tflite.New(tflite.Options{Threads: 1}), fallback.New(fallback.Options{})
	const seeds = 12
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprintf("seed %d", seed+1), func(t *testing.T) {
			for _, c := range delegatetest.QuantizedCases(seed + 1) {
				t.Run(c.Name, func(t *testing.T) {
					want, got := outputs(t, library, c), outputs(t, ours, c)
					for i := range want {
						if d := delegatetest.Differ(got[i], want[i]); d != "" {
							t.Errorf("output %d: %s", i, d)
						}
					}
				})
			}
		})
	}
}

func outputs(t *testing.T, b delegate.Backend, c delegatetest.Case) []graph.Array {
	t.Helper()
	e, err := b.Compile(t.Context(), c.Model)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	out := make([]graph.Array, len(c.Model.Subgraphs[0].Outputs))
	if err := e.Run(t.Context(), c.Inputs, out); err != nil {
		t.Fatal(err)
	}
	return out
}
