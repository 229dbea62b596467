// Package golden runs graphs in tests and compares them with the numbers of the
// reference implementations in models/data.
package golden

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"nanoflux/fallback"
	"nanoflux/graph"
	"nanoflux/models/safetensors"
)

// File is a file of reference tensors.
type File struct {
	t testing.TB
	f *safetensors.File
}

// Open opens a file; a failure ends the test.
func Open(t testing.TB, path string) File {
	t.Helper()
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return File{t, f}
}

// Weights is the file as a source of weights.
func (g File) Weights() *safetensors.File { return g.f }

// Floats returns a tensor as float32 with its shape.
func (g File) Floats(name string) ([]float32, []int) {
	g.t.Helper()
	v, err := g.f.Float32s(name)
	if err != nil {
		g.t.Fatal(err)
	}
	shape, _ := g.f.Shape(name)
	return v, shape
}

// Array returns a float tensor as a graph array.
func (g File) Array(name string) graph.Array {
	g.t.Helper()
	v, shape := g.Floats(name)
	return Float32s(v, shape...)
}

// Int32s returns an integer tensor of any width as int32.
func (g File) Int32s(name string) []int32 {
	g.t.Helper()
	x, err := g.f.Tensor(name)
	if err != nil {
		g.t.Fatal(err)
	}
	var out []int32
	switch x.DType {
	case "I32":
		for at := 0; at < len(x.Data); at += 4 {
			out = append(out, int32(binary.LittleEndian.Uint32(x.Data[at:])))
		}
	case "I64":
		for at := 0; at < len(x.Data); at += 8 {
			out = append(out, int32(binary.LittleEndian.Uint64(x.Data[at:])))
		}
	default:
		g.t.Fatalf("tensor %s is %s, not an integer", name, x.DType)
	}
	return out
}

// Float32s makes an array of values.
func Float32s(values []float32, shape ...int) graph.Array {
	return graph.Array{Type: graph.Float32, Shape: shape, Data: graph.Bytes(values)}
}

// Int32s makes an array of values.
func Int32s(values []int32, shape ...int) graph.Array {
	return graph.Array{Type: graph.Int32, Shape: shape, Data: graph.Bytes(values)}
}

// Model is a compiled graph.
type Model struct {
	t testing.TB
	m *graph.Model
	x interface {
		Run(ctx context.Context, inputs, outputs []graph.Array) error
	}
}

// Compile compiles m on the fallback; a failure ends the test.
func Compile(t testing.TB, m *graph.Model, err error) Model {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	x, err := fallback.New(fallback.Options{}).Compile(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Close() })
	return Model{t, m, x}
}

// Run runs the model on named inputs and returns its named outputs.
func (m Model) Run(inputs map[string]graph.Array) map[string][]float32 {
	m.t.Helper()
	s := m.m.Signatures[0]
	in := make([]graph.Array, len(s.Inputs))
	for i, n := range s.Inputs {
		a, ok := inputs[n.Name]
		if !ok {
			m.t.Fatalf("no value for input %s", n.Name)
		}
		in[i] = a
	}
	if len(in) != len(inputs) {
		m.t.Fatalf("%d values for %d inputs", len(inputs), len(in))
	}
	out := make([]graph.Array, len(s.Outputs))
	if err := m.x.Run(context.Background(), in, out); err != nil {
		m.t.Fatal(err)
	}
	named := map[string][]float32{}
	for i, n := range s.Outputs {
		named[n.Name] = graph.View[float32](out[i].Data)
	}
	return named
}

// Close fails the test when got is further from want than tolerance, absolute.
func Close(t testing.TB, what string, got, want []float32, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	worst, where := 0.0, 0
	for i := range got {
		d := math.Abs(float64(got[i]) - float64(want[i]))
		if !(d <= worst) { // also NaN
			worst, where = d, i
		}
	}
	if !(worst <= tolerance) {
		t.Errorf("%s: element %d is %v, want %v: off by %.2g, allowed %.2g", what, where, got[where], want[where], worst, tolerance)
	}
}

// CloseInRange is Close with the tolerance times the range of want, the
// measure of models/data/goldens.
func CloseInRange(t testing.TB, what string, got, want []float32, tolerance float64) {
	t.Helper()
	Close(t, what, got, want, tolerance*float64(slices.Max(want)-slices.Min(want)))
}

// ChannelsFirst turns [height, width, channels] into [channels, height, width].
func ChannelsFirst(x []float32, height, width, channels int) []float32 {
	out := make([]float32, len(x))
	for p := range height * width {
		for c := range channels {
			out[c*height*width+p] = x[p*channels+c]
		}
	}
	return out
}

// ChannelsLast is ChannelsFirst the other way.
func ChannelsLast(x []float32, channels, height, width int) []float32 {
	return ChannelsFirst(x, channels, 1, height*width)
}
