package onnx

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"nanoflux/graph"
)

func TestATensorWithoutARangeIsNamedWithWhatToDo(t *testing.T) {
	b := graph.NewBuilder("m")
	x := b.Input("x", graph.Float32, 2, 3)
	b.Output("y", b.Add(b.Named(b.Mul(x, x), "squares"), x))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Subgraphs[0].Tensors {
		if x := &m.Subgraphs[0].Tensors[i]; x.Name != "squares" {
			x.Quantization = &graph.Quantization{Min: []float32{-1}, Max: []float32{1}}
		}
	}
	_, err = ConvertW8A16(m, nil)
	if err == nil || !strings.Contains(err.Error(), "squares") || !strings.Contains(err.Error(), "nanoflux calibrate") {
		t.Errorf("%v", err)
	}
	for i := range m.Subgraphs[0].Tensors {
		m.Subgraphs[0].Tensors[i].Quantization = &graph.Quantization{Min: []float32{-1}, Max: []float32{1}}
	}
	if _, err := ConvertW8A16(m, nil); err != nil {
		t.Error(err)
	}
	if q := m.Subgraphs[0].Tensors[0].Quantization; len(q.Scale) > 0 {
		t.Error("the segment itself was changed")
	}
}

// Whatever the range: 0 is one of the steps, so that what is padded stays 0, and
// both ends are within half a step of one.
func TestStepsHold0AndBothEnds(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	ranges := [][2]float32{{0, 0}, {-1, -0.5}, {0.5, 1}, {0, 1e-38}, {-3e38, 3e38}, {-65504, 0}}
	for range 1000 {
		size := math.Exp(20 * r.NormFloat64() / 3)
		low := float32(size * r.NormFloat64())
		ranges = append(ranges, [2]float32{low, low + float32(size*r.Float64())})
	}
	for _, c := range ranges {
		q := steps16(c[0], c[1])
		scale, zero := float64(q.Scale[0]), float64(q.ZeroPoint[0])
		if !(scale > 0) || math.IsInf(scale, 0) || zero < 0 || zero > 65535 {
			t.Fatalf("%v: scale %g, zero point %g", c, scale, zero)
		}
		for _, v := range []float64{0, float64(c[0]), float64(c[1])} {
			n := min(max(math.Round(v/scale)+zero, 0), 65535)
			// The scale is rounded to float32, and the zero point to a step.
			if d := math.Abs((n-zero)*scale - v); d > 0.51*scale+1e-7*math.Abs(v) && scale > 1e-29 {
				t.Errorf("%v: %g becomes %g with steps of %g", c, v, (n-zero)*scale, scale)
			}
		}
	}
}

func TestWeightsAreRoundedByTheirChannelsScale(t *testing.T) {
	b := graph.NewBuilder("m")
	x := b.Input("x", graph.Float32, 1, 4)
	values := []float32{1, -2, 0.5, 0, 0, 0, 0, 0, 100, 50, -25, 1}
	b.Output("y", b.FullyConnected(x, graph.ConstOf(b, "w", values, 3, 4), graph.None, graph.ActNone))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	c := newConverter(m, 0)
	for i := range m.Subgraphs[0].Tensors {
		if m.Subgraphs[0].Tensors[i].Name != "w" {
			continue
		}
		w := c.weights8(c.constantOf(i), 0)
		if len(w.q.Scale) != 3 || w.typ != graph.Int8 {
			t.Fatalf("%d scales, %v", len(w.q.Scale), w.typ)
		}
		for j, v := range graph.View[float32](w.floats().load()) {
			if d := math.Abs(float64(v - values[j])); d > float64(w.q.Scale[j/4])/2*1.0001 {
				t.Errorf("weight %d: %g became %g with a scale of %g", j, values[j], v, w.q.Scale[j/4])
			}
		}
		for _, i := range w.integers() {
			if i == math.MinInt8 {
				t.Error("-128: the range is not symmetric")
			}
		}
		return
	}
	t.Fatal("no weights")
}
