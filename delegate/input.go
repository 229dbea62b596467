package delegate

import (
	"fmt"

	"nanoflux/graph"
)

// CheckInput says whether a fits tensor t of a segment's inputs: the type, the
// rank, every dimension that is not resizable, and the size of the data. Errors
// wrap ErrInput.
func CheckInput(t *graph.Tensor, a graph.Array) error {
	if a.Type != t.Type {
		return fmt.Errorf("%w: type %v, must be %v", ErrInput, a.Type, t.Type)
	}
	if len(a.Shape) != len(t.Shape) {
		return fmt.Errorf("%w: shape %v, must be %v", ErrInput, a.Shape, t.Shape)
	}
	for i, d := range a.Shape {
		free := i < len(t.ShapeSignature) && t.ShapeSignature[i] == -1
		if d != t.Shape[i] && !free {
			return fmt.Errorf("%w: shape %v, must be %v", ErrInput, a.Shape, t.Shape)
		}
	}
	want, err := graph.ByteSize(a.Type, a.Shape)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInput, err)
	}
	if want != len(a.Data) {
		return fmt.Errorf("%w: %d bytes of data, %v %v takes %d", ErrInput, len(a.Data), a.Type, a.Shape, want)
	}
	return nil
}
