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
	// Tolerance of floats, relative to the range of the reference's output. 0 is
	// 1e-3, and 5e-2 for a device that says that it computes in float16 (feature
	// FeatureHalf).
	Tolerance float64
	// Steps is by how much quantized values may differ; 0 is 1. Other integers
	// must be equal.
	Steps float64
}

// FeatureHalf among a device's features says that float32 is computed in
// float16.
const FeatureHalf = "fp16"

// Tolerances where Verify names none.
const (
	floatTolerance = 1e-3
	halfTolerance  = 5e-2
)

// Verified is what the comparisons of a segment gave.
type Verified struct {
	// Backend is where the compared results came from last.
	Backend string `json:"backend"`
	// Runs that were compared, and Wrong of them that were not right.
	Runs  int `json:"runs"`
	Wrong int `json:"wrong"`
	// Worst is the largest difference of right floats, relative to the range of
	// the reference's output, and Tolerance what is allowed; 0 without floats.
	Worst     float64 `json:"worst"`
	Tolerance float64 `json:"tolerance,omitempty"`
	// WorstSteps is the largest difference of right integers; Integers says that
	// there were any.
	WorstSteps float64 `json:"worst_steps,omitempty"`
	Integers   bool    `json:"integers,omitempty"`
	// Not says why it could not be compared.
	Not string `json:"not,omitempty"`
}

// NewVerify verifies with the registered kind of backend ("fallback").
func NewVerify(kind string) (*Verify, error) {
	reference, err := delegate.Open(kind, nil)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	return &Verify{Reference: reference}, nil
}

// tolerance of floats from one backend.
func (r *Runner) tolerance(ctx context.Context, backend string) float64 {
	if v := r.options.Verify; v.Tolerance != 0 {
		return v.Tolerance
	}
	r.mutex.Lock()
	known, asked := r.half[backend]
	r.mutex.Unlock()
	if !asked {
		device, err := r.backends[backend].Probe(ctx)
		known = err == nil && slices.Contains(device.Features, FeatureHalf)
		r.mutex.Lock()
		r.half[backend] = known
		r.mutex.Unlock()
	}
	if known {
		return halfTolerance
	}
	return floatTolerance
}

// right says whether a result is as good as the reference's. Quantized says that
// the tensor has a scale.
func (v *Verify) right(got, want graph.Array, quantized bool, tolerance float64) (Difference, bool) {
	d, err := Diff(got, want)
	if err != nil {
		return d, false
	}
	if isFloat(got.Type) {
		return d, d.Within(tolerance)
	}
	return d, d.Equal || quantized && d.Elements > 0 && d.MaxAbs <= v.steps()
}

// steps is by how much quantized values may differ.
func (v *Verify) steps() float64 {
	if v.Steps == 0 {
		return 1
	}
	return v.Steps
}

func isFloat(t graph.TensorType) bool {
	switch t {
	case graph.Float32, graph.Float16, graph.BFloat16, graph.Float64:
		return true
	}
	return false
}

// off is a difference in words: "0.31 of range".
func off(d Difference) string {
	if d.NonFinite > 0 {
		return counted(d.NonFinite, "value") + " not finite"
	}
	return fmt.Sprintf("%.2g of range", d.Relative)
}

// verify is an error that wraps ErrWrong and names the first wrong operator. What
// the reference cannot compute is noted, and compared is false.
func (r *Runner) verify(ctx context.Context, seg *segment, at *placement, in, out []graph.Array) (compared bool, err error) {
	want, err := r.referenceOf(ctx, seg, in)
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		r.verified(seg, at, func(v *Verified) { v.Not = err.Error() })
		r.notice(fmt.Sprintf("segment %d on %s is not verified: %v", seg.ID, at.backend, err))
		return false, nil
	}
	tolerance := r.tolerance(ctx, at.backend)
	var seen Verified
	for k, t := range seg.Outputs {
		d, ok := r.options.Verify.right(out[k], want[k], r.quantized(t), tolerance)
		if ok {
			seen.add(out[k].Type, d, tolerance)
			continue
		}
		r.verified(seg, at, func(v *Verified) { v.Runs, v.Wrong = v.Runs+1, v.Wrong+1 })
		cause := fmt.Errorf("%w: %s is off by %s", ErrWrong, r.model.TensorLabel(r.plan.Subgraph, t), off(d))
		op, d, err := r.bisect(ctx, seg, at, in, tolerance)
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil:
			return true, fmt.Errorf("%w; which operator it is was not found: %w", cause, err)
		case op < 0:
			return true, fmt.Errorf("%w; no operator is wrong when the segment ends with it", cause)
		}
		return true, fmt.Errorf("%w; %s is the first wrong one: %s", cause, r.model.OpLabel(r.plan.Subgraph, op), off(d))
	}
	r.verified(seg, at, func(v *Verified) {
		v.Runs++
		v.Worst, v.Tolerance = max(v.Worst, seen.Worst), max(v.Tolerance, seen.Tolerance)
		v.WorstSteps, v.Integers = max(v.WorstSteps, seen.WorstSteps), v.Integers || seen.Integers
	})
	return true, nil
}

// add takes the difference of a right result.
func (v *Verified) add(t graph.TensorType, d Difference, tolerance float64) {
	if isFloat(t) {
		v.Worst, v.Tolerance = max(v.Worst, d.Relative), tolerance
	} else {
		v.WorstSteps, v.Integers = max(v.WorstSteps, d.MaxAbs), true
	}
}

