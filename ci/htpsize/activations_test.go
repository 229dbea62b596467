package main

import (
	"testing"

	"nanoflux/graph"
)

func TestActivationsAreWhatIsAliveAtOnce(t *testing.T) {
	const n = 1000
	for name, c := range map[string]struct {
		build func(b *graph.Builder, x graph.T) graph.T
		want  int64
	}{
		"an operator has its input and output": {func(b *graph.Builder, x graph.T) graph.T { return b.Exp(x) }, 4*n + 4*n},
		"values between count half":            {func(b *graph.Builder, x graph.T) graph.T { return b.Exp(b.Tanh(b.Exp(x))) }, 4*n + 2*n + 4*n},
		"a new shape is no new value":          {func(b *graph.Builder, x graph.T) graph.T { return b.Exp(b.Reshape(b.Exp(x), 10, n/10)) }, 4*n + 4*n + 2*n},
		"a value that is needed later stays": {func(b *graph.Builder, x graph.T) graph.T {
			early := b.Exp(x)
			return b.Add(early, b.Tanh(b.Tanh(b.Tanh(early))))
		}, 4*n + 2*n + 2*n + 4*n},
		"constants do not count": {func(b *graph.Builder, x graph.T) graph.T {
			return b.Add(x, graph.ConstOf(b, "c", make([]float32, n), n))
		}, 4*n + 4*n},
	} {
		b := graph.NewBuilder(name)
		b.Output("y", c.build(b, b.Input("x", graph.Float32, n)))
		m, err := b.Model()
		if err != nil {
			t.Fatal(err)
		}
		if got := activations(m); got != c.want {
			t.Errorf("%s: %d bytes, want %d", name, got, c.want)
		}
	}
}
