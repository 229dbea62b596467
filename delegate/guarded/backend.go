// Package guarded keeps what took a vendor's backend down from being tried there
// again, and lets a device's own answers override the table of its kind: it
// writes every attempt and answer to a journal, and asks that first.
package guarded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/journal"
	"nanoflux/graph"
)

// ErrRemembered: this took the backend down before.
var ErrRemembered = errors.New("not tried again")

// retry is what to do about ErrRemembered, as a clause.
const retry = "try it again after nanoflux doctor --forget"

// Options say what a backend is, for the journal.
type Options struct {
	Kind string
	// Options are the profile's.
	Options map[string]any
	// Deadline is how long a run may take until the backend counts as lost; 0 if
	// nobody looks.
	Deadline time.Duration
	// Journal is where attempts and answers are kept.
	Journal *journal.Journal
	// Asker answers questions about single operators; nil where there is none.
	Asker delegate.Asker
	// Reads says what the backend cannot even be asked about; nil for nothing.
	Reads func(m *graph.Model, sub, op int) *delegate.Refusal
	// Alone says about what the device's answer says nothing (delegate.Loner); nil
	// for nothing.
	Alone func(m *graph.Model, sub, op int) *delegate.Refusal
	// First: plans ask about what is not known before they are made, unless Never
	// says why not. Asking, if set, hears of it.
	First  bool
	Never  string
	Asking func(Asking)
}

// Asking is how far asking a device for a plan is.
type Asking struct {
	// Kind is the backend's, Device what it found, Model the model's name.
	Kind, Device, Model string
	// Asked of Of questions have been answered, in this time.
	Asked, Of int
	Took      time.Duration
}

// Backend is a backend whose attempts are written down.
type Backend struct {
	delegate.Backend
	options Options
	journal *journal.Journal
	lost    atomic.Bool

	mutex sync.Mutex
	// found is what Probe found; nil before. attempts and answers are the
	// identities for keys then: whether something crashes may depend on how long
	// it may take, what a device answers does not.
	found             *delegate.Device
	attempts, answers string
	signatures        signatures
	// unanswered are signatures of questions without an answer, with the reason;
	// they are not put again. silent is why nothing more is asked at all.
	unanswered map[string]string
	silent     string
}

// New has a backend's attempts written to the journal. Without one it is the
// backend itself.
func New(b delegate.Backend, o Options) delegate.Backend {
	if o.Journal == nil {
		return b
	}
	return &Backend{Backend: b, options: o, journal: o.Journal, silent: o.Never}
}

// Of is the guarded backend that b is or wraps, or nil.
func Of(b delegate.Backend) *Backend {
	for b != nil {
		if g, ok := b.(*Backend); ok {
			return g
		}
		u, ok := b.(interface{ Unwrap() delegate.Backend })
		if !ok {
			return nil
		}
		b = u.Unwrap()
	}
	return nil
}

// Unwrap is the backend below.
func (b *Backend) Unwrap() delegate.Backend { return b.Backend }

