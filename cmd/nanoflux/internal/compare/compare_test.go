package compare

import (
	"encoding/json"
	"math"
	"testing"

	"nanoflux/graph"
)

func floats(v ...float32) graph.Array {
	a := graph.NewArray(graph.Float32, len(v))
	copy(graph.View[float32](a.Data), v)
	return a
}

func array[T graph.Element](kind graph.TensorType, v ...T) graph.Array {
	a := graph.NewArray(kind, len(v))
	copy(graph.View[T](a.Data), v)
	return a
}

func TestFloatsMayDifferByAShareOfTheRange(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		got, reference graph.Array
		equal          bool
		differing      int
	}{
		"the same":                    {floats(0, 1000), floats(0, 1000), true, 0},
		"within the tolerance":        {floats(0.009, 1000), floats(0, 1000), true, 1},
		"beyond the tolerance":        {floats(0.011, 1000), floats(0, 1000), false, 1},
		"a range far from zero":       {floats(1000, 1000.001), floats(1000, 1001), false, 1},
		"a constant, within":          {floats(5.00004), floats(5), true, 1},
		"a constant, beyond":          {floats(5.0001), floats(5), false, 1},
		"zeros against almost zeros":  {floats(1e-9), floats(0), false, 1},
		"no numbers in both":          {floats(nan, 0, 1), floats(nan, 0, 1), true, 0},
		"no number in one":            {floats(nan, 0, 1), floats(0, 0, 1), false, 1},
		"the same infinity":           {floats(inf, 0, 1), floats(inf, 0, 1), true, 0},
		"infinity for a number":       {floats(inf, 0, 1), floats(2, 0, 1), false, 1},
		"a number for infinity":       {floats(1, 0, 1), floats(inf, 0, 1), false, 1},
		"nothing":                     {floats(), floats(), true, 0},
		"halves, one step of 2^-11":   {array[uint16](graph.Float16, 0x3c00, 0), array[uint16](graph.Float16, 0x3bff, 0), false, 1},
		"bfloats alike":               {array[uint16](graph.BFloat16, 0x3f80), array[uint16](graph.BFloat16, 0x3f80), true, 0},
		"doubles within":              {array(graph.Float64, 0, 1e-6, 1), array(graph.Float64, 0, 0, 1.0), true, 1},
		"integers one apart":          {array[int8](graph.Int8, 1, 2), array[int8](graph.Int8, 1, 3), false, 1},
		"integers alike":              {array[int32](graph.Int32, -7), array[int32](graph.Int32, -7), true, 0},
		"large integers one apart":    {array[int64](graph.Int64, 1<<60), array[int64](graph.Int64, 1<<60+1), false, 1},
		"unsigned integers one apart": {array[uint8](graph.Uint8, 255), array[uint8](graph.Uint8, 254), false, 1},
		"shorts one apart":            {array[int16](graph.Int16, -1), array[int16](graph.Int16, 0), false, 1},
		"bools that differ":           {array(graph.Bool, true), array(graph.Bool, false), false, 1},
		"another type":                {array[int8](graph.Int8, 1), array[uint8](graph.Uint8, 1), false, 0},
		"another shape":               {floats(1, 2), floats(1), false, 0},
		"strings":                     {graph.Array{Type: graph.String}, graph.Array{Type: graph.String}, false, 0},
	} {
		row := Outputs([]string{"out"}, []graph.Array{c.got}, []graph.Array{c.reference})[0]
		if row.Equal != c.equal || row.Differing != c.differing {
			t.Errorf("%s: %+v", name, row)
		}
		if (row.Note != "") != (name == "another type" || name == "another shape" || name == "strings") {
			t.Errorf("%s: note %q", name, row.Note)
		}
		if c.equal && !(row.Relative() <= Tolerance) {
			t.Errorf("%s: relative difference %g", name, row.Relative())
		}
	}
}

func TestRowsAreJSONEvenWhenInfinitelyFar(t *testing.T) {
	for want, got := range map[string]graph.Array{
		`{"output":"o","type":"FLOAT32","elements":2,"differing":1,"range":4,"equal":false,"largest_difference":null,"relative_difference":null}`: floats(float32(math.NaN()), 4),
		`{"output":"o","type":"FLOAT32","elements":2,"differing":1,"range":4,"equal":false,"largest_difference":2,"relative_difference":0.5}`:     floats(0, 2),
	} {
		text, err := json.Marshal(Outputs([]string{"o"}, []graph.Array{got}, []graph.Array{floats(0, 4)})[0])
		if err != nil || string(text) != want {
			t.Errorf("%s, %v; want %s", text, err, want)
		}
	}
}
