package fallback

import "nanoflux/graph"

// value is one tensor of a compiled model.
type value struct {
	tensor *graph.Tensor
	// shape and size in bytes, once known.
	shape []int
	size  int
	known bool
	// data is set for constants at compile time, for others before the node
	// that writes them runs.
	data []byte
	// constant: data does not change between runs.
	constant bool
	// folded: a constant that was computed at compile time.
	folded bool
	// nibbles: the 8-bit integers lie here as 4-bit ones, and data is still to be
	// made of them.
	nibbles []byte
	// stored: the constant is in the file as this, and has no data.
	stored *storedWeights
	// consumers is how many nodes read it, takenOver how many of them do not
	// need it any more.
	consumers, takenOver int
	// same is another value whose memory this one shares, from byte sameAt on;
	// or nil.
	same   *value
	sameAt int
	// inside: only operators of the step that computes it read it, and it has no
	// memory in the arena.
	inside bool
	// input and output mark the model's own: the caller brings their memory.
	input, output bool
	// own: memory of its own at run time, since its size was not known before.
	own bool

	first, last int // the steps that write and last read it
	offset      int // in the arena
}

// sharesMemory reports whether v's memory will be another value's. The caller
// brings the memory of outputs.
func (v *value) sharesMemory() bool { return v.same != nil && !v.output }

// shared is the part of the other value's memory that v is.
func (v *value) shared() []byte { return v.same.data[v.sameAt : v.sameAt+v.size] }

// root is the value whose memory v uses.
func (v *value) root() *value {
	for v.same != nil {
		v = v.same
	}
	return v
}

// inArena reports whether the planner places the value.
func (v *value) inArena() bool {
	return v.known && !v.constant && !v.input && !v.output && !v.inside && v.same == nil
}
