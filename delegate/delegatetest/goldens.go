package delegatetest

import (
	"bytes"
	"compress/gzip"
	_ "embed" // for goldens.gob.gz
	"encoding/gob"
	"fmt"
	"math"
	"sync"

	"nanoflux/graph"
)

// goldensFile holds the outputs of all cases as TensorFlow Lite 2.17.1's
// built-in kernels computed them. It is rewritten by
//
//	go test -tags tflite ./delegate/delegatetest -run Goldens -update
//
//go:embed testdata/goldens.gob.gz
var goldensFile []byte

// quantizedFile is the same for QuantizedCases(1), on x86-64.
//
//go:embed testdata/quantized.gob.gz
var quantizedFile []byte

// goldens and quantizedGoldens map a case's name to its outputs.
var (
	goldens          = sync.OnceValues(func() (map[string][]graph.Array, error) { return readGoldens(goldensFile) })
	quantizedGoldens = sync.OnceValues(func() (map[string][]graph.Array, error) { return readGoldens(quantizedFile) })
)

func readGoldens(file []byte) (map[string][]graph.Array, error) {
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("goldens: %w", err)
	}
	var m map[string][]graph.Array
	if err := gob.NewDecoder(z).Decode(&m); err != nil {
		return nil, fmt.Errorf("goldens: %w", err)
	}
	return m, nil
}

// tolerance of floats, as a part of the output's range.
const tolerance = 1e-5

// Differ says how an output differs from what it should be, or "".
// Integers must be equal, floats within tolerance of the range.
func Differ(got, want graph.Array) string { return DifferWithin(got, want, tolerance) }

// DifferWithin is Differ with another tolerance of floats.
func DifferWithin(got, want graph.Array, tolerance float64) string {
	if got.Type != want.Type || fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) || len(got.Data) != len(want.Data) {
		return fmt.Sprintf("%v %v, want %v %v", got.Type, got.Shape, want.Type, want.Shape)
	}
	if got.Type != graph.Float32 {
		for i := range got.Data {
			if got.Data[i] != want.Data[i] {
				return fmt.Sprintf("byte %d is %d, want %d", i, got.Data[i], want.Data[i])
			}
		}
		return ""
	}
	g, w := graph.View[float32](got.Data), graph.View[float32](want.Data)
	lowest, highest := math.Inf(1), math.Inf(-1)
	for _, v := range w {
		lowest, highest = min(lowest, float64(v)), max(highest, float64(v))
	}
	span := highest - lowest
	if span == 0 { // one value, or equal ones: their size
		span = math.Abs(highest)
	}
	span = max(span, 1e-3)
	for i := range w {
		d := math.Abs(float64(g[i]) - float64(w[i]))
		if d > tolerance*span || math.IsNaN(d) && !(math.IsNaN(float64(g[i])) && math.IsNaN(float64(w[i]))) {
			return fmt.Sprintf("element %d is %v, want %v (%.2g of the range)", i, g[i], w[i], d/span)
		}
	}
	return ""
}
