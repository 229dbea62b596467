// Package guarded keeps a segment that took a vendor's backend down from being
// tried there again: it writes every attempt to a journal, and asks it first.
package guarded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

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
	lost    atomic.Bool
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

// LeftBefore is what the delegate left of a segment when it was asked before, by
// the segment's own indices; nil when it was not, or took all.
func (b *Backend) LeftBefore(segment *graph.Model) []int { return b.journal.Left(b.key(segment)) }

// Compile implements delegate.Backend. The error wraps ErrRemembered for a
// segment that took the backend down before.
func (b *Backend) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	key := b.key(segment)
	// Its own crash would have been told: whoever ended this program while it
	// waited for another process, it was not that one.
	_, remote := b.Backend.(delegate.Remote)
	if crash := b.journal.Crashed(key); crash != nil && !(remote && crash.Unfinished) {
		return nil, fmt.Errorf("%s: %w: it took the backend down before: %v; try it again after nanoflux doctor --forget", b.kind, ErrRemembered, crash)
	}
	what := b.kind + " " + segment.Name
	attempt := b.journal.Begin(key, what)
	e, err := b.Backend.Compile(ctx, segment)
	attempt.End(b.outcome(err))
	if err != nil {
		return nil, err
	}
	x := &executable{Executable: e, backend: b, key: key, what: what}
	if d, ok := e.(delegate.Delegated); ok {
		b.journal.SetLeft(key, d.Taken().Left)
		return &delegated{x, d}, nil
	}
	return x, nil
}

// outcome says how a call ended. The first call that tells of the loss is blamed
// for it: what is called after that never reached the device.
func (b *Backend) outcome(err error) (o journal.Outcome, cause string) {
	switch {
	case err == nil:
		return journal.OK, ""
	case !errors.Is(err, delegate.ErrLost) || !b.lost.CompareAndSwap(false, true):
		return journal.Failed, err.Error()
	}
	var lost *delegate.LostError
	if errors.As(err, &lost) {
		return journal.Lost, lost.Cause
	}
	return journal.Lost, err.Error()
}

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
