package exec

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"nanoflux/graph"
	"nanoflux/partition"
)

func floats(values ...float32) graph.Array {
	return graph.Array{Type: graph.Float32, Shape: []int{len(values)}, Data: graph.Bytes(values)}
}

func TestDiffSaysHowFarArraysAreApart(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	half := func(bits ...uint16) graph.Array {
		return graph.Array{Type: graph.Float16, Shape: []int{len(bits)}, Data: graph.Bytes(bits)}
	}
	tests := []struct {
		name      string
		got, want graph.Array
		d         Difference
		within    bool // of 0.1
	}{
		{"equal", floats(1, 2), floats(1, 2), Difference{Equal: true, Elements: 2, Range: 1}, true},
		{"apart", floats(0, 5.5, 10), floats(0, 5, 10), Difference{Elements: 3, Different: 1, MaxAbs: 0.5, At: 1, Range: 10, Relative: 0.05}, true},
		{"far apart", floats(0, 7, 9.5), floats(0, 5, 10), Difference{Elements: 3, Different: 2, MaxAbs: 2, At: 1, Range: 10, Relative: 0.2}, false},
		{"signs of zero", floats(float32(math.Copysign(0, -1))), floats(0), Difference{Elements: 1}, true},
		{"a constant reference", floats(4.5, 4), floats(4, 4), Difference{Elements: 2, Different: 1, MaxAbs: 0.5, Relative: 0.125}, false},
		{"a zero reference", floats(0.5), floats(0), Difference{Elements: 1, Different: 1, MaxAbs: 0.5, Relative: 0.5}, false},
		{"the same not-a-numbers", floats(nan, 1, 2), floats(nan, 1, 2), Difference{Equal: true, Elements: 3, Range: 1}, true},
		{"a not-a-number that should not be", floats(nan, 1), floats(0, 1), Difference{Elements: 2, Different: 1, Range: 1, NonFinite: 1}, false},
		{"the other infinity", floats(inf, 1), floats(-inf, 1), Difference{Elements: 2, Different: 1, NonFinite: 1}, false},
		{"integers", ints(1, 2, 9), ints(1, 4, 9), Difference{Elements: 3, Different: 1, MaxAbs: 2, At: 1, Range: 8, Relative: 0.25}, false},
		{"half precision", half(0x3c00, 0x4000), half(0x3c00, 0x4200), Difference{Elements: 2, Different: 1, MaxAbs: 1, At: 1, Range: 2, Relative: 0.5}, false},
		{"four bits", graph.Array{Type: graph.Int4, Shape: []int{3}, Data: []byte{0xf1, 0x08}}, graph.Array{Type: graph.Int4, Shape: []int{3}, Data: []byte{0x11, 0x08}},
			Difference{Elements: 3, Different: 1, MaxAbs: 2, At: 1, Range: 9, Relative: 2. / 9}, false},
		{"nothing", floats(), floats(), Difference{Equal: true}, true},
		{"strings", graph.Array{Type: graph.String, Shape: []int{1}, Data: []byte("a")}, graph.Array{Type: graph.String, Shape: []int{1}, Data: []byte("b")}, Difference{}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Diff(test.got, test.want)
			if err != nil {
				t.Fatal(err)
			}
			test.d.Type, test.d.Shape = test.got.Type.String(), test.got.Shape
			if len(test.d.Shape) == 0 {
				got.Shape = test.d.Shape
			}
			if !reflect.DeepEqual(got, test.d) {
				t.Errorf("got  %+v\nwant %+v", got, test.d)
			}
			if got.Within(0.1) != test.within {
				t.Errorf("within 0.1: %v", !test.within)
			}
			if _, err := json.Marshal(got); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDiffNeedsEqualTypesAndShapes(t *testing.T) {
	tests := []struct {
		name      string
		got, want graph.Array
		text      string
	}{
		{"types", ints(1), floats(1), "type INT32, the reference has FLOAT32"},
		{"shapes", ints(1), ints(1, 2), "shape [1], the reference has [2]"},
		{"bytes", graph.Array{Type: graph.Int32, Shape: []int{2}, Data: make([]byte, 4)}, ints(1, 2), "got 4 bytes"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := Diff(test.got, test.want); err == nil || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want %s", err, test.text)
			}
		})
	}
}

func TestCompareRunsTheWholeModelOnTheReference(t *testing.T) {
	m := chain(t, 3, 4)
	r := runner(t, m, zigzag, &toy{name: "a"}, &toy{name: "b"})
	inputs, got := []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1)
	if err := r.Run(context.Background(), inputs, got); err != nil {
		t.Fatal(err)
	}
	reference := &toy{name: "reference"}
	list, err := Compare(context.Background(), m, 0, reference, inputs, got)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 1 || !list[0].Equal || list[0].Output != "y" || reference.compiled != 1 || reference.open != 0 {
		t.Errorf("%+v; compiled %d, open %d", list, reference.compiled, reference.open)
	}
	graph.View[int32](got[0].Data)[2] = 9
	if list, err = Compare(context.Background(), m, 0, reference, inputs, got); err != nil || list[0].Equal || list[0].At != 2 || list[0].MaxAbs != 9 {
		t.Errorf("%+v, %v", list, err)
	}
	picky := &toy{name: "picky", takes: func(op int) bool { return op != 1 }}
	if _, err := Compare(context.Background(), m, 0, picky, inputs, got); !errors.Is(err, partition.ErrUnplaced) || !strings.Contains(err.Error(), "compare with picky") {
		t.Errorf("got %v", err)
	}
	if _, err := Compare(context.Background(), m, 0, reference, inputs, nil); err == nil {
		t.Error("no outputs to compare are no error")
	}
}
