//go:build tflite

package tflite

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	gotflite "github.com/tphakala/go-tflite"
	"github.com/tphakala/go-tflite/delegates/xnnpack"

	"nanoflux/delegate"
	"nanoflux/graph"
)

func TestOperatorsThatADelegateLeavesAreNamed(t *testing.T) {
	m := model(t, func(b *graph.Builder) {
		x := b.Input("x", graph.Float32, 4, 8)
		y := b.Add(x, x)                                                  // XNNPACK takes it
		z := b.Cumsum(y, 1, false, false)                                 // and not this
		b.Output("z", b.Mul(z, graph.ConstOf(b, "two", []float32{2}, 1))) // but this
	})
	e, err := Compile(t.Context(), m, Config{Name: "test", Threads: 1, Delegate: func() (Delegate, error) {
		return xnnpack.New(xnnpack.DelegateOptions{NumThreads: 1}).(*xnnpack.Delegate), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	got := e.(delegate.Delegated).Taken()
	if want := (delegate.Taken{Operators: 3, Left: []int{1}, Partitions: 2}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	out := make([]graph.Array, 1)
	if err := e.Run(t.Context(), []graph.Array{{Type: graph.Float32, Shape: []int{4, 8}, Data: graph.Bytes(slices.Repeat([]float32{1}, 32))}}, out); err != nil {
		t.Fatal(err)
	}
	if got := graph.View[float32](out[0].Data)[:8]; !slices.Equal(got, []float32{4, 8, 12, 16, 20, 24, 28, 32}) {
		t.Errorf("got %v", got)
	}
}

// The wrapper writes the first field of go-tflite's Model, which must be the C
// pointer.
func TestGoTFLitesModelBeginsWithItsPointer(t *testing.T) {
	f := reflect.TypeFor[gotflite.Model]().Field(0)
	if f.Name != "m" || f.Type.Kind() != reflect.Pointer || f.Offset != 0 {
		t.Errorf("the first field is %s %v", f.Name, f.Type)
	}
}

func TestWeightsOfAMappedFileAreNotCopied(t *testing.T) {
	const n = 1 << 22 // 16 MiB of weights
	data, err := graph.Marshal(model(t, func(b *graph.Builder) {
		x := b.Input("x", graph.Float32, n)
		y := b.Add(x, graph.ConstOf(b, "w", slices.Repeat([]float32{3}, n), n))
		b.Output("y", b.Mul(y, graph.ConstOf(b, "two", []float32{2}, 1)))
	}))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "weights.tflite")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := graph.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	segment, _, err := graph.Extract(m, 0, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	mapped, err := mapModel(segment)
	if err != nil {
		t.Fatal(err)
	}
	defer mapped.close()
	if !mapped.mapped || mapped.size > 1<<16 {
		t.Fatalf("%d bytes were written (in place: %v)", mapped.size, mapped.mapped)
	}
	e := open(t, segment, Options{Threads: 1})
	out := make([]graph.Array, 1)
	if err := e.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, n)}, out); err != nil {
		t.Fatal(err)
	}
	if want := graph.Bytes(slices.Repeat([]float32{3}, n)); !bytes.Equal(out[0].Data, want) {
		t.Error("the sum is not the weights")
	}
}

// Without memory below the weights the model is copied, and runs as well.
func TestModelsAreCopiedWhereTheyCannotStay(t *testing.T) {
	m := model(t, func(b *graph.Builder) {
		x := b.Input("x", graph.Float32, 1024)
		b.Output("y", b.Add(x, graph.ConstOf(b, "w", slices.Repeat([]float32{3}, 1024), 1024)))
	})
	mapped := &mapping{segment: m}
	size, err := mapped.copied()
	if err != nil || size < 4096 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	mapped.close()
}
