package delegate

import (
	"errors"
	"fmt"
)

// ErrLost: the backend's device or its process is gone. What ran there did not
// finish, and nothing more runs there in this process.
var ErrLost = errors.New("backend lost")

// LostError says what became of a backend. It wraps ErrLost.
type LostError struct {
	// Backend is the kind.
	Backend string
	// Cause is a clause for people: "killed by SIGSEGV", "ended with exit code
	// 0", "no answer within 30s".
	Cause string
	// Said is the last that the backend's process printed; may be empty.
	Said string
}

func (e *LostError) Error() string {
	s := fmt.Sprintf("%s: %v: %s", e.Backend, ErrLost, e.Cause)
	if e.Said != "" {
		s += fmt.Sprintf(" (it said: %s)", e.Said)
	}
	return s
}

// Unwrap makes errors.Is(e, ErrLost) hold.
func (e *LostError) Unwrap() error { return ErrLost }
