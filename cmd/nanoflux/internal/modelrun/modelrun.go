// Package modelrun runs one model file by a profile, and by a reference backend
// beside it when the two are to be compared.
package modelrun

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"nanoflux/cmd/nanoflux/internal/feed"
	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/partition"
	"nanoflux/partition/exec"
	"nanoflux/profiles"
)

// ErrDiffer is wrapped by the error for outputs that do not compare.
var ErrDiffer = errors.New("outputs differ")

// Tolerance is how far a float may be off, as a share of the range (largest
// less smallest) of the reference's output.
const Tolerance = 1e-4

// Request is a model to run and what to run it on.
type Request struct {
	Model   *graph.Model
	Profile *profiles.Profile
	// Inputs are specs as package feed takes them.
	Inputs []string
	// Reference is the kind of a backend that runs the whole model too;
	// empty for none.
	Reference string
	// Isolation is for backends of vendors.
	Isolation partition.Isolation
	// Verify compares each segment's results; nil does not.
	Verify *exec.Verify
}

// Result is one run.
type Result struct {
	Model    string               `json:"model"`
	Profile  string               `json:"profile"`
	Prepare  time.Duration        `json:"prepare_ns"`
	Time     time.Duration        `json:"time_ns"`
	Outputs  []Output             `json:"outputs"`
	Segments []exec.SegmentReport `json:"segments"`
	// Backends sum up the segments: what really ran where.
	Backends []exec.Share `json:"backends"`
	Warnings []string     `json:"warnings,omitempty"`
	// Verified is there when segments were to be verified.
	Verified *exec.Verification `json:"verified,omitempty"`
	// Reference is the kind of backend that Compared is against.
	Reference string       `json:"reference,omitempty"`
	Compared  []Comparison `json:"compared,omitempty"`

	// Values are the outputs themselves, until Close.
	Values []graph.Array `json:"-"`

	room *exec.Room
}

// Close frees the outputs.
func (r *Result) Close() { r.room.Close() }

// remote says whether a backend of the profile runs in another process.
func remote(r Request) bool {
	return !r.Isolation.None && slices.ContainsFunc(r.Profile.Backends, func(b profiles.Backend) bool {
		return delegate.IsVendor(b.Kind) && !b.Trusted
	})
}

// Comparison is how far one output is from the reference's.
type Comparison struct {
	exec.Difference
	// Passed: integers are the same, floats within Tolerance.
	Passed bool `json:"passed"`
}

// Output sums up one output.
type Output struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
	// Low and High are the smallest and largest value, nil when there is none.
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
}

// Inputs are the inputs of a model's main subgraph under all their names.
func Inputs(m *graph.Model) []feed.Input {
	g := &m.Subgraphs[0]
	inputs := make([]feed.Input, len(g.Inputs))
	for i, t := range g.Inputs {
		inputs[i] = feed.Input{Names: []string{g.Tensors[t].Name}, Tensor: &g.Tensors[t]}
		for _, s := range m.Signatures {
			for _, n := range s.Inputs {
				if s.Subgraph == 0 && n.Tensor == t {
					inputs[i].Names = append(inputs[i].Names, n.Name)
				}
			}
		}
	}
	return inputs
}

// Run runs the model once. With a Reference the error wraps ErrDiffer when the
// outputs are not the same; the result is then complete all the same. A result
// must be closed.
func Run(ctx context.Context, r Request) (*Result, error) {
	room := exec.NewRoom(remote(r))
	result, err := run(ctx, r, room)
	if result == nil {
		room.Close()
	}
	return result, err
}

