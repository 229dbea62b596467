package exec

import (
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// checkArguments checks what the caller gave against the subgraph's inputs and
// outputs. Errors wrap delegate.ErrInput and name the tensor.
func (r *Runner) checkArguments(inputs, outputs []graph.Array) error {
	if len(inputs) != len(r.graph.Inputs) {
		return fmt.Errorf("%w: %d inputs given, the model has %d", delegate.ErrInput, len(inputs), len(r.graph.Inputs))
	}
	if len(outputs) != len(r.graph.Outputs) {
		return fmt.Errorf("%w: room for %d outputs given, the model has %d", delegate.ErrInput, len(outputs), len(r.graph.Outputs))
	}
	for k, t := range r.graph.Inputs {
		if err := fits(&r.graph.Tensors[t], inputs[k]); err != nil {
			return fmt.Errorf("%w: input %d: %s: %w", delegate.ErrInput, k, r.model.TensorLabel(r.plan.Subgraph, t), err)
		}
	}
	return nil
}

// fits is an error when an array is not a value of the tensor.
func fits(x *graph.Tensor, a graph.Array) error {
	if a.Type != x.Type {
		return fmt.Errorf("got type %v", a.Type)
	}
	declared := x.Shape
	if x.ShapeSignature != nil {
		declared = x.ShapeSignature
	}
	if len(a.Shape) != len(declared) {
		return fmt.Errorf("got shape %v", a.Shape)
	}
	for d, n := range declared {
		if n != -1 && a.Shape[d] != n {
			return fmt.Errorf("got shape %v", a.Shape)
		}
	}
	return checkSize(a)
}

// checkSize is an error when an array's bytes do not fit its type and shape.
// Arrays of strings have no fixed size.
func checkSize(a graph.Array) error {
	if graph.ElementBits(a.Type) == 0 {
		return nil
	}
	want, err := graph.ByteSize(a.Type, a.Shape)
	if err != nil {
		return err
	}
	if len(a.Data) != want {
		return fmt.Errorf("got %d bytes of data, shape %v of %v has %d", len(a.Data), a.Shape, a.Type, want)
	}
	return nil
}

// checkResult checks what a backend made: the next segment, or the caller,
// trusts it.
func (r *Runner) checkResult(t int, a graph.Array) error {
	x := &r.graph.Tensors[t]
	if a.Type != x.Type {
		return fmt.Errorf("the backend returned %v for %s", a.Type, r.model.TensorLabel(r.plan.Subgraph, t))
	}
	if err := checkSize(a); err != nil {
		return fmt.Errorf("the backend returned a wrong value for %s: %w", r.model.TensorLabel(r.plan.Subgraph, t), err)
	}
	return nil
}
