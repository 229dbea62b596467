package delegate

import (
	"context"
	"time"

	"nanoflux/graph"
)

// Timed is an Executable that can say how long its operators took.
type Timed interface {
	Executable

	// RunTimed is Run. It calls observe after each step with the operators that
	// were computed together, by index in the segment, and the time they took
	// together. observe must not keep the list.
	RunTimed(ctx context.Context, inputs, outputs []graph.Array, observe func(operators []int, took time.Duration)) error
}
