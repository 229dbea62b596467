//go:build tflite

package qnn

import (
	"math"
	"slices"
	"testing"

	"nanoflux/graph"
)

// calibrated is a model whose computed tensors carry the ranges that they have for
// these inputs, by ONNX Runtime's kernels for floats; and its outputs.
func calibrated(t *testing.T, m *graph.Model, in []graph.Array) (*graph.Model, []graph.Array) {
	t.Helper()
	ranged, open := *m, *m
	ranged.Subgraphs, open.Subgraphs = slices.Clone(m.Subgraphs), slices.Clone(m.Subgraphs)
	r, g := &ranged.Subgraphs[0], &open.Subgraphs[0]
	r.Tensors, g.Outputs, open.Signatures = slices.Clone(r.Tensors), slices.Clone(g.Outputs), nil
	for _, op := range g.Ops {
		for _, o := range op.Outputs {
			if !slices.Contains(g.Outputs, o) {
				g.Outputs = append(g.Outputs, o)
			}
		}
	}
	note := func(tensor int, a graph.Array) {
		if a.Type == graph.Float32 {
			values := graph.View[float32](a.Data)
			r.Tensors[tensor].Quantization = &graph.Quantization{Min: []float32{slices.Min(values)}, Max: []float32{slices.Max(values)}}
		}
	}
	out := outcome(t, oracle(t), &open, in)
	for i, tensor := range g.Inputs {
		note(tensor, in[i])
	}
	for i, tensor := range g.Outputs {
		note(tensor, out[i])
	}
	return &ranged, out[:len(m.Subgraphs[0].Outputs)]
}

// step is that of a tensor of 16 bits: 65535 of them make up its range with 0.
func step(values []float32) float64 {
	return (float64(max(slices.Max(values), 0)) - float64(min(slices.Min(values), 0))) / 65535
}

// largest is the largest magnitude.
func largest(values []float32) (most float64) {
	for _, v := range values {
		most = max(most, math.Abs(float64(v)))
	}
	return most
}

// wave are values from -size to size.
func wave(n int, size float64) []float32 {
	list := make([]float32, n)
	for i := range list {
		list[i] = float32(size * math.Sin(float64(i*i+i)))
	}
	return list
}

// What rounding to steps may change of one operator follows from the steps: half a
// step of each operand, times what it is multiplied with, and half a step of the
// result.
func TestIntegersAreAsFarFromFloatsAsTheirStepsAreLarge(t *testing.T) {
	const rows, depth, units = 4, 24, 8
	type operands struct{ x, y, out []float32 }
	weights, kernel, bias := wave(units*depth, 0.5), wave(units*3*3*depth, 0.2), wave(units, 1)
	for _, c := range []struct {
		name  string
		build func(b *graph.Builder, x, y graph.T) graph.T
		// most is how far a result may be off.
		most func(o operands) float64
	}{
		{"a sum", func(b *graph.Builder, x, y graph.T) graph.T { return b.Add(x, y) }, func(o operands) float64 {
			return step(o.x)/2 + step(o.y)/2 + step(o.out)/2
		}},
		{"a product", func(b *graph.Builder, x, y graph.T) graph.T { return b.Mul(x, y) }, func(o operands) float64 {
			return step(o.x)/2*largest(o.y) + step(o.y)/2*largest(o.x) + step(o.out)/2
		}},
		{"a sum with a constant", func(b *graph.Builder, x, _ graph.T) graph.T {
			return b.Add(x, graph.ConstOf(b, "c", wave(depth, 2), depth))
		}, func(o operands) float64 { return step(o.x)/2 + step(wave(depth, 2))/2 + step(o.out)/2 }},
		{"a layer", func(b *graph.Builder, x, _ graph.T) graph.T {
			return b.FullyConnected(x, graph.ConstOf(b, "w", weights, units, depth), graph.ConstOf(b, "b", bias, units), graph.ActNone)
		}, func(o operands) float64 {
			return depth*(step(o.x)/2*largest(weights)+largest(weights)/127/2*largest(o.x)) + step(o.x)*largest(weights)/127/2 + step(o.out)/2
		}},
		{"a product of matrices", func(b *graph.Builder, x, y graph.T) graph.T { return b.BatchMatMul(x, y, false, true) }, func(o operands) float64 {
			return depth*(step(o.x)/2*largest(o.y)+step(o.y)/2*largest(o.x)) + step(o.out)/2
		}},
		{"a convolution", func(b *graph.Builder, x, _ graph.T) graph.T {
			return b.Conv2D(b.Reshape(x, 1, 2, 2, depth), graph.ConstOf(b, "k", kernel, units, 3, 3, depth), graph.ConstOf(b, "b", bias, units), 1, graph.Same, graph.ActNone)
		}, func(o operands) float64 {
			return 9*depth*(step(o.x)*largest(kernel)+largest(kernel)/127/2*largest(o.x)) + step(o.out)/2
		}},
		{"a part of a tensor", func(b *graph.Builder, x, _ graph.T) graph.T { return b.Split(x, 1, 2)[1] }, func(o operands) float64 {
			return step(o.x)/2 + step(o.out)/2
		}},
		{"two tensors in one", func(b *graph.Builder, x, y graph.T) graph.T { return b.Concat(0, x, y) }, func(o operands) float64 {
			return max(step(o.x), step(o.y))/2 + step(o.out)/2
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := graph.NewBuilder(c.name)
			x, y := b.Input("x", graph.Float32, rows, depth), b.Input("y", graph.Float32, rows, depth)
			// Both are read, whatever is tested.
			b.Output("out", c.build(b, x, y))
			b.Output("both", b.Sub(x, y))
			m, err := b.Model()
			if err != nil {
				t.Fatal(err)
			}
			o := operands{x: wave(rows*depth, 3), y: wave(rows*depth, 0.7)}
			slices.Reverse(o.y)
			in := []graph.Array{{Type: graph.Float32, Shape: []int{rows, depth}, Data: graph.Bytes(o.x)}, {Type: graph.Float32, Shape: []int{rows, depth}, Data: graph.Bytes(o.y)}}
			ranged, want := calibrated(t, m, in)
			o.out = graph.View[float32](want[0].Data)
			most := c.most(o) * 1.001 // sums of float32
			integers := oracle(t)
			integers.W8A16 = true
			got := graph.View[float32](outcome(t, integers, ranged, in)[0].Data)
			moved := false
			for i, v := range o.out {
				d := math.Abs(float64(got[i]) - float64(v))
				if !(d <= most) {
					t.Fatalf("element %d: %g, want %g ± %g", i, got[i], v, most)
				}
				moved = moved || d > step(o.out)/100
			}
			if !moved {
				t.Error("as exact as floats: nothing was computed with integers")
			}
		})
	}
}
