package partition

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/profiles"
)

// fake is a backend that refuses what refuse says, and runs nothing.
type fake struct {
	name    string
	missing error
	refuse  func(m *graph.Model, sub, op int) *delegate.Refusal
}

func (f fake) Name() string { return f.name }

func (f fake) Probe(ctx context.Context) (delegate.Device, error) {
	if f.missing != nil {
		return delegate.Device{}, f.missing
	}
	return delegate.Device{Description: f.name + " for tests"}, ctx.Err()
}

func (f fake) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	if f.refuse == nil {
		return nil
	}
	return f.refuse(m, sub, op)
}

func (f fake) Compile(context.Context, *graph.Model) (delegate.Executable, error) {
	return nil, fmt.Errorf("the fake backend runs nothing")
}

// without makes a fake that lacks some operator types.
func without(name string, ops ...string) fake {
	return fake{name: name, refuse: func(m *graph.Model, sub, op int) *delegate.Refusal {
		for _, o := range ops {
			if m.Subgraphs[sub].Ops[op].Name() == o {
				return delegate.Refuse(delegate.ReasonOp, "no such operator")
			}
		}
		return nil
	}}
}

// profileOf is a profile over the backends npu and go, in this order.
func profileOf(t *testing.T, rest string) *profiles.Profile {
	t.Helper()
	text := "version: 1\nname: test\nbackends:\n  - {name: npu, kind: tflite}\n  - {name: go, kind: fallback}\n" + rest
	p, err := profiles.Parse([]byte(text), "test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func both(npu, rest fake) map[string]delegate.Backend {
	return map[string]delegate.Backend{"npu": npu, "go": rest}
}

func built(t *testing.T, b *graph.Builder) *graph.Model {
	t.Helper()
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// blockModel is two small transformer-like blocks. Each has a linear layer with
// INT8 weights behind a DEQUANTIZE, which the second block uses again, and a
// normalisation.
func blockModel(t *testing.T) *graph.Model {
	b := graph.NewBuilder("bundle.zip/denoiser.tflite")
	x := b.Input("x", graph.Float32, 1, 8, 16)
	q := &graph.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{0}}
	packed := b.QuantizedConst("weights", graph.NewArray(graph.Int8, 16, 16), q)
	weights := b.Dequantize(packed)
	for i := range 2 {
		b.Scope(fmt.Sprintf("block%d", i), func() {
			mean := b.Mean(x, []int{2}, true)
			centred := b.Sub(x, mean)
			y := b.FullyConnected(centred, weights, graph.None, graph.ActNone)
			x = b.Named(b.Add(x, b.Gelu(y, true)), "out")
		})
	}
	b.Output("y", x)
	return built(t, b)
}

// randomModel has n operators on random earlier tensors; the last ones, and
// each that nobody uses, are outputs.
func randomModel(t *testing.T, random *rand.Rand, n int) *graph.Model {
	b := graph.NewBuilder("random")
	tensors := []graph.T{b.Input("x", graph.Float32, 4), b.Input("y", graph.Float32, 4)}
	used := map[graph.T]bool{}
	pick := func() graph.T {
		// Mostly recent ones, so that there are chains.
		k := len(tensors) - 1 - random.IntN(min(len(tensors), 2+random.IntN(6)))
		used[tensors[k]] = true
		return tensors[k]
	}
	for range n {
		if random.IntN(3) == 0 {
			tensors = append(tensors, b.Neg(pick()))
		} else {
			tensors = append(tensors, b.Add(pick(), pick()))
		}
	}
	for k, x := range tensors[2:] {
		if !used[x] {
			b.Output(fmt.Sprint("out", k), x)
		}
	}
	return built(t, b)
}

// colours gives each operator a random backend, in runs, as real models have.
func colours(random *rand.Rand, n, backends int) []int {
	c := make([]int, n)
	for i := range c {
		if i > 0 && random.IntN(2) == 0 {
			c[i] = c[i-1]
		} else {
			c[i] = random.IntN(backends)
		}
	}
	return c
}
