//go:build tflite

package main

import (
	"context"

	"nanoflux/graph"
	planexec "nanoflux/partition/exec"
)

// model has two segments on the NPU with one of the Go kernels between them.
func model() (*graph.Model, error) {
	b := graph.NewBuilder("faults")
	x := b.Input("x", graph.Float32, 16, 32)
	w := graph.NewArray(graph.Float32, 32, 32)
	for i := range graph.View[float32](w.Data) {
		graph.View[float32](w.Data)[i] = float32(i*13%29)/29 - 0.5
	}
	weights := b.Const("w", w)
	y := b.Softmax(b.Mul(b.FullyConnected(x, weights, graph.None, graph.ActNone), b.Scalar("two", 2)))
	b.Output("y", b.Add(b.FullyConnected(y, weights, graph.None, graph.ActNone), x))
	return b.Model()
}

func inputs() []graph.Array {
	a := graph.NewArray(graph.Float32, 16, 32)
	for i := range graph.View[float32](a.Data) {
		graph.View[float32](a.Data)[i] = float32(i*7%31)/31 - 0.5
	}
	return []graph.Array{a}
}

// right is what the Go kernels compute.
func right(ctx context.Context, m *graph.Model) (graph.Array, error) {
	v, err := planexec.NewVerify("fallback")
	if err != nil {
		return graph.Array{}, err
	}
	r, err := planexec.Single(ctx, m, 0, v.Reference)
	if err != nil {
		return graph.Array{}, err
	}
	defer r.Close()
	out := make([]graph.Array, 1)
	err = r.Run(ctx, inputs(), out)
	return out[0], err
}