// verified changes a segment's report.
func (r *Runner) verified(seg *segment, at *placement, change func(*Verified)) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	st := &r.stats[seg.ID]
	if st.Verified == nil {
		st.Verified = &Verified{}
	}
	st.Verified.Backend = at.backend
	change(st.Verified)
}

func (r *Runner) quantized(t int) bool {
	q := r.graph.Tensors[t].Quantization
	return q != nil && len(q.Scale) > 0
}

// referenceOf is what the reference makes of a segment's inputs. It is compiled
// once.
func (r *Runner) referenceOf(ctx context.Context, seg *segment, in []graph.Array) ([]graph.Array, error) {
	if err := seg.lock(ctx); err != nil {
		return nil, err
	}
	e, err := r.compiledReference(ctx, seg)
	seg.unlock()
	if err != nil {
		return nil, err
	}
	out := make([]graph.Array, len(seg.Outputs))
	return out, e.Run(ctx, in, out)
}

func (r *Runner) compiledReference(ctx context.Context, seg *segment) (delegate.Executable, error) {
	if seg.reference != nil {
		return seg.reference, nil
	}
	x, err := r.plan.Extract(r.model, seg.ID)
	if err != nil {
		return nil, err
	}
	seg.reference, err = r.options.Verify.Reference.Compile(ctx, x)
	return seg.reference, err
}

// bisect finds the first operator of a segment with which the segment's beginning
// is wrong, and how far off it is; -1 if there is none. It compiles as often as
// the number of operators has binary digits.
func (r *Runner) bisect(ctx context.Context, seg *segment, at *placement, in []graph.Array, tolerance float64) (int, Difference, error) {
	constant := r.constants(seg.Ops)
	var ops []int // those that compute something
	for _, op := range seg.Ops {
		if !constant[op] {
			ops = append(ops, op)
		}
	}
	var last Difference
	low, high := 0, len(ops) // the first low operators are right together
	for low < high {
		middle := (low + high) / 2
		begin := r.withConstants(seg.Ops, ops[:middle+1], constant)
		d, ok, err := r.compareOnce(ctx, r.backends[at.backend], begin, seg, in, tolerance)
		if err != nil {
			return 0, last, err
		}
		if ok {
			low = middle + 1
		} else {
			high, last = middle, d
		}
	}
	if low == len(ops) {
		return -1, last, nil
	}
	return ops[low], last, nil
}

// withConstants adds to some operators of a segment the constant ones that they
// need.
func (r *Runner) withConstants(all, ops []int, constant map[int]bool) (list []int) {
	needed := map[int]bool{} // tensors
	for k := len(all) - 1; k >= 0; k-- {
		o := &r.graph.Ops[all[k]]
		made := slices.ContainsFunc(o.Outputs, func(t int) bool { return needed[t] })
		if !slices.Contains(ops, all[k]) && (!constant[all[k]] || !made) {
			continue
		}
		list = append(list, all[k])
		for _, t := range o.Inputs {
			needed[t] = true
		}
	}
	slices.Reverse(list)
	return list
}

// compareOnce runs some operators once on a backend and on the reference, and
// compares everything that leaves them. d is the first difference that is not
// right.
func (r *Runner) compareOnce(ctx context.Context, backend delegate.Backend, ops []int, seg *segment, in []graph.Array, tolerance float64) (d Difference, ok bool, err error) {
	x, cut, err := graph.Extract(r.model, r.plan.Subgraph, ops)
	if err != nil {
		return d, false, err
	}
	keepOutputs(x, &cut, func(t int) bool { return !r.madeOfConstants(ops, t) })
	given := make([]graph.Array, len(cut.Inputs))
	for i, t := range cut.Inputs {
		k := slices.Index(seg.Inputs, t)
		if k < 0 {
			return d, false, fmt.Errorf("%s is no input of the segment", r.model.TensorLabel(r.plan.Subgraph, t))
		}
		given[i] = in[k]
	}
	got, err := runOnce(ctx, backend, x, given, len(cut.Outputs))
	if err != nil {
		return d, false, err
	}
	want, err := runOnce(ctx, r.options.Verify.Reference, x, given, len(cut.Outputs))
	if err != nil {
		return d, false, err
	}
	for k, t := range cut.Outputs {
		if d, ok = r.options.Verify.right(got[k], want[k], r.quantized(t), tolerance); !ok {
			return d, false, nil
		}
	}
	return d, true, nil
}

// madeOfConstants says whether a tensor is the result of a constant operator: it
// leaves the cut only because another segment has that operator too.
func (r *Runner) madeOfConstants(ops []int, t int) bool {
	constant := r.constants(ops)
	return slices.ContainsFunc(ops, func(op int) bool {
		return constant[op] && slices.Contains(r.graph.Ops[op].Outputs, t)
	})
}

// keepOutputs drops outputs of a cut, by their tensors in the source.
func keepOutputs(x *graph.Model, cut *graph.Cut, keep func(t int) bool) {
	g := &x.Subgraphs[0]
	var source, own []int
	for k, t := range cut.Outputs {
		if keep(t) {
			source, own = append(source, t), append(own, g.Outputs[k])
		}
	}
	cut.Outputs, g.Outputs = source, own
	x.Signatures = nil // they name outputs
}

func runOnce(ctx context.Context, backend delegate.Backend, m *graph.Model, in []graph.Array, outputs int) (out []graph.Array, err error) {
	e, err := backend.Compile(ctx, m)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	out = make([]graph.Array, outputs)
	return out, e.Run(ctx, in, out)
}
