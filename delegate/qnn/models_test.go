//go:build tflite

package qnn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/tflite"
	"nanoflux/graph"
)

// arguments are random inputs of a model.
func arguments(m *graph.Model) (list []graph.Array) {
	r := rand.New(rand.NewPCG(3, 7))
	g := &m.Subgraphs[0]
	for _, i := range g.Inputs {
		a := graph.NewArray(g.Tensors[i].Type, g.Tensors[i].Shape...)
		switch a.Type {
		case graph.Float32:
			for i := range graph.View[float32](a.Data) {
				graph.View[float32](a.Data)[i] = float32(r.NormFloat64())
			}
		default:
			for i := range a.Data {
				a.Data[i] = byte(r.IntN(256))
			}
		}
		list = append(list, a)
	}
	return list
}

// outcome runs a model on a backend.
func outcome(t *testing.T, b delegate.Backend, m *graph.Model, in []graph.Array) []graph.Array {
	t.Helper()
	e, err := b.Compile(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	out := make([]graph.Array, len(m.Subgraphs[0].Outputs))
	if err := e.Run(t.Context(), in, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestThirdPartyModelsOnTheSimulatedNPU compares other people's models, from
// NANOFLUX_CONFORMANCE (mlperf-tiny/*.tflite), with TensorFlow Lite.
func TestThirdPartyModelsOnTheSimulatedNPU(t *testing.T) {
	root := os.Getenv("NANOFLUX_CONFORMANCE")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data", "conformance")
	}
	files, err := filepath.Glob(filepath.Join(root, "mlperf-tiny", "*.tflite"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no third-party models: set NANOFLUX_CONFORMANCE to their folder")
	}
	npu, library := simulated(t, nil), tflite.New(tflite.Options{Threads: 1})
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".tflite"), func(t *testing.T) {
			m, err := graph.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = m.Close() }()
			for op := range m.Subgraphs[0].Ops {
				if r := npu.Supports(m, 0, op); r != nil {
					t.Fatalf("%s: %v", m.OpLabel(0, op), r)
				}
			}
			in := arguments(m)
			want, got := outcome(t, library, m, in), outcome(t, npu, m, in)
			for i := range want {
				// Layers with integer weights and float activations (dynamic
				// quantization) the NPU computes in floats.
				if d := apart(got[i], want[i]); d > 0.03 {
					t.Errorf("output %d is %.2g of its range off", i, d)
				}
			}
		})
	}
}

// apart is the largest difference as a part of the range.
func apart(got, want graph.Array) float64 {
	numbers := func(a graph.Array) (list []float64) {
		switch a.Type {
		case graph.Float32:
			for _, v := range graph.View[float32](a.Data) {
				list = append(list, float64(v))
			}
		case graph.Int8:
			for _, v := range graph.View[int8](a.Data) {
				list = append(list, float64(v))
			}
		default:
			for _, v := range a.Data {
				list = append(list, float64(v))
			}
		}
		return list
	}
	a, b := numbers(got), numbers(want)
	if len(a) != len(b) || fmt.Sprint(got.Shape) != fmt.Sprint(want.Shape) {
		return math.Inf(1)
	}
	worst, low, high := 0.0, math.Inf(1), math.Inf(-1)
	for i := range b {
		worst = max(worst, math.Abs(a[i]-b[i])) // NaN stays
		low, high = min(low, b[i]), max(high, b[i])
	}
	if math.IsNaN(worst) {
		return math.Inf(1)
	}
	return worst / max(high-low, 1e-6)
}

func TestConvolutionsThatTheCompilerGetsWrongAreWrittenOtherwise(t *testing.T) {
	npu, cpu := simulated(t, nil), oracle(t)
	for _, c := range []struct{ rows, columns, in, height, width, stride int }{
		{49, 10, 1, 10, 4, 2}, {32, 32, 3, 3, 9, 2}, {32, 32, 4, 9, 9, 2}, {32, 32, 3, 8, 8, 2}, {32, 32, 5, 10, 4, 2}, {32, 32, 1, 11, 11, 1},
	} {
		m := graph.NewBuilder("conv")
		r := rand.New(rand.NewPCG(1, 1))
		w := make([]float32, 16*c.height*c.width*c.in)
		for i := range w {
			w[i] = float32(r.NormFloat64())
		}
		x := m.Input("x", graph.Float32, 1, c.rows, c.columns, c.in)
		m.Output("y", m.Conv2D(x, graph.ConstOf(m, "w", w, 16, c.height, c.width, c.in), graph.None, c.stride, graph.Same, graph.ActNone))
		model, err := m.Model()
		if err != nil {
			t.Fatal(err)
		}
		in := arguments(model)
		if d := delegatetest.DifferWithin(outcome(t, npu, model, in)[0], outcome(t, cpu, model, in)[0], 5e-3); d != "" {
			t.Errorf("%+v: %s", c, d)
		}
	}
}
