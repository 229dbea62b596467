// Package selftest runs a few small known models on a backend and compares the
// results with another backend's: whether a device can be used at all is better
// known before a picture is made.
package selftest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// Result is what a backend made of the models.
type Result struct {
	// Passed are the names of models whose results are right.
	Passed []string `json:"passed"`
	// Refused are those that the backend does not take, with why.
	Refused []Remark `json:"refused,omitempty"`
	// Left are those of which its delegate left operators to the CPU.
	Left []Remark `json:"left,omitempty"`
	// Wrong are those that failed, or whose results are wrong.
	Wrong []Remark `json:"wrong,omitempty"`
}

// Remark is a model and what there is to say of it.
type Remark struct {
	Model string `json:"model"`
	Text  string `json:"text"`
}

// Usable says whether the backend gave right results, and no wrong ones.
func (r Result) Usable() bool { return len(r.Passed) > 0 && len(r.Wrong) == 0 }

// tolerance of results, as a share of the range of the reference's: devices
// compute in half precision.
const tolerance = 2e-2

// Run tries every model. The error is only for a context that ends.
func Run(ctx context.Context, b, reference delegate.Backend) (Result, error) {
	var r Result
	for _, c := range cases() {
		text, err := try(ctx, b, reference, c)
		var refusal *delegate.Refusal
		switch {
		case ctx.Err() != nil:
			return r, ctx.Err()
		case errors.As(err, &refusal):
			r.Refused = append(r.Refused, Remark{c.name, refusal.Error()})
		case err != nil:
			r.Wrong = append(r.Wrong, Remark{c.name, err.Error()})
		default:
			r.Passed = append(r.Passed, c.name)
			if text != "" {
				r.Left = append(r.Left, Remark{c.name, text})
			}
		}
		if errors.Is(err, delegate.ErrLost) {
			return r, nil // nothing more runs there
		}
	}
	return r, nil
}

// try runs one model on both backends. text says what a delegate left.
func try(ctx context.Context, b, reference delegate.Backend, c testCase) (text string, err error) {
	m, err := c.build()
	if err != nil {
		return "", err
	}
	for op := range m.Subgraphs[0].Ops {
		if r := b.Supports(m, 0, op); r != nil {
			return "", fmt.Errorf("%s: %w", m.Subgraphs[0].Ops[op].Name(), r)
		}
	}
	inputs := random(m)
	got, text, err := run(ctx, b, m, inputs)
	if err != nil {
		return "", err
	}
	want, _, err := run(ctx, reference, m, inputs)
	if err != nil {
		return "", fmt.Errorf("the reference: %w", err)
	}
	return text, compare(got, want)
}

func run(ctx context.Context, b delegate.Backend, m *graph.Model, inputs []graph.Array) (out graph.Array, left string, err error) {
	e, err := b.Compile(ctx, m)
	if err != nil {
		return graph.Array{}, "", err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if d, ok := e.(delegate.Delegated); ok {
		if t := d.Taken(); len(t.Left) > 0 {
			left = fmt.Sprintf("%d of %d operators were left to the CPU", len(t.Left), t.Operators)
		}
	}
	outputs := make([]graph.Array, 1)
	if err := e.Run(ctx, inputs, outputs); err != nil {
		return graph.Array{}, "", err
	}
	return outputs[0], left, nil
}

// random are inputs from -1 to 1, or of all bytes; always the same.
func random(m *graph.Model) (inputs []graph.Array) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, t := range m.Subgraphs[0].Inputs {
		x := &m.Subgraphs[0].Tensors[t]
		a := graph.NewArray(x.Type, x.Shape...)
		if x.Type == graph.Float32 {
			for i := range graph.View[float32](a.Data) {
				graph.View[float32](a.Data)[i] = r.Float32()*2 - 1
			}
		} else {
			for i := range a.Data {
				a.Data[i] = byte(r.Uint32())
			}
		}
		inputs = append(inputs, a)
	}
	return inputs
}

// compare is an error when results are not the same within tolerance.
func compare(got, want graph.Array) error {
	if got.Type != want.Type || len(got.Data) != len(want.Data) {
		return fmt.Errorf("the result is %v %v, must be %v %v", got.Type, got.Shape, want.Type, want.Shape)
	}
	g, w := values(got), values(want)
	low, high, most := math.Inf(1), math.Inf(-1), 0.0
	for i := range w {
		low, high = min(low, w[i]), max(high, w[i])
		if math.IsNaN(g[i]) || math.IsInf(g[i], 0) {
			return fmt.Errorf("value %d is no number", i)
		}
		most = max(most, math.Abs(g[i]-w[i]))
	}
	limit := tolerance * (high - low)
	if got.Type == graph.Int8 {
		limit = 1
	}
	if most > limit {
		return fmt.Errorf("it is off by %.3g, of a range of %.3g", most, high-low)
	}
	return nil
}

func values(a graph.Array) []float64 {
	list := make([]float64, 0, len(a.Data))
	if a.Type == graph.Float32 {
		for _, v := range graph.View[float32](a.Data) {
			list = append(list, float64(v))
		}
		return list
	}
	for _, v := range graph.View[int8](a.Data) {
		list = append(list, float64(v))
	}
	return list
}
