package exec

import (
	"math"
	"testing"
)

func TestRoomsAreSplitAndReused(t *testing.T) {
	for _, shared := range []bool{false, true} {
		room := NewRoom(shared)
		parts := room.Split(1, 0, 100, 3_000_000)
		for i, n := range []int{1, 0, 100, 3_000_000} {
			if len(parts[i]) != n || cap(parts[i]) != n {
				t.Errorf("part %d has %d bytes of %d", i, len(parts[i]), cap(parts[i]))
			}
			for k := range parts[i] {
				if parts[i][k] != 0 {
					t.Fatalf("part %d: byte %d is not zero", i, k)
				}
				parts[i][k] = byte(i + 1)
			}
		}
		if parts[0][0] != 1 || parts[2][99] != 3 || room.Bytes(10)[9] != 0 {
			t.Error("parts overlap")
		}
		room.Close()
		room.Close()
	}
}

func TestArgumentsHaveTheDeclaredTypesAndShapes(t *testing.T) {
	r := runner(t, chain(t, 3, 4), zigzag, &toy{name: "a"}, &toy{name: "b"})
	room := NewRoom(false)
	defer room.Close()
	in, out, err := r.Arguments(room)
	if err != nil || len(in) != 1 || len(out) != 1 || len(in[0].Data) != 16 || cap(out[0].Data) < 16 {
		t.Fatalf("%+v, %+v, %v", in, out, err)
	}
	memory := &out[0].Data[0]
	for range 2 {
		if err := r.Run(t.Context(), in, out); err != nil || &out[0].Data[0] != memory {
			t.Errorf("the output is elsewhere: %v", err)
		}
	}
}

func TestArgumentsOfAbsurdSizesAreAnError(t *testing.T) {
	m := chain(t, 3, 4)
	r := runner(t, m, "", &toy{name: "a"})
	for _, shape := range [][]int{{math.MaxInt32}, {math.MaxInt}, {math.MaxInt, math.MaxInt}} {
		m.Subgraphs[0].Tensors[m.Subgraphs[0].Outputs[0]].Shape = shape
		if _, _, err := r.Arguments(NewRoom(false)); err == nil {
			t.Errorf("made arrays of shape %v", shape)
		}
	}
}
