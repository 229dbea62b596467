package partition

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/guarded"
	"nanoflux/delegate/isolate"
	"nanoflux/delegate/journal"
	"nanoflux/graph"
	"nanoflux/profiles"
)

// Isolation says how backends that run a vendor's code are kept apart.
type Isolation struct {
	// Worker is the command that starts a worker process; nil for this program
	// with the argument worker.
	Worker []string
	// None runs every backend in the program itself, as if it were trusted.
	None bool
	// All runs also what is no vendor's in processes of its own, where the system
	// can: what a library prints is told only with a loss then.
	All bool
	// CompileDeadline is how long making a segment ready may take; 0 for what
	// package isolate thinks right.
	CompileDeadline time.Duration
	// Journal keeps what took a backend down from being tried again; nil for
	// none.
	Journal *journal.Journal
	// Asking, if set, hears how far asking a device for a plan is: before the
	// first question and after each.
	Asking func(guarded.Asking)
}

// OpenBackends opens every backend of the profile, by the profile's names. A
// kind that this build lacks becomes a backend that refuses everything as
// unavailable, so that the profile's policy decides what that means. Everything
// else that is wrong with kinds and options comes back as profiles.Errors.
//
// Backends of vendors run in a process each, unless the profile trusts them.
// CloseBackends ends these processes.
func OpenBackends(p *profiles.Profile, isolation Isolation) (map[string]delegate.Backend, error) {
	backends := make(map[string]delegate.Backend, len(p.Backends))
	err := p.CheckBackends(func(b profiles.Backend) []profiles.Finding {
		backend, err := open(b, isolation)
		if errors.Is(err, delegate.ErrUnavailable) {
			backend, err = absent{b.Kind, err}, nil
		}
		backends[b.Name] = backend
		return findings(err)
	})
	if err != nil {
		return nil, err
	}
	return backends, nil
}

// open opens one backend of a profile.
func open(b profiles.Backend, isolation Isolation) (delegate.Backend, error) {
	backend, err := delegate.Open(b.Kind, b.Options)
	if err != nil {
		return nil, err
	}
	if !delegate.IsVendor(b.Kind) {
		if isolation.All {
			if apart, err := isolate.New(backend, b.Kind, b.Options, isolate.Options{Command: isolation.Worker, CompileDeadline: isolation.CompileDeadline}); err == nil {
				return apart, nil
			}
		}
		return backend, nil
	}
	deadline := time.Duration(b.Deadline * float64(time.Second))
	compiling := isolation.CompileDeadline
	if compiling == 0 {
		compiling = 10 * deadline
	}
	guard := guarded.Options{
		Kind: b.Kind, Options: maps.Clone(b.Options), Journal: isolation.Journal, Asker: asker(b, backend, isolation),
		Asking: isolation.Asking,
	}
	asks := false
	if guard.First, asks = delegate.AsksFirst(b.Kind, b.Options); guard.First && !asks {
		guard.Never = "option ask says never"
	}
	delete(guard.Options, delegate.OptionAsk) // says nothing about the device
	if l, ok := backend.(delegate.Loner); ok {
		guard.Alone = l.Alone
	}
	if r, ok := backend.(delegate.Reader); ok {
		guard.Reads = r.Reads
	}
	if b.Trusted || isolation.None {
		return guarded.New(backend, guard), nil
	}
	isolated, err := isolate.New(backend, b.Kind, b.Options, isolate.Options{
		Command:         isolation.Worker,
		RunDeadline:     deadline,
		CompileDeadline: compiling,
	})
	if err != nil {
		return nil, err
	}
	guard.Deadline = deadline
	return guarded.New(isolated, guard), nil
}

// asker answers questions about single operators: the backend itself, if it can,
// or else one that is opened for that, in a process of its own also where the
// backend is trusted: an operator of which nobody knows is likelier to crash.
func asker(b profiles.Backend, backend delegate.Backend, isolation Isolation) delegate.Asker {
	if a, ok := backend.(delegate.Asker); ok {
		return a
	}
	options := guarded.AskedOptions(b.Kind, b.Options)
	patience := time.Duration(b.Deadline * float64(time.Second)) // for one operator
	if isolation.CompileDeadline > 0 {
		patience = isolation.CompileDeadline
	}
	if patience == 0 {
		patience = 30 * time.Second
	}
	return guarded.NewTrial(func() (delegate.Backend, error) {
		inner, err := delegate.Open(b.Kind, options)
		if err != nil || isolation.None {
			return inner, err
		}
		return isolate.New(inner, b.Kind, options, isolate.Options{Command: isolation.Worker, CompileDeadline: patience})
	}, !isolation.None)
}

// CloseBackends ends the processes of isolated backends. Their executables must
// be closed before.
func CloseBackends(backends map[string]delegate.Backend) error {
	var errs []error
	for _, b := range backends {
		if c, ok := b.(io.Closer); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// CheckBackend is a profiles.BackendCheck: it finds unknown kinds, and options
// that are unknown, of the wrong type or out of bounds, also for backends that
// this build lacks.
func CheckBackend(b profiles.Backend) []profiles.Finding {
	return findings(delegate.Check(b.Kind, b.Options))
}

// findings tells a profile what delegate.Open says of one of its backends.
func findings(err error) []profiles.Finding {
	var kind *delegate.KindError
	var options delegate.OptionErrors
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind):
		return []profiles.Finding{{Message: fmt.Sprintf("backend kind %q is not known", kind.Kind), Word: kind.Kind, Valid: kind.Known}}
	case errors.As(err, &options):
		var list []profiles.Finding
		for _, o := range options {
			f := profiles.Finding{Option: o.Option, Value: !o.UnknownName(), Message: o.Error()}
			if o.UnknownName() && len(o.Known) > 0 {
				f.Message = fmt.Sprintf("backend %s has no option %q", o.Kind, o.Option)
				f.Word, f.Valid = o.Option, o.Known
			}
			list = append(list, f)
		}
		return list
	}
	return []profiles.Finding{{Message: err.Error()}} // what only the backend knows of its options
}

// absent stands for a backend that this build does not have.
type absent struct {
	kind string
	err  error
}

func (a absent) Name() string { return a.kind }

func (a absent) Probe(context.Context) (delegate.Device, error) { return delegate.Device{}, a.err }

func (a absent) Supports(*graph.Model, int, int) *delegate.Refusal {
	return delegate.Refuse(delegate.ReasonUnavailable, "%s", delegate.WhyUnavailable(a.err))
}

func (a absent) Compile(context.Context, *graph.Model) (delegate.Executable, error) {
	return nil, a.err
}
