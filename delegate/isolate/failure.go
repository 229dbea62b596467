package isolate

import (
	"context"
	"errors"

	"nanoflux/delegate"
)

// sentinels are the errors that callers test for, by the name under which they
// cross the socket. An error that wraps several crosses as the first of them: why
// a call ended comes before what it then found.
var sentinels = []struct {
	name string
	err  error
}{
	{"cancelled", context.Canceled},
	{"deadline", context.DeadlineExceeded},
	{"lost", delegate.ErrLost},
	{"closed", delegate.ErrClosed},
	{"input", delegate.ErrInput},
	{"unsupported", delegate.ErrUnsupported},
	{"unavailable", delegate.ErrUnavailable},
}

// toFailure is nil for nil.
func toFailure(err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{Text: err.Error()}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			f.Sentinel = s.name
			break
		}
	}
	var refusal *delegate.Refusal
	if errors.As(err, &refusal) {
		f.Refusal = refusal
	}
	var refused *delegate.RefusedError
	if errors.As(err, &refused) {
		f.Refused = refused.Ops
	}
	return f
}

// err is nil for nil.
func (f *failure) err() error {
	if f == nil {
		return nil
	}
	return &remoteError{f}
}

// remoteError is an error of the worker, with its text and what it wraps.
type remoteError struct{ failure *failure }

func (e *remoteError) Error() string { return e.failure.Text }

func (e *remoteError) Unwrap() []error {
	var list []error
	for _, s := range sentinels {
		if s.name == e.failure.Sentinel {
			list = append(list, s.err)
		}
	}
	if e.failure.Refusal != nil {
		list = append(list, e.failure.Refusal)
	}
	if len(e.failure.Refused) > 0 {
		list = append(list, &delegate.RefusedError{Ops: e.failure.Refused})
	}
	return list
}
