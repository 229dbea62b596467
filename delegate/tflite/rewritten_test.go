//go:build tflite

package tflite_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/tflite"
	"nanoflux/fallback"
	"nanoflux/graph"
	"nanoflux/graph/rewrite"
	"nanoflux/models/bundle/pocket"
)

// What graph/rewrite makes must be what TensorFlow Lite takes: operator
// versions, shapes, options, and the same numbers.

func rewritten(t *testing.T, m *graph.Model, names string) *graph.Model {
	t.Helper()
	passes, err := rewrite.ByName(strings.Fields(names))
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := rewrite.Apply(m, passes)
	if err != nil {
		t.Fatal(err)
	}
	for o := range out.Subgraphs[0].Ops {
		if r := tflite.New(tflite.Options{}).Supports(out, 0, o); r != nil {
			t.Fatalf("%s: %v", out.OpLabel(0, o), r)
		}
	}
	return out
}

func outputs(t *testing.T, b delegate.Backend, m *graph.Model, inputs []graph.Array) []graph.Array {
	t.Helper()
	e, err := b.Compile(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = e.Close() }()
	out := make([]graph.Array, len(m.Subgraphs[0].Outputs))
	if err := e.Run(t.Context(), inputs, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// random makes inputs: floats in [−2, 2), bytes of any value, small numbers.
func random(m *graph.Model) []graph.Array {
	r := rand.New(rand.NewPCG(1, 1))
	var list []graph.Array
	for _, id := range m.Subgraphs[0].Inputs {
		x := &m.Subgraphs[0].Tensors[id]
		a := graph.NewArray(x.Type, x.Shape...)
		switch x.Type {
		case graph.Float32:
			for i := range graph.View[float32](a.Data) {
				graph.View[float32](a.Data)[i] = r.Float32()*4 - 2
			}
		case graph.Int32:
			for i := range graph.View[int32](a.Data) {
				graph.View[int32](a.Data)[i] = int32(r.IntN(64))
			}
		default:
			for i := range a.Data {
				a.Data[i] = byte(r.Uint32())
			}
		}
		list = append(list, a)
	}
	return list
}

func TestRewrittenModelsRunOnTensorFlowLite(t *testing.T) {
	b, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	for _, part := range []string{"text_encoder", "modulation", "denoiser", "decoder"} {
		m, err := b.Model(part)
		if err != nil {
			t.Fatal(err)
		}
		inputs := random(m)
		want := outputs(t, fallback.New(fallback.Options{}), m, inputs)
		for name, passes := range map[string]string{
			"NNAPI 29":         "fold-dequantize fold-constants expand-gelu split-attention-heads fully-connected-to-conv sink-reshapes",
			"Core ML":          "fold-dequantize expand-gelu expand-logistic sub-as-add mean-as-fully-connected fully-connected-to-conv sink-reshapes",
			"stored weights":   "rsqrt-as-div square-as-mul fully-connected-to-conv merge-transposes transpose-as-reshape sink-reshapes",
			"flat layers":      "fold-rank rsqrt-as-pow flatten-fully-connected fill-bias split-as-slices narrow-concatenation merge-reshapes",
			"fully connected":  "conv-to-fully-connected shape-as-reshape div-as-mul neg-as-mul",
			"half weights too": "dequantize-to-half expand-gelu",
		} {
			if testing.Short() && part == "decoder" && name != "NNAPI 29" {
				continue // under an emulator each takes eight seconds
			}
			t.Run(part+" with "+name, func(t *testing.T) {
				got := outputs(t, tflite.New(tflite.Options{Threads: 2}), rewritten(t, m, passes), inputs)
				tolerance := 1e-4
				if strings.Contains(passes, "half") {
					tolerance = 1e-2
				}
				for i := range want {
					a, b := graph.View[float32](got[i].Data), graph.View[float32](want[i].Data)
					worst, scale := 0.0, 0.0
					for j := range b {
						worst, scale = max(worst, math.Abs(float64(a[j])-float64(b[j]))), max(scale, math.Abs(float64(b[j])))
					}
					if len(a) != len(b) || !(worst <= tolerance*scale) {
						t.Errorf("output %d is off by %v of %v", i, worst, scale)
					}
				}
			})
		}
	}
}

// The 8-bit forms, against what TensorFlow Lite makes of the operator itself.
func TestRewritten8BitOperatorsAreThoseOfTensorFlowLite(t *testing.T) {
	q := func(scale float32, zero int64) *graph.Quantization {
		return &graph.Quantization{Scale: []float32{scale}, ZeroPoint: []int64{zero}}
	}
	weights := make([]int8, 7*6)
	r := rand.New(rand.NewPCG(2, 2))
	for i := range weights {
		weights[i] = int8(r.IntN(255) - 127)
	}
	for _, c := range []struct {
		name, passes string
		steps        int
		build        func(b *graph.Builder)
	}{
		{"GELU", "expand-quantized-gelu", 2, func(b *graph.Builder) {
			b.Output("y", b.Quantized(b.Gelu(b.QuantizedInput("x", graph.Int8, q(0.04, 3), 1, 500), true), 0.021, -120))
		}},
		{"attention", "split-attention-heads", 1, func(b *graph.Builder) {
			x := b.QuantizedInput("x", graph.Int8, q(0.04, -7), 1, 3, 5, 8)
			y := b.QuantizedInput("y", graph.Int8, q(0.02, 11), 1, 3, 8, 6)
			b.Output("z", b.Quantized(b.BatchMatMul(x, y, false, false), 0.2, 5))
		}},
		{"a layer with a scale for each channel", "fully-connected-to-conv", 1, func(b *graph.Builder) {
			w := &graph.Quantization{Scale: []float32{.01, .02, .03, .04, .05, .06, .07}, ZeroPoint: make([]int64, 7)}
			x := b.QuantizedInput("x", graph.Int8, q(0.04, -7), 1, 5, 6)
			b.Output("y", b.Quantized(b.FullyConnected(x, b.QuantizedConst("w", graph.Array{Type: graph.Int8, Shape: []int{7, 6}, Data: graph.Bytes(weights)}, w), graph.None, graph.ActRelu), 0.3, -9))
		}},
		{"a layer with one scale", "fully-connected-to-conv", 1, func(b *graph.Builder) {
			x := b.QuantizedInput("x", graph.Int8, q(0.04, -7), 1, 5, 6)
			w := b.QuantizedConst("w", graph.Array{Type: graph.Int8, Shape: []int{7, 6}, Data: graph.Bytes(weights)}, q(0.03, 0))
			b.Output("y", b.Quantized(b.FullyConnected(x, w, graph.None, graph.ActNone), 0.1, 4))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := graph.NewBuilder("test")
			c.build(b)
			m, err := b.Model()
			if err != nil {
				t.Fatal(err)
			}
			inputs, backend := random(m), tflite.New(tflite.Options{Threads: 1})
			want := graph.View[int8](outputs(t, backend, m, inputs)[0].Data)
			out := rewritten(t, m, c.passes)
			if out.Subgraphs[0].Ops[0].Name() == m.Subgraphs[0].Ops[0].Name() {
				t.Fatal("nothing was rewritten")
			}
			for i, v := range graph.View[int8](outputs(t, backend, out, inputs)[0].Data) {
				if d := int(v) - int(want[i]); d > c.steps || d < -c.steps {
					t.Errorf("element %d is %d, want %d", i, v, want[i])
				}
			}
		})
	}
}
