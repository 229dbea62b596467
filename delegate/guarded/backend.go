// Package guarded keeps a segment that took a vendor's backend down from being
// tried there again: it writes every attempt to a journal, and asks it first.
package guarded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"nanoflux/delegate"
	"nanoflux/delegate/journal"
	"nanoflux/graph"
)

// ErrRemembered: the segment took this backend down before.
var ErrRemembered = errors.New("not tried again")

// Backend is a backend whose attempts are written down.
type Backend struct {
	delegate.Backend
	journal *journal.Journal
	kind    string
	options map[string]any
}

// New has a backend's attempts written to j. With a nil journal it is the
// backend itself.
func New(b delegate.Backend, kind string, options map[string]any, j *journal.Journal) delegate.Backend {
	if j == nil {
		return b
	}
	return &Backend{Backend: b, journal: j, kind: kind, options: options}
}

// Unwrap is the backend below.
func (b *Backend) Unwrap() delegate.Backend { return b.Backend }

// Close closes the backend below, if it can be.
func (b *Backend) Close() error {
	if c, ok := b.Backend.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// key is a segment's on this backend; where the library is stands in the
// options.
func (b *Backend) key(segment *graph.Model) journal.Key {
	library, _ := b.options["library"].(string)
	return journal.KeyOf(segment, journal.Backend{Kind: b.kind, Options: b.options, Device: delegate.Device{Library: library}})
}

// Compile implements delegate.Backend. The error wraps ErrRemembered for a
// segment that took the backend down before.
func (b *Backend) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	key := b.key(segment)
	if crash := b.journal.Crashed(key); crash != nil {
		return nil, fmt.Errorf("%s: %w: it took the backend down before: %v; nanoflux doctor --forget has it tried", b.kind, ErrRemembered, crash)
	}
	what := b.kind + " " + segment.Name
	attempt := b.journal.Begin(key, what)
	e, err := b.Backend.Compile(ctx, segment)
	if err != nil {
		attempt.End(outcome(err))
		return nil, err
	}
	x := &executable{Executable: e, journal: b.journal, attempt: attempt, key: key, what: what}
	if d, ok := e.(delegate.Delegated); ok {
		return &delegated{x, d}, nil
	}
	return x, nil
}

// outcome says how an attempt ended.
func outcome(err error) (o journal.Outcome, cause string) {
	var lost *delegate.LostError
	switch {
	case err == nil:
		return journal.OK, ""
	case errors.As(err, &lost):
		return journal.Lost, lost.Cause
	case errors.Is(err, delegate.ErrLost):
		return journal.Lost, err.Error()
	}
	return journal.Failed, err.Error()
}

// executable writes down its first good run, and its loss.
type executable struct {
	delegate.Executable
	journal *journal.Journal
	attempt *journal.Attempt
	key     journal.Key
	what    string

	mutex sync.Mutex
	good  bool
	lost  bool
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
	err := e.Executable.Run(ctx, inputs, outputs)
	e.mutex.Lock()
	defer e.mutex.Unlock()
	o, cause := outcome(err)
	switch {
	case o == journal.OK && !e.good:
		e.good = true
		e.attempt.End(o, cause)
	case o == journal.Lost && !e.lost:
		e.lost = true
		if e.good {
			e.journal.Lose(e.key, e.what, cause)
		} else {
			e.attempt.End(o, cause)
		}
	}
	return err
}

// Close implements delegate.Executable.
func (e *executable) Close() error {
	err := e.Executable.Close()
	e.attempt.End(journal.OK, "")
	return err
}
