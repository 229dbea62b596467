package fallback

import "sync"

// scratch is memory for one call of an inner function.
type scratch struct{ data []float32 }

// scratches are those that no one uses now. A sync.Pool would forget them at a
// collection, and hand out small ones where large ones are needed.
var scratches struct {
	sync.Mutex
	free []*scratch
	// most is the largest that was ever asked for: every new one has that size,
	// so that soon none must grow.
	most int
}

// keptScratches bounds the list; more goroutines than that are rare.
const keptScratches = 64

// takeScratch returns n floats of unspecified content; give brings them back.
func takeScratch(n int) *scratch {
	scratches.Lock()
	defer scratches.Unlock()
	scratches.most = max(scratches.most, n)
	var s *scratch
	if last := len(scratches.free) - 1; last >= 0 {
		s = scratches.free[last]
		scratches.free = scratches.free[:last]
	} else {
		s = &scratch{}
	}
	if cap(s.data) < n {
		s.data = make([]float32, scratches.most)
	}
	s.data = s.data[:n]
	return s
}

func (s *scratch) give() {
	scratches.Lock()
	defer scratches.Unlock()
	if len(scratches.free) < keptScratches {
		scratches.free = append(scratches.free, s)
	}
}