// Close closes the backend below, if it can be, and what it asks with.
func (b *Backend) Close() error {
	var errs []error
	for _, x := range []any{b.Backend, b.options.Asker} {
		if c, ok := x.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// remote: the backend runs in another process. Its own crash would have been
// told: whoever ended this program while it waited for that process, it was not
// that one.
func (b *Backend) remote() bool {
	_, ok := b.Backend.(delegate.Remote)
	return ok
}

// crashed is a crash that counts for this backend, or nil.
func (b *Backend) crashed(k journal.Key) *journal.Crash {
	if c := b.journal.Crashed(k); c != nil && !(c.Unfinished && b.remote()) {
		return c
	}
	return nil
}

// Probe implements delegate.Backend. What was found is the answer to later calls
// too, until the backend is lost. The error wraps delegate.ErrUnavailable and
// ErrRemembered when looking for the device took the backend down before.
func (b *Backend) Probe(ctx context.Context) (delegate.Device, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.found != nil && !b.lost.Load() {
		return *b.found, nil
	}
	// The device is not known yet, so only the options tell which it is.
	key := journal.ProbeKey(journal.Backend{Kind: b.options.Kind, Options: b.options.Options}.Identity())
	if crash := b.crashed(key); crash != nil {
		return delegate.Device{}, fmt.Errorf("%s: %w: opening its library or making a delegate took it down before, and is %w: %v; %s",
			b.options.Kind, delegate.ErrUnavailable, ErrRemembered, crash, retry)
	}
	what := b.options.Kind + " (looking for its device)"
	var attempt *journal.Attempt
	if !b.remote() {
		attempt = b.journal.Begin(key, what)
	}
	device, err := b.Backend.Probe(ctx)
	o, cause := b.outcome(err)
	switch {
	case attempt != nil:
		attempt.End(o, cause)
	case o == journal.Lost:
		b.journal.Lose(key, what, cause)
	}
	if err == nil {
		b.remember(device)
	}
	return device, err
}

// remember keeps what Probe found. The mutex is held.
func (b *Backend) remember(device delegate.Device) {
	b.found = &device
	id := journal.Backend{Kind: b.options.Kind, Options: b.options.Options, Device: device, Deadline: b.options.Deadline}
	b.attempts = id.Identity()
	id.Options, id.Deadline = AskedOptions(b.options.Kind, b.options.Options), 0
	b.answers = id.Identity()
}

// AskedOptions are the options with which single operators are asked about, and by
// which answers are kept: all of them, but for those on which no answer depends. A
// limit for small pieces would have every one left.
func AskedOptions(kind string, options map[string]any) map[string]any {
	asked := maps.Clone(options)
	if full, err := delegate.Settings(kind, options); err == nil {
		asked = full
		for _, o := range delegate.OptionsOf(kind) {
			if o.Aside {
				delete(asked, o.Name)
			}
		}
	}
	const fewest = "min_nodes"
	if _, limited := asked[fewest]; limited {
		asked[fewest] = 1
	}
	return asked
}

// identities are for keys; empty before Probe found something.
func (b *Backend) identities() (attempts, answers string) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.attempts, b.answers
}

// key is a segment's; empty before Probe found something.
func (b *Backend) key(segment *graph.Model) journal.Key {
	attempts, _ := b.identities()
	if attempts == "" {
		return ""
	}
	return journal.KeyOf(segment, attempts)
}

// LeftBefore is what the delegate left of a segment when it was asked before, by
// the segment's own indices; nil when it was not, or took all.
func (b *Backend) LeftBefore(segment *graph.Model) []int {
	if !b.journal.Knows() {
		return nil
	}
	if a := b.journal.Answer(b.key(segment)); a != nil {
		return a.Left
	}
	return nil
}

// CrashedBefore is an error that wraps ErrRemembered for a segment that took the
// backend down before, and nil for others.
func (b *Backend) CrashedBefore(segment *graph.Model) error {
	if !b.journal.Knows() {
		return nil
	}
	return b.remembered(b.key(segment))
}

func (b *Backend) remembered(k journal.Key) error {
	if crash := b.crashed(k); crash != nil {
		return fmt.Errorf("%s: %w: it took the backend down before: %v; %s", b.options.Kind, ErrRemembered, crash, retry)
	}
	return nil
}

// Compile implements delegate.Backend. The error wraps ErrRemembered for a
// segment that took the backend down before.
func (b *Backend) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	if _, err := b.Probe(ctx); err != nil {
		return nil, err
	}
	key := b.key(segment)
	if err := b.remembered(key); err != nil {
		return nil, err
	}
	what := b.options.Kind + " " + segment.Name
	attempt := b.journal.Begin(key, what)
	e, err := b.Backend.Compile(ctx, segment)
	attempt.End(b.outcome(err))
	if err != nil {
		return nil, err
	}
	x := &executable{Executable: e, backend: b, key: key, what: what}
	if d, ok := e.(delegate.Delegated); ok {
		b.answered(segment, d.Taken())
		return &delegated{x, d}, nil
	}
	return x, nil
}

// answered remembers what a delegate made of a segment. That it took all is only
// said where it did not before; that code came along does not matter.
func (b *Backend) answered(segment *graph.Model, t delegate.Taken) {
	_, bare := delegate.Compiled(segment, b.Name())
	key := b.key(bare)
	if len(t.Left) > 0 {
		b.journal.SetAnswer(key, journal.Answer{Left: t.Left})
	} else if b.journal.Answer(key) != nil {
		b.journal.SetAnswer(key, journal.Answer{Taken: true})
	}
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
	return journal.Lost, causeOf(err)
}

// causeOf is what became of a backend, as a clause.
func causeOf(err error) string {
	var lost *delegate.LostError
	if errors.As(err, &lost) {
		return lost.Cause
	}
	return err.Error()
}
