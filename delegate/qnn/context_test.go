//go:build tflite

package qnn

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// layers is a small segment.
func layers(t *testing.T) *graph.Model {
	t.Helper()
	m := graph.NewBuilder("layers")
	w := make([]float32, 8*16)
	for i := range w {
		w[i] = float32(i%7-3) / 4
	}
	y := m.FullyConnected(m.Input("x", graph.Float32, 4, 16), graph.ConstOf(m, "w", w, 8, 16), graph.None, graph.ActNone)
	m.Output("y", m.Softmax(y))
	model, err := m.Model()
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// result runs that segment on ascending numbers.
func result(t *testing.T, b delegate.Backend, segment *graph.Model) []float32 {
	t.Helper()
	e, err := b.Compile(t.Context(), segment)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	in := graph.NewArray(graph.Float32, 4, 16)
	for i := range graph.View[float32](in.Data) {
		graph.View[float32](in.Data)[i] = float32(i) / 16
	}
	out := make([]graph.Array, 1)
	if err := e.Run(t.Context(), []graph.Array{in}, out); err != nil {
		t.Fatal(err)
	}
	return graph.View[float32](out[0].Data)
}

func TestCodeMadeAheadOfTimeGivesTheSame(t *testing.T) {
	b := simulated(t, nil)
	segment := layers(t)
	p, err := b.(delegate.Precompiler).Precompile(t.Context(), segment)
	if err != nil || len(p.Code) == 0 || len(p.Left) != 0 || p.Operators != 2 {
		t.Fatalf("%d bytes, %+v, %v", len(p.Code), p.Left, err)
	}
	d, err := b.Probe(t.Context())
	if err != nil || d.Version != p.Library || !strings.HasPrefix(p.Library, "QNN ") {
		t.Errorf("Probe says %q, the code %q, %v", d.Version, p.Library, err)
	}
	if want, got := result(t, b, segment), result(t, b, delegate.WithCompiled(segment, "qnn", p.Code)); !slices.Equal(got, want) {
		t.Errorf("%v, compiled here %v", got, want)
	}
	for name, code := range map[string][]byte{"half of it": p.Code[:len(p.Code)/2], "no code": []byte("no code at all")} {
		if _, err := b.Compile(t.Context(), delegate.WithCompiled(segment, "qnn", code)); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnOperatorThatTheNPURefusesIsNamed(t *testing.T) {
	b := simulated(t, nil)
	m := graph.NewBuilder("doubles")
	m.Output("a", m.Neg(m.Input("x", graph.Float32, 4)))
	y := m.Input("y", graph.Float64, 4)
	m.Output("b", m.Add(y, y))
	segment, err := m.Model()
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Compile(t.Context(), segment)
	var r *delegate.Refusal
	if !errors.As(err, &r) || r.Reason != delegate.ReasonDevice || !errors.Is(err, delegate.ErrUnsupported) || !strings.Contains(err.Error(), "op 1 (ADD)") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
	p, err := b.(delegate.Precompiler).Precompile(t.Context(), segment)
	if err != nil || len(p.Code) != 0 || len(p.Left) != 1 || p.Left[0].Op != 1 || p.Left[0].Reason == "" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestWhatWasCompiledIsKept(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "code")
	b := simulated(t, map[string]any{"cache": folder})
	want := result(t, b, layers(t))
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 1 || !strings.HasPrefix(files[0].Name(), "sm8750-") {
		t.Fatalf("%v, %v", files, err)
	}
	file := filepath.Join(folder, files[0].Name())
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := result(t, b, layers(t)); !slices.Equal(got, want) {
		t.Errorf("%v from what was kept, %v before", got, want)
	}
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("it was compiled again: %v", err)
	}
	if err := os.WriteFile(file, []byte("no code at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := result(t, b, layers(t)); !slices.Equal(got, want) {
		t.Errorf("%v after the file was damaged, %v before", got, want)
	}
}
