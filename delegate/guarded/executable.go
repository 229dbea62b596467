package guarded

import (
	"context"
	"sync/atomic"

	"nanoflux/delegate"
	"nanoflux/delegate/journal"
	"nanoflux/graph"
)

// executable writes down its runs until one went well, and its loss. Between
// Compile and the first run no attempt is open: a program that is ended there
// says nothing of the segment.
type executable struct {
	delegate.Executable
	backend *Backend
	key     journal.Key
	what    string
	good    atomic.Bool
}

// delegated is an executable with a delegate.
type delegated struct {
	*executable
	inner delegate.Delegated
}

// Taken implements delegate.Delegated.
func (d *delegated) Taken() delegate.Taken { return d.inner.Taken() }

// Run implements delegate.Executable.
func (e *executable) Run(ctx context.Context, inputs, outputs []graph.Array) error {
	var attempt *journal.Attempt
	if !e.good.Load() {
		attempt = e.backend.journal.Begin(e.key, e.what)
	}
	err := e.Executable.Run(ctx, inputs, outputs)
	o, cause := e.backend.outcome(err)
	switch {
	case attempt != nil:
		attempt.End(o, cause)
	case o == journal.Lost:
		e.backend.journal.Lose(e.key, e.what, cause)
	}
	if o == journal.OK {
		e.good.Store(true)
	}
	return err
}
