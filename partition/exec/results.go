package exec

import (
	"context"
	"errors"
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// ErrWrong is wrapped by errors about results that cannot be right.
var ErrWrong = errors.New("wrong result")

// checkResults checks what a backend made: the next segment, or the caller,
// trusts it.
func (r *Runner) checkResults(ctx context.Context, seg *segment, at *placement, in, out []graph.Array) error {
	for k, t := range seg.Outputs {
		if err := r.checkResult(t, out[k]); err != nil {
			return err
		}
	}
	if r.options.Verify != nil && at.kind != r.options.Verify.Reference.Name() {
		if compared, err := r.verify(ctx, seg, at, in, out); compared || err != nil {
			return err
		}
	}
	if delegate.IsVendor(at.kind) {
		return r.checkFinite(seg, in, out)
	}
	return nil
}

// checkFinite is an error when a device made infinities or NaNs of numbers that
// were none. Should they be right, the backend that the segment moves to makes
// them too.
func (r *Runner) checkFinite(seg *segment, in, out []graph.Array) error {
	for _, a := range in {
		if !allFinite(a) {
			return nil
		}
	}
	for k, t := range seg.Outputs {
		if !allFinite(out[k]) {
			return fmt.Errorf("%w: %s has values that are no numbers", ErrWrong, r.model.TensorLabel(r.plan.Subgraph, t))
		}
	}
	return nil
}

// allFinite looks at the exponents of float32 values; other types pass.
func allFinite(a graph.Array) bool {
	if a.Type != graph.Float32 {
		return true
	}
	const exponent = 0x7f800000
	for _, bits := range graph.View[uint32](a.Data) {
		if bits&exponent == exponent {
			return false
		}
	}
	return true
}
