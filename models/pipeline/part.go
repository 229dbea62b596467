package pipeline

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/partition"
	"nanoflux/partition/exec"
	"nanoflux/profiles"
)

// part is one model of the bundle, rewritten as the profile asks, planned and ready to run.
type part struct {
	name   string
	model  *graph.Model
	plan   *partition.Plan
	runner *exec.Runner
	// inputs and output are in the pipeline's room, reused between runs.
	inputs, output []graph.Array
	calls          int
	spent          time.Duration
}

func newPart(ctx context.Context, name string, m *graph.Model, p *profiles.Profile, backends map[string]delegate.Backend, o exec.Options) (*part, error) {
	m, _, err := partition.Rewritten(m, p)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", name, err)
	}
	runner, plan, err := exec.Settle(ctx, m, 0, p, backends, o)
	if err != nil {
		return nil, fmt.Errorf("prepare %s: %w", name, err)
	}
	return &part{name: name, model: m, plan: plan, runner: runner}, nil
}

// input is the memory of an input of float32: what is written there reaches a
// backend in another process without a copy. It is nil for an input that the part
// does not have.
func (p *part) input(name string) []float32 {
	for i, t := range p.model.Subgraphs[0].Inputs {
		if inputName(p.model, t) == name {
			return graph.View[float32](p.inputs[i].Data)
		}
	}
	return nil
}

// run computes the part's output from inputs by name. The output is valid until
// the next run, unless output was set to other memory.
func (p *part) run(ctx context.Context, inputs map[string][]float32) ([]float32, error) {
	arrays := make(map[string]graph.Array, len(inputs))
	for name, values := range inputs {
		t := inputNamed(p.model, name)
		if t == nil {
			continue // an optional input that this model does not have
		}
		arrays[name] = graph.Array{Type: graph.Float32, Shape: t.Shape, Data: graph.Bytes(values)}
	}
	return p.runArrays(ctx, arrays)
}

func (p *part) runArrays(ctx context.Context, inputs map[string]graph.Array) ([]float32, error) {
	g := &p.model.Subgraphs[0]
	ordered := make([]graph.Array, len(g.Inputs))
	for i, t := range g.Inputs {
		a, ok := inputs[inputName(p.model, t)]
		if !ok {
			return nil, fmt.Errorf("%s: input %q has no value", p.name, inputName(p.model, t))
		}
		ordered[i] = a
	}
	start := time.Now()
	err := p.runner.Run(ctx, ordered, p.output)
	p.spent += time.Since(start)
	p.calls++
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", p.name, err)
	}
	got, want := p.output[0], &g.Tensors[g.Outputs[0]]
	if got.Type != want.Type || !slices.Equal(got.Shape, want.Shape) {
		return nil, fmt.Errorf("run %s: it gave %v %v, not %v %v", p.name, got.Type, got.Shape, want.Type, want.Shape)
	}
	values := graph.View[float32](got.Data)
	for i, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("run %s: %w: value %d of its output is %v", p.name, ErrNotFinite, i, v)
		}
	}
	return values, nil
}
