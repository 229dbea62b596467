package isolate

import (
	"context"
	"errors"

	"nanoflux/delegate"
)

// sentinels are the errors that callers test for, by the name under which they
// cross the socket.
var sentinels = map[string]error{
	"unavailable": delegate.ErrUnavailable,
	"unsupported": delegate.ErrUnsupported,
	"input":       delegate.ErrInput,
	"closed":      delegate.ErrClosed,
	"lost":        delegate.ErrLost,
	"cancelled":   context.Canceled,
	"deadline":    context.DeadlineExceeded,
}

// toFailure is nil for nil.
func toFailure(err error) *failure {
	if err == nil {
		return nil
	}
	f := &failure{Text: err.Error()}
	for name, sentinel := range sentinels {
		if errors.Is(err, sentinel) {
			f.Sentinel = name
		}
	}
	var refusal *delegate.Refusal
	if errors.As(err, &refusal) {
		f.Refusal = refusal
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
	if s, known := sentinels[e.failure.Sentinel]; known {
		list = append(list, s)
	}
	if e.failure.Refusal != nil {
		list = append(list, e.failure.Refusal)
	}
	return list
}
