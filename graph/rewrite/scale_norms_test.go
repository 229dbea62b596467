package rewrite

import (
	"slices"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// normed is x·rsqrt(mean(x²) + ε)·w, where calibration saw squares up to most.
func normed(t *testing.T, most float32, build func(b *graph.Builder, x graph.T) graph.T) *graph.Model {
	m := built(t, func(b *graph.Builder) {
		x := b.Input("x", graph.Float32, 1, 3, 8)
		square := b.Named(build(b, x), "squares of x")
		root := b.Rsqrt(b.Add(b.Mean(square, []int{2}, true), b.Scalar("epsilon", 1e-6)))
		b.Output("y", b.Mul(b.Mul(x, root), weights(b, "w", 8)))
	})
	if most > 0 {
		for i := range m.Subgraphs[0].Tensors {
			if x := &m.Subgraphs[0].Tensors[i]; x.Name == "squares of x" {
				x.Quantization = &graph.Quantization{Min: []float32{0}, Max: []float32{most}}
			}
		}
	}
	return m
}

func TestScaleNorms(t *testing.T) {
	if got, err := ByName([]string{"scale-norms"}); err != nil || len(got) != 1 {
		t.Fatalf("the pass is not listed: %v", err)
	}
	product := func(b *graph.Builder, x graph.T) graph.T { return b.Mul(x, x) }
	for name, c := range map[string]struct {
		most    float32
		square  func(b *graph.Builder, x graph.T) graph.T
		changed int
		// scale is what x must be multiplied by.
		scale float32
	}{
		"squares beyond float16":            {1 << 20, product, 1, 1. / 128},
		"another operator for the square":   {1 << 20, func(b *graph.Builder, x graph.T) graph.T { return b.Square(x) }, 1, 1. / 128},
		"squares close to float16's end":    {40000, product, 1, 1. / 32},
		"small squares stay":                {1000, product, 0, 0},
		"without ranges nothing is known":   {0, product, 0, 0},
		"the square of something else":      {1 << 20, func(b *graph.Builder, x graph.T) graph.T { a := b.Abs(x); return b.Mul(a, a) }, 0, 0},
		"a function in the square's output": {1 << 20, func(b *graph.Builder, x graph.T) graph.T { return b.MulAct(x, x, graph.ActRelu6) }, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := normed(t, c.most, c.square)
			out, changed := applied(t, scaleNorms, m)
			if changed != c.changed {
				t.Fatalf("%d places changed, want %d\n%s", changed, c.changed, listed(out))
			}
			sameOutputs(t, m, out, rewriteCase{})
			if c.changed == 0 {
				return
			}
			var most float32
			for _, op := range out.Subgraphs[0].Ops {
				if op.Code == schema.BuiltinOperatorMEAN {
					most = out.Subgraphs[0].Tensors[op.Inputs[0]].Quantization.Max[0]
				}
			}
			if want := c.most * c.scale * c.scale; most != want {
				t.Errorf("the squares' range ends at %v, want %v", most, want)
			}
			if !slices.ContainsFunc(out.Buffers, func(b graph.Buffer) bool { return len(b) == 4 && graph.View[float32](b)[0] == c.scale }) {
				t.Errorf("nothing is multiplied by %v\n%s", c.scale, listed(out))
			}
		})
	}
}
