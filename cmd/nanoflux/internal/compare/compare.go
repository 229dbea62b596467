// Package compare says how far two sets of outputs of the same model are apart.
package compare

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/x448/float16"

	"nanoflux/graph"
)

// Tolerance is how far a float may be off, as a share of the range (largest
// less smallest) of the reference's output.
const Tolerance = 1e-5

// Row is the comparison of one output.
type Row struct {
	Output   string `json:"output"`
	Type     string `json:"type"`
	Elements int    `json:"elements"`
	// Differing is how many elements are not equal.
	Differing int `json:"differing"`
	// Largest is the largest absolute difference of values, in steps for
	// quantized outputs. It is infinite when only one of two is a number.
	Largest float64 `json:"-"`
	// Range is the reference's largest value less its smallest.
	Range float64 `json:"range"`
	// Equal says whether the outputs pass: integers are the same, floats
	// within Tolerance of Range.
	Equal bool `json:"equal"`
	// Note says what is wrong when it is not a value: a type, a shape.
	Note string `json:"note,omitempty"`
}

// Relative is Largest as a share of Range; a constant reference counts by its
// magnitude.
func (r Row) Relative() float64 {
	if r.Largest == 0 {
		return 0
	}
	return r.Largest / r.Range
}

// MarshalJSON adds the differences; null stands for infinite ones, which JSON
// does not have.
func (r Row) MarshalJSON() ([]byte, error) {
	finite := func(v float64) *float64 {
		if math.IsInf(v, 0) {
			return nil
		}
		return &v
	}
	type plain Row // without this method
	return json.Marshal(struct {
		plain
		Largest  *float64 `json:"largest_difference"`
		Relative *float64 `json:"relative_difference"`
	}{plain(r), finite(r.Largest), finite(r.Relative())})
}

// Outputs compares got with reference, element by element. All have the same
// length.
func Outputs(names []string, got, reference []graph.Array) []Row {
	rows := make([]Row, len(names))
	for i, name := range names {
		rows[i] = one(name, got[i], reference[i])
	}
	return rows
}

func one(name string, got, reference graph.Array) Row {
	row := Row{Output: name, Type: reference.Type.String()}
	switch {
	case got.Type != reference.Type:
		row.Note = fmt.Sprintf("type %v, the reference has %v", got.Type, reference.Type)
		return row
	case !slices.Equal(got.Shape, reference.Shape):
		row.Note = fmt.Sprintf("shape %v, the reference has %v", got.Shape, reference.Shape)
		return row
	}
	a, ok := values(got)
	b, _ := values(reference)
	if !ok {
		row.Note = fmt.Sprintf("values of type %v cannot be compared", got.Type)
		return row
	}
	row.Elements = len(b)
	low, high, magnitude := math.Inf(1), math.Inf(-1), 0.0
	for i := range b {
		if d := distance(a[i], b[i]); d != 0 {
			row.Differing++
			row.Largest = max(row.Largest, d)
		}
		if !math.IsNaN(b[i]) && !math.IsInf(b[i], 0) {
			low, high, magnitude = min(low, b[i]), max(high, b[i]), max(magnitude, math.Abs(b[i]))
		}
	}
	if high > low {
		row.Range = high - low
	} else {
		row.Range = magnitude
	}
	if isFloat(got.Type) {
		row.Equal = row.Largest <= Tolerance*row.Range
	} else {
		row.Equal = row.Differing == 0
	}
	return row
}

// distance is |a − b|; two values that are both not numbers, or the same
// infinity, are equal.
func distance(a, b float64) float64 {
	switch {
	case a == b || math.IsNaN(a) && math.IsNaN(b):
		return 0
	case math.IsNaN(a) || math.IsNaN(b):
		return math.Inf(1)
	}
	return math.Abs(a - b)
}

func isFloat(t graph.TensorType) bool {
	switch t {
	case graph.Float16, graph.BFloat16, graph.Float32, graph.Float64:
		return true
	}
	return false
}

// values widens an array. 64-bit integers beyond 2^53 lose their last bits; a
// difference there would go unseen, so they are split in halves.
func values(a graph.Array) ([]float64, bool) {
	switch a.Type {
	case graph.Float32:
		return widen(graph.View[float32](a.Data), func(v float32) float64 { return float64(v) }), true
	case graph.Float64:
		return graph.View[float64](a.Data), true
	case graph.Float16:
		return widen(graph.View[uint16](a.Data), func(v uint16) float64 { return float64(float16.Frombits(v).Float32()) }), true
	case graph.BFloat16:
		return widen(graph.View[uint16](a.Data), func(v uint16) float64 { return float64(math.Float32frombits(uint32(v) << 16)) }), true
	case graph.Int8:
		return widen(graph.View[int8](a.Data), func(v int8) float64 { return float64(v) }), true
	case graph.Uint8, graph.Bool, graph.Int4: // INT4: two elements a byte
		return widen(a.Data, func(v uint8) float64 { return float64(v) }), true
	case graph.Int16:
		return widen(graph.View[int16](a.Data), func(v int16) float64 { return float64(v) }), true
	case graph.Uint16:
		return widen(graph.View[uint16](a.Data), func(v uint16) float64 { return float64(v) }), true
	case graph.Int32, graph.Int64:
		return widen(graph.View[int32](a.Data), func(v int32) float64 { return float64(v) }), true
	case graph.Uint32, graph.Uint64:
		return widen(graph.View[uint32](a.Data), func(v uint32) float64 { return float64(v) }), true
	}
	return nil, false
}

func widen[T any](v []T, f func(T) float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = f(x)
	}
	return out
}
