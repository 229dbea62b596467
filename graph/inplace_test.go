package graph

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// inOneBlock lays a file with room before it, as memory below a mapped file.
func inOneBlock(t *testing.T, m *Model) (block []byte, file []byte) {
	t.Helper()
	data, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	const room = 1 << 16
	block = AlignedBytes(room + len(data))
	copy(block[room:], data)
	return block, block[room:]
}

func TestInPlaceConstantsAreFoundWhereTheyLie(t *testing.T) {
	weights := slices.Repeat([]float32{1.5}, 1000)
	b := NewBuilder("in place")
	x := b.Input("x", Float32, 1000)
	y := b.Add(x, ConstOf(b, "w", weights, 1000))
	b.Output("y", b.Mul(y, ConstOf(b, "two", []float32{2}, 1)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	block, file := inOneBlock(t, m)
	source, err := Read(file, "source")
	if err != nil {
		t.Fatal(err)
	}
	// A cut keeps the file; what it writes itself is its structure alone.
	cut, _, err := Extract(source, 0, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	wrote := 0
	size, err := MarshalInPlace(cut, func(n int, end uintptr) ([]byte, error) {
		wrote = n
		return block[:n], nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if wrote > 3000 {
		t.Errorf("%d bytes were written for a model of 4000 bytes of weights", wrote)
	}
	got, err := Read(block[:size], "in place")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Marshal(cut)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, want) {
		t.Error("what is read is not what was written")
	}
}

func TestInPlaceConstantsOutsideTheFileAreWritten(t *testing.T) {
	b := NewBuilder("no file")
	b.Output("y", b.Add(b.Input("x", Float32, 3), ConstOf(b, "w", []float32{1, 2, 3}, 3)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	var memory []byte
	size, err := MarshalInPlace(m, func(n int, end uintptr) ([]byte, error) {
		if end != 0 {
			t.Error("something would stay in place")
		}
		memory = AlignedBytes(n)
		return memory, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Read(memory[:size], "copy"); err != nil || !slices.Equal(View[float32](got.Buffers[len(got.Buffers)-1]), []float32{1, 2, 3}) {
		t.Errorf("%v", err)
	}
}

func TestInPlaceMemoryAboveTheFileIsRefused(t *testing.T) {
	b := NewBuilder("above")
	b.Output("y", b.Add(b.Input("x", Float32, 3), ConstOf(b, "w", []float32{1, 2, 3}, 3)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	data, err := Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	block := AlignedBytes(len(data) + 1<<16)
	copy(block, data)
	source, err := Read(block[:len(data)], "source")
	if err != nil {
		t.Fatal(err)
	}
	above := block[len(data)+64:]
	if _, err := MarshalInPlace(source, func(n int, _ uintptr) ([]byte, error) { return above[:n], nil }); !errors.Is(err, ErrOutOfReach) {
		t.Errorf("got %v", err)
	}
}
