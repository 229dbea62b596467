package guarded

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// Trial asks about operators by compiling them on a backend that is used for
// nothing else. One that is lost, or that was closed since nobody asked for a
// while, is made anew for the next question. It implements delegate.Asker.
type Trial struct {
	open func() (delegate.Backend, error)

	mutex   sync.Mutex
	backend delegate.Backend
	idle    *time.Timer

	elsewhere bool
}

// patience is how long a backend waits for the next question before it is closed:
// a process that nobody needs has some hundred MB.
const patience = 5 * time.Second

// NewTrial makes a Trial; open makes its backends, when they are needed.
// elsewhere says that these run in other processes.
func NewTrial(open func() (delegate.Backend, error), elsewhere bool) *Trial {
	return &Trial{open: open, elsewhere: elsewhere}
}

// Elsewhere says that questions are put in another process (delegate.Asker).
func (t *Trial) Elsewhere() bool { return t.elsewhere }

// Ask implements delegate.Asker. An error of the backend that it survived, and
// that does not say that the device is missing, is the device's refusal.
func (t *Trial) Ask(ctx context.Context, segment *graph.Model) (taken bool, reason string, err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.idle != nil {
		t.idle.Stop()
	}
	defer func() {
		// What closing says is nobody's: the answers are there.
		t.idle = time.AfterFunc(patience, func() { _ = t.Close() })
	}()
	if t.backend == nil {
		if t.backend, err = t.open(); err != nil {
			return false, "", err
		}
	}
	e, err := t.backend.Compile(ctx, segment)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return false, "", ctx.Err()
	case errors.Is(err, delegate.ErrLost):
		return false, "", errors.Join(err, t.close())
	case errors.Is(err, delegate.ErrUnavailable), errors.Is(err, delegate.ErrClosed):
		return false, "", err
	default:
		var refused *delegate.RefusedError
		if errors.As(err, &refused) {
			return false, refused.Ops[0].Reason, nil
		}
		var refusal *delegate.Refusal
		if errors.As(err, &refusal) {
			return false, refusal.Detail, nil
		}
		return false, err.Error(), nil
	}
	// The operator is the last one; those before it make its constants, which the
	// interpreter may do.
	last, left := len(segment.Subgraphs[0].Ops)-1, false
	if d, ok := e.(delegate.Delegated); ok {
		for _, op := range d.Taken().Left {
			left = left || op == last
		}
	}
	if err := e.Close(); err != nil {
		return false, "", errors.Join(err, t.close())
	}
	return !left, "", nil
}

// Close ends the backend; the next question makes another.
func (t *Trial) Close() error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.close()
}

func (t *Trial) close() error {
	if t.idle != nil {
		t.idle.Stop()
	}
	c, ok := t.backend.(io.Closer)
	t.backend = nil
	if !ok {
		return nil
	}
	return c.Close()
}
