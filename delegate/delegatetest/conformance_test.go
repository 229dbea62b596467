//go:build tflite

package delegatetest_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/tflite"
	"nanoflux/fallback"
	"nanoflux/graph"
)

// TestThirdPartyModelsGiveTheSame runs other people's models, from
// NANOFLUX_CONFORMANCE (mlperf-tiny/*.tflite) and NANOFLUX_MEDIAPIPE
// (*.tflite), on both backends with random inputs: integers must be equal,
// floats within 1e-4 of the output's range.
func TestThirdPartyModelsGiveTheSame(t *testing.T) {
	var files []string
	root := os.Getenv("NANOFLUX_CONFORMANCE")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data", "conformance")
	}
	for _, pattern := range []string{filepath.Join(root, "mlperf-tiny"), os.Getenv("NANOFLUX_MEDIAPIPE")} {
		if pattern == "" {
			continue
		}
		found, err := filepath.Glob(filepath.Join(pattern, "*.tflite"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Skip("no third-party models: set NANOFLUX_CONFORMANCE or NANOFLUX_MEDIAPIPE to their folders")
	}
	library, ours := tflite.New(tflite.Options{Threads: 1}), fallback.New(fallback.Options{})
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".tflite"), func(t *testing.T) {
			m, err := graph.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = m.Close() }()
			for seed := range uint64(3) {
				c := delegatetest.Case{Name: file, Model: m}
				r := rand.New(rand.NewPCG(seed, 7))
				for _, i := range m.Subgraphs[0].Inputs {
					c.Inputs = append(c.Inputs, randomInput(r, &m.Subgraphs[0].Tensors[i]))
				}
				want, got := outputs(t, library, c), outputs(t, ours, c)
				for i := range want {
					if constant(want[i]) {
						t.Errorf("inputs %d, output %d: the library gave one value for all elements, which tests nothing", seed, i)
					}
					if want[i].Type != graph.Float32 && runtime.GOARCH != "amd64" {
						continue // the library rounds otherwise there
					}
					if d := delegatetest.DifferWithin(got[i], want[i], wholeModel); d != "" {
						t.Errorf("inputs %d, output %d: %s", seed, i, d)
					}
					t.Logf("inputs %d, output %d: %v, %d elements, off by %.2g of the range", seed, i, want[i].Type, len(want[i].Data), distance(got[i], want[i]))
				}
			}
		})
	}
}

// wholeModel is how far floats may be off after all layers of a model, as a part of
// the output's range: layers round, and where activations are quantized in a run,
// one that is rounded the other way moves all that follows.
const wholeModel = 1e-4

// randomInput is floats of −1…1, or any bytes.
func randomInput(r *rand.Rand, t *graph.Tensor) graph.Array {
	a := graph.NewArray(t.Type, t.Shape...)
	if t.Type == graph.Float32 {
		for i := range graph.View[float32](a.Data) {
			graph.View[float32](a.Data)[i] = 2*r.Float32() - 1
		}
		return a
	}
	for i := range a.Data {
		a.Data[i] = byte(r.IntN(256))
	}
	return a
}

// constant reports whether all of several elements are the same.
func constant(a graph.Array) bool {
	size := graph.ElementBits(a.Type) / 8
	return len(a.Data) > size && bytes.Equal(a.Data[size:], a.Data[:len(a.Data)-size])
}

// distance is the largest difference as a part of the range, or of the size of a
// single value; 0 for equal bytes.
func distance(got, want graph.Array) float32 {
	if bytes.Equal(got.Data, want.Data) || got.Type != graph.Float32 {
		return 0
	}
	g, w := graph.View[float32](got.Data), graph.View[float32](want.Data)
	low, high, off := w[0], w[0], float32(0)
	for i := range w {
		low, high, off = min(low, w[i]), max(high, w[i]), max(off, max(g[i]-w[i], w[i]-g[i]))
	}
	if low == high {
		return off / max(high, -high)
	}
	return off / (high - low)
}
