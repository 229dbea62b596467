package exec

import (
	"errors"
	"sync"

	"nanoflux/delegate"
)

// Health is what runners learn about backends as they use them. It may be used
// from many goroutines.
type Health struct {
	mutex sync.Mutex
	lost  map[string]string
}

// NewHealth knows of no fault.
func NewHealth() *Health { return &Health{lost: map[string]string{}} }

// Lost says why a backend (by the profile's name) is not used any more, or "".
func (h *Health) Lost(backend string) string {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.lost[backend]
}

// lose marks a backend; the first cause stays.
func (h *Health) lose(backend string, err error) {
	cause := err.Error()
	var lost *delegate.LostError
	if errors.As(err, &lost) {
		cause = lost.Cause
	}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.lost[backend] == "" {
		h.lost[backend] = cause
	}
}
