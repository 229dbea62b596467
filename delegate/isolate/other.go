//go:build !unix

package isolate

import (
	"fmt"

	"nanoflux/delegate"
)

// WorkerEnvironment is set in a worker's environment.
const WorkerEnvironment = "NANOFLUX_WORKER"

// Backend is a backend in a worker; on this system there are none.
type Backend struct{ delegate.Backend }

// Close does nothing here.
func (b *Backend) Close() error { return nil }

// New always fails here: the error wraps delegate.ErrUnavailable.
func New(inner delegate.Backend, kind string, _ map[string]any, _ Options) (*Backend, error) {
	return nil, fmt.Errorf("%s: %w: backends cannot be isolated on this system; set trusted: true in the profile to run it in the program itself", kind, delegate.ErrUnavailable)
}

// Serve always fails here.
func Serve() error { return fmt.Errorf("worker: %w: not on this system", delegate.ErrUnavailable) }

// Copied is 0 here.
func (b *Backend) Copied() int64 { return 0 }
