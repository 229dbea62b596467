package fallback

import "sync"

// scratch is memory for one call of an inner function.
type scratch struct{ data []float32 }

var scratches = sync.Pool{New: func() any { return &scratch{} }}

// takeScratch returns n floats of unspecified content; give brings them back.
func takeScratch(n int) *scratch {
	s := scratches.Get().(*scratch)
	if cap(s.data) < n {
		s.data = make([]float32, n)
	}
	s.data = s.data[:n]
	return s
}

func (s *scratch) give() { scratches.Put(s) }
