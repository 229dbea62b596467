package delegate

import (
	"context"

	"nanoflux/graph"
)

// Precompiler is a Backend whose vendor's compiler makes a segment's code ahead of
// time, also where the device is not. What it gives is for WithCompiled.
type Precompiler interface {
	Backend

	// Precompile makes code of a segment, for the device of the backend's
	// options. A result without Code says which operators the device does not
	// take. It may run the vendor's code in this process. The error wraps
	// ErrUnavailable when the compiler is not here.
	Precompile(ctx context.Context, segment *graph.Model) (*Precompiled, error)
}

// Precompiled is what came of a segment.
type Precompiled struct {
	// Code is the backend's own matter; empty when nothing was made.
	Code []byte
	// Library is the version of what made it, as Probe tells it where it runs.
	Library string
	// Left are the operators that do not run on the device.
	Left []LeftOperator
	// Operators of the segment, and in how many pieces the device runs those
	// that it takes.
	Operators, Partitions int
}

// LeftOperator is an operator of a segment that the device does not take.
type LeftOperator struct {
	Op int `json:"op"`
	// Reason is the vendor's, a clause for people.
	Reason string `json:"reason"`
}
