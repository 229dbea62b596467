package delegate

import "fmt"

// RefusedError is wrapped by the error of a Compile that names what the device
// does not take of the segment: a backend that leaves nothing to a CPU of its own.
// Without these operators the rest may go there. It wraps ErrUnsupported.
type RefusedError struct {
	// Ops are at least one.
	Ops []LeftOperator
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the device does not take op %d: %s", e.Ops[0].Op, e.Ops[0].Reason)
}

// Unwrap makes errors.Is(e, ErrUnsupported) hold.
func (e *RefusedError) Unwrap() error { return ErrUnsupported }