func run(ctx context.Context, r Request, room *exec.Room) (*Result, error) {
	m := r.Model
	memory := room.Bytes
	if !remote(r) {
		memory = nil
	}
	inputs, err := feed.Arrays(Inputs(m), r.Inputs, memory)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	start := time.Now()
	backends, err := partition.OpenBackends(r.Profile, r.Isolation)
	if err != nil {
		return nil, err
	}
	defer partition.CloseBackends(backends)
	written, _, err := partition.Rewritten(m, r.Profile)
	if err != nil {
		return nil, err
	}
	runner, plan, err := exec.Settle(ctx, written, 0, r.Profile, backends, exec.Options{Verify: r.Verify})
	if err != nil {
		return nil, err
	}
	defer runner.Close()
	g := &m.Subgraphs[0]
	result := &Result{Model: m.Name, Profile: r.Profile.Name, Prepare: time.Since(start), Warnings: plan.Warnings, Values: make([]graph.Array, len(g.Outputs)), room: room}
	if _, outputs, err := runner.Arguments(room); remote(r) && err == nil { // else each backend makes its own
		result.Values = outputs
	}
	start = time.Now()
	if err := runner.Run(ctx, inputs, result.Values); err != nil {
		return nil, fmt.Errorf("run %s: %w", m.Name, err)
	}
	result.Time = time.Since(start)
	result.Segments = runner.Report()
	result.Backends = exec.Shares(result.Segments)
	result.Verified = r.Verify.Verification(result.Segments)
	result.Warnings = append(slices.Clone(result.Warnings), runner.Notices()...)
	names := make([]string, len(g.Outputs))
	for i, t := range g.Outputs {
		names[i] = g.Tensors[t].Name
		result.Outputs = append(result.Outputs, summary(names[i], result.Values[i]))
	}
	if r.Reference == "" {
		return result, nil
	}
	reference, err := delegate.Open(r.Reference, nil)
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	differences, err := exec.Compare(ctx, m, 0, reference, inputs, result.Values)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	result.Reference = r.Reference
	var different []string
	for _, d := range differences {
		c := Comparison{Difference: d, Passed: passes(d)}
		if !c.Passed {
			different = append(different, d.Output)
		}
		result.Compared = append(result.Compared, c)
	}
	if len(different) > 0 {
		return result, fmt.Errorf("%s: profile %s and %s: %w in %s", m.Name, r.Profile.Name, r.Reference, ErrDiffer, strings.Join(different, ", "))
	}
	return result, nil
}

// passes: floats may be off by Tolerance of the reference's range, everything
// else must be the same.
func passes(d exec.Difference) bool {
	if strings.Contains(d.Type, "FLOAT") {
		return d.Within(Tolerance)
	}
	return d.Equal
}

func summary(name string, a graph.Array) Output {
	o := Output{Name: name, Type: a.Type.String(), Shape: a.Shape}
	if o.Shape == nil {
		o.Shape = []int{}
	}
	if low, high, ok := extremes(a); ok {
		o.Low, o.High = &low, &high
	}
	return o
}

// extremes are the smallest and the largest value; ok is false when there is
// none, when one is not finite, or when the type is not a plain number.
func extremes(a graph.Array) (low, high float64, ok bool) {
	switch a.Type {
	case graph.Float32:
		return between[float32](a)
	case graph.Float64:
		return between[float64](a)
	case graph.Int8:
		return between[int8](a)
	case graph.Uint8, graph.Bool:
		return between[uint8](a)
	case graph.Int16:
		return between[int16](a)
	case graph.Uint16:
		return between[uint16](a)
	case graph.Int32:
		return between[int32](a)
	case graph.Uint32:
		return between[uint32](a)
	case graph.Int64:
		return between[int64](a)
	case graph.Uint64:
		return between[uint64](a)
	}
	return 0, 0, false
}

func between[T float32 | float64 | int8 | uint8 | int16 | uint16 | int32 | uint32 | int64 | uint64](a graph.Array) (low, high float64, ok bool) {
	values := graph.View[T](a.Data)
	if len(values) == 0 {
		return 0, 0, false
	}
	low, high = float64(values[0]), float64(values[0])
	for _, v := range values {
		low, high = min(low, float64(v)), max(high, float64(v)) // not a number if any value is not
	}
	return low, high, !math.IsNaN(low) && !math.IsInf(low, 0) && !math.IsInf(high, 0)
}
