//go:build tflite

package qnn

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/fallback"
	"nanoflux/graph"
)

// transformer is a norm, a layer, GELU, attention between its rows, and a
// convolution: [1, 16, 32] floats in and out.
func transformer(r *rand.Rand) *graph.Builder {
	b := graph.NewBuilder("transformer")
	weights := func(name string, shape ...int) graph.T {
		n := 1
		for _, d := range shape {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(r.NormFloat64()) / 6
		}
		return graph.ConstOf(b, name, values, shape...)
	}
	x := b.Input("x", graph.Float32, 1, 16, 32)
	root := b.Rsqrt(b.Add(b.Mean(b.Mul(x, x), []int{2}, true), b.Scalar("epsilon", 1e-6)))
	h := b.FullyConnected(b.Mul(x, root), weights("w", 64, 32), weights("bias", 64), graph.ActNone)
	h = b.FullyConnected(b.Gelu(h, true), weights("down", 32, 64), graph.None, graph.ActNone)
	scores := b.Softmax(b.BatchMatMul(h, x, false, true))
	h = b.Add(b.BatchMatMul(scores, h, false, false), x)
	h = b.Conv2D(b.Reshape(h, 1, 4, 4, 32), weights("filter", 32, 3, 3, 32), weights("offset", 32), 1, graph.Same, graph.ActRelu)
	b.Output("y", b.Reshape(h, 1, 16, 32))
	return b
}

// ranged is a model whose tensors have the ranges that they have for an input, and
// what it gives for it.
func ranged(t *testing.T, m *graph.Model, input graph.Array) (*graph.Model, graph.Array) {
	t.Helper()
	open := *m
	open.Signatures = nil
	open.Subgraphs = append([]graph.Subgraph(nil), m.Subgraphs...)
	g := &open.Subgraphs[0]
	g.Tensors = append([]graph.Tensor(nil), g.Tensors...)
	outputs := g.Outputs
	g.Outputs = append([]int(nil), outputs...)
	for _, op := range g.Ops[:len(g.Ops)-1] {
		g.Outputs = append(g.Outputs, op.Outputs...)
	}
	e, err := fallback.New(fallback.Options{}).Compile(t.Context(), &open)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	results := make([]graph.Array, len(g.Outputs))
	if err := e.Run(t.Context(), []graph.Array{input}, results); err != nil {
		t.Fatal(err)
	}
	note := func(at int, a graph.Array) {
		low, high := float32(math.Inf(1)), float32(math.Inf(-1))
		for _, v := range graph.View[float32](a.Data) {
			low, high = min(low, v), max(high, v)
		}
		g.Tensors[at].Quantization = &graph.Quantization{Min: []float32{low}, Max: []float32{high}}
	}
	note(g.Inputs[0], input)
	for i, at := range g.Outputs {
		note(at, results[i])
	}
	g.Outputs = outputs
	return &open, results[0]
}

func TestFloatsAreComputedWithIntegersByTheirRanges(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	plain, err := transformer(r).Model()
	if err != nil {
		t.Fatal(err)
	}
	input := graph.NewArray(graph.Float32, 1, 16, 32)
	for i := range graph.View[float32](input.Data) {
		graph.View[float32](input.Data)[i] = float32(r.NormFloat64())
	}
	m, want := ranged(t, plain, input)
	backends := map[string]func(t *testing.T) delegate.Backend{
		"ONNX Runtime's own kernels": func(t *testing.T) delegate.Backend {
			b := oracle(t)
			b.W8A16 = true
			return b
		},
		"8 Gen 1": func(t *testing.T) delegate.Backend {
			return simulated(t, map[string]any{"soc": "SM8450", "precision": "w8a16"})
		},
		"8 Elite": func(t *testing.T) delegate.Backend {
			return simulated(t, map[string]any{"soc": "SM8750", "precision": "w8a16"})
		},
	}
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			b := open(t)
			e, err := b.Compile(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			got := make([]graph.Array, 1)
			if err := e.Run(t.Context(), []graph.Array{input}, got); err != nil {
				t.Fatal(err)
			}
			if got[0].Type != graph.Float32 {
				t.Fatalf("the output is %v", got[0].Type)
			}
			worst, most := 0.0, 0.0
			for i, v := range graph.View[float32](want.Data) {
				worst = max(worst, math.Abs(float64(v-graph.View[float32](got[0].Data)[i])))
				most = max(most, math.Abs(float64(v)))
			}
			// Eight bits of a weight are one part in 254; sums of many are better.
			if worst > 0.02*most || worst == 0 {
				t.Errorf("off by %.3g of %.3g", worst, most)
			}
			t.Logf("off by %.2g %%", 100*worst/most)
		})
	}
	t.Run("without ranges", func(t *testing.T) {
		b := oracle(t)
		b.W8A16 = true
		_, err := b.Compile(t.Context(), plain)
		var refusal *delegate.Refusal
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), `"x" (FLOAT32`) || !strings.Contains(err.Error(), "run nanoflux calibrate") {
			t.Errorf("error %v", err)
		}
	})
}
