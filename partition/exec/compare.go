package exec

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
	"nanoflux/partition"
	"nanoflux/profiles"

	"github.com/x448/float16"
)

// Difference is how far an output is from a reference's.
type Difference struct {
	// Output is the tensor's name.
	Output string `json:"output"`
	Type   string `json:"type"`
	Shape  []int  `json:"shape"`
	// Equal says that both have the same bytes.
	Equal bool `json:"equal"`
	// Elements is how many there are, Different how many differ in value. Both
	// are 0 for types that are no numbers.
	Elements  int `json:"elements"`
	Different int `json:"different"`
	// MaxAbs is the largest absolute difference of two finite elements, in
	// units of the type (steps for integers), and At its index in the
	// flattened array.
	MaxAbs float64 `json:"max_abs"`
	At     int     `json:"at"`
	// Range is the largest minus the smallest finite value of the reference.
	Range float64 `json:"range"`
	// Relative is MaxAbs / Range. Where all values of the reference are the
	// same it is MaxAbs over that value's size, or MaxAbs if that is 0.
	Relative float64 `json:"relative"`
	// NonFinite counts elements where one side is infinite or not a number and
	// the other is not the same.
	NonFinite int `json:"non_finite"`
}

// Within reports whether the output is within a tolerance, relative to the
// reference's range.
func (d Difference) Within(tolerance float64) bool {
	return d.Equal || d.Elements > 0 && d.NonFinite == 0 && d.Relative <= tolerance
}

// Single makes a runner that has all of subgraph sub on one backend. A backend
// that does not take every operator gives an error that names the first.
func Single(ctx context.Context, m *graph.Model, sub int, backend delegate.Backend) (*Runner, error) {
	name := backend.Name()
	p := &profiles.Profile{
		Version: profiles.FormatVersion, Name: "all on " + name, File: "all on " + name,
		Backends: []profiles.Backend{{Name: name, Kind: name}}, Policy: profiles.Fail,
	}
	backends := map[string]delegate.Backend{name: backend}
	plan, err := partition.New(ctx, m, sub, p, backends)
	if err != nil {
		return nil, err
	}
	return New(ctx, m, plan, backends, Options{})
}

// Compare runs all of subgraph sub on another backend and says how far got,
// the outputs for the same inputs, are from its outputs, one Difference an
// output.
func Compare(ctx context.Context, m *graph.Model, sub int, reference delegate.Backend, inputs, got []graph.Array) (list []Difference, err error) {
	r, err := Single(ctx, m, sub, reference)
	if err != nil {
		return nil, fmt.Errorf("compare with %s: %w", reference.Name(), err)
	}
	defer func() {
		if e := r.Close(); e != nil && err == nil {
			list, err = nil, e
		}
	}()
	want := make([]graph.Array, len(m.Subgraphs[sub].Outputs))
	if err := r.Run(ctx, inputs, want); err != nil {
		return nil, fmt.Errorf("compare with %s: %w", reference.Name(), err)
	}
	if len(got) != len(want) {
		return nil, fmt.Errorf("compare with %s: %d outputs to compare, the model has %d", reference.Name(), len(got), len(want))
	}
	for k, t := range m.Subgraphs[sub].Outputs {
		d, err := Diff(got[k], want[k])
		if err != nil {
			return nil, fmt.Errorf("compare with %s: output %q: %w", reference.Name(), m.Subgraphs[sub].Tensors[t].Name, err)
		}
		d.Output = m.Subgraphs[sub].Tensors[t].Name
		list = append(list, d)
	}
	return list, nil
}

// Diff says how far got is from want. It is an error when their types or shapes
// differ.
func Diff(got, want graph.Array) (Difference, error) {
	if got.Type != want.Type {
		return Difference{}, fmt.Errorf("type %v, the reference has %v", got.Type, want.Type)
	}
	if !slices.Equal(got.Shape, want.Shape) {
		return Difference{}, fmt.Errorf("shape %v, the reference has %v", got.Shape, want.Shape)
	}
	for _, a := range []graph.Array{got, want} {
		if err := checkSize(a); err != nil {
			return Difference{}, err
		}
	}
	d := Difference{Type: got.Type.String(), Shape: slices.Clone(got.Shape), Equal: bytes.Equal(got.Data, want.Data)}
	g, numbers := reals(got)
	if !numbers {
		return d, nil
	}
	w, _ := reals(want)
	d.Elements = len(w)
	lowest, highest := math.Inf(1), math.Inf(-1)
	for i := range w {
		if finite(w[i]) {
			lowest, highest = min(lowest, w[i]), max(highest, w[i])
		}
		switch {
		case g[i] == w[i] || math.IsNaN(g[i]) && math.IsNaN(w[i]):
		case !finite(g[i]) || !finite(w[i]):
			d.Different++
			d.NonFinite++
		default:
			d.Different++
			if abs := math.Abs(g[i] - w[i]); abs > d.MaxAbs {
				d.MaxAbs, d.At = abs, i
			}
		}
	}
	if lowest <= highest {
		d.Range = highest - lowest
	}
	switch {
	case d.Range > 0:
		d.Relative = d.MaxAbs / d.Range
	case lowest <= highest && highest != 0:
		d.Relative = d.MaxAbs / math.Abs(highest)
	default:
		d.Relative = d.MaxAbs
	}
	return d, nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// reals are an array's elements as float64, which holds integers to 2^53
// exactly. Complex numbers count as two elements. ok is false for types that
// are no numbers.
func reals(a graph.Array) (list []float64, ok bool) {
	switch a.Type {
	case graph.Float32, complex64Type:
		return convert[float32](a), true
	case graph.Float64, complex128Type:
		return convert[float64](a), true
	case graph.Int8:
		return convert[int8](a), true
	case graph.Uint8, graph.Bool:
		return convert[uint8](a), true
	case graph.Int16:
		return convert[int16](a), true
	case graph.Uint16:
		return convert[uint16](a), true
	case graph.Int32:
		return convert[int32](a), true
	case graph.Uint32:
		return convert[uint32](a), true
	case graph.Int64:
		return convert[int64](a), true
	case graph.Uint64:
		return convert[uint64](a), true
	case graph.Float16:
		for _, bits := range graph.View[uint16](a.Data) {
			list = append(list, float64(float16.Frombits(bits).Float32()))
		}
		return list, true
	case graph.BFloat16:
		for _, bits := range graph.View[uint16](a.Data) {
			list = append(list, float64(math.Float32frombits(uint32(bits)<<16)))
		}
		return list, true
	case graph.Int4:
		n, _ := graph.Elements(a.Shape) // its size was checked
		for i := range n {
			// Two elements a byte, the first in the low half.
			half := int8(a.Data[i/2] << (4 * (1 - i%2)))
			list = append(list, float64(half>>4))
		}
		return list, true
	}
	return nil, false
}

const (
	complex64Type  = schema.TensorTypeCOMPLEX64
	complex128Type = schema.TensorTypeCOMPLEX128
)

func convert[T float32 | float64 | int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64](a graph.Array) []float64 {
	values := graph.View[T](a.Data)
	list := make([]float64, len(values))
	for i, v := range values {
		list[i] = float64(v)
	}
	return list
}
