package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// Verify compares each segment's results with a reference backend's, on the same
// inputs, and finds the operator that is wrong.
type Verify struct {
	// Reference computes what is right.
	Reference delegate.Backend
	// Tolerance of floats, relative to the range of the reference's output; 0
	// for 1e-3. Integers may differ by one step.
	Tolerance float64
}

// NewVerify verifies with the registered kind of backend ("fallback").
func NewVerify(kind string) (*Verify, error) {
	reference, err := delegate.Open(kind, nil)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	return &Verify{Reference: reference}, nil
}

func (v *Verify) tolerance() float64 {
	if v.Tolerance == 0 {
		return 1e-3
	}
	return v.Tolerance
}

// right says whether a result is as good as the reference's.
func (v *Verify) right(got, want graph.Array) (Difference, bool) {
	d, err := Diff(got, want)
	if err != nil {
		return d, false
	}
	switch got.Type {
	case graph.Float32, graph.Float16, graph.Float64:
		return d, d.Within(v.tolerance())
	}
	return d, d.Equal || d.Elements > 0 && d.NonFinite == 0 && d.MaxAbs <= 1
}

// verify is an error that wraps errWrong and names the first wrong operator.
func (r *Runner) verify(ctx context.Context, seg *segment, at *placement, in, out []graph.Array) error {
	v := r.options.Verify
	want, err := r.once(ctx, v.Reference, seg.Ops, in, seg.Inputs, seg.Outputs)
	if err != nil {
		return fmt.Errorf("verify segment %d: %w", seg.ID, err)
	}
	for k, t := range seg.Outputs {
		d, ok := v.right(out[k], want[k])
		if ok {
			continue
		}
		cause := fmt.Errorf("%w: %s is off by %.2g of its range, with %d values that are no numbers", errWrong, r.model.TensorLabel(r.plan.Subgraph, t), d.Relative, d.NonFinite)
		op, err := r.bisect(ctx, seg, at, in)
		if err != nil {
			return fmt.Errorf("%w (the operator was not found: %w)", cause, err)
		}
		if op < 0 {
			return fmt.Errorf("%w; no operator is wrong by itself", cause)
		}
		return fmt.Errorf("%w; the first wrong operator is %s", cause, r.model.OpLabel(r.plan.Subgraph, op))
	}
	return nil
}

// bisect finds the first operator of a segment whose results are wrong when the
// segment ends with it; -1 if there is none.
func (r *Runner) bisect(ctx context.Context, seg *segment, at *placement, in []graph.Array) (int, error) {
	backend := r.backends[at.backend]
	wrong := func(n int) (bool, error) {
		ops := seg.Ops[:n]
		outputs := r.made(ops)
		got, err := r.once(ctx, backend, ops, in, seg.Inputs, outputs)
		if err != nil {
			return false, err
		}
		want, err := r.once(ctx, r.options.Verify.Reference, ops, in, seg.Inputs, outputs)
		if err != nil {
			return false, err
		}
		for k := range got {
			if _, ok := r.options.Verify.right(got[k], want[k]); !ok {
				return true, nil
			}
		}
		return false, nil
	}
	low, high := 0, len(seg.Ops) // the first low operators are right
	for low < high {
		middle := (low + high) / 2
		bad, err := wrong(middle + 1)
		if err != nil {
			return 0, err
		}
		if bad {
			high = middle
		} else {
			low = middle + 1
		}
	}
	if low == len(seg.Ops) {
		return -1, nil
	}
	return seg.Ops[low], nil
}

// made are the tensors that the last of some operators computes.
func (r *Runner) made(ops []int) (tensors []int) {
	for _, t := range r.graph.Ops[ops[len(ops)-1]].Outputs {
		if t != graph.NoTensor {
			tensors = append(tensors, t)
		}
	}
	return tensors
}

// once compiles operators on a backend and runs them once. given are the values
// of the tensors named by inputs.
func (r *Runner) once(ctx context.Context, backend delegate.Backend, ops []int, given []graph.Array, inputs, outputs []int) (results []graph.Array, err error) {
	// An output that a later operator of the segment reads is one of the cut all
	// the same: the cut's outputs are those that are read outside of it.
	x, cut, err := graph.Extract(r.model, r.plan.Subgraph, ops)
	if err != nil {
		return nil, err
	}
	e, err := backend.Compile(ctx, x)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	in := make([]graph.Array, len(cut.Inputs))
	for i, t := range cut.Inputs {
		k := slices.Index(inputs, t)
		if k < 0 {
			return nil, fmt.Errorf("%s is no input of the segment", r.model.TensorLabel(r.plan.Subgraph, t))
		}
		in[i] = given[k]
	}
	all := make([]graph.Array, len(cut.Outputs))
	if err := e.Run(ctx, in, all); err != nil {
		return nil, err
	}
	for _, t := range outputs {
		k := slices.Index(cut.Outputs, t)
		if k < 0 {
			return nil, fmt.Errorf("%s does not leave the operators", r.model.TensorLabel(r.plan.Subgraph, t))
		}
		results = append(results, all[k])
	}
	return results, nil
}
