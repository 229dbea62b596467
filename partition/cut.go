package partition

import (
	"context"
	"math/rand/v2"
	"slices"
)

// beamWidth is how many partial orders cut keeps for three or more backends.
const beamWidth = 24

// cut orders the placed operators (chosen[i] ≥ 0) into sets that run one after
// another, each on one backend. A set is convex by construction: whatever lies
// on a path between two of its operators has to run between them.
//
// The method: pick a backend, run every operator of it that is ready, and those
// that become ready by that, until none is left; this is one set. Then pick
// another backend. With two backends only the first pick is free, and running
// all that is ready is never worse than leaving some for later: of all orders
// that start with the same backend, none has run more after each number of
// sets. So the better of the two starts has the fewest sets that the placement
// allows. With more backends each pick matters; the search keeps the beamWidth
// orders that have run the most operators, and is not always minimal.
//
// Of equally short orders the one that comes first by the backends' preference
// wins, so the result is always the same.
func cut(ctx context.Context, f *flow, chosen []int, backends int) ([][]int, error) {
	search := newSearch(f, chosen, backends)
	states := []*state{search.start()}
	for search.total > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var next []*state
		seen := map[uint64]bool{}
		for _, s := range states {
			for b := range backends {
				if len(s.ready[b]) == 0 {
					continue
				}
				n := search.exhaust(s, b)
				if n.done == search.total {
					return n.sets(), nil
				}
				// Equal sets of operators have equal futures; the first wins.
				if !seen[n.key] {
					seen[n.key] = true
					next = append(next, n)
				}
			}
		}
		slices.SortStableFunc(next, func(a, b *state) int { return b.done - a.done })
		states = next[:min(len(next), beamWidth)]
	}
	return nil, nil
}

// search is the placed operators as a graph of their own.
type search struct {
	chosen    []int
	backends  int
	consumers [][]int
	// needs is how many placed operators each one waits for.
	needs []int
	total int
	// hash is a random number for each operator; a set's key is the exclusive
	// or of its members'.
	hash []uint64
}

func newSearch(f *flow, chosen []int, backends int) *search {
	s := &search{
		chosen: chosen, backends: backends,
		consumers: make([][]int, len(chosen)),
		needs:     make([]int, len(chosen)),
		hash:      make([]uint64, len(chosen)),
	}
	random := rand.New(rand.NewPCG(1, 2)) // fixed: plans must not change between runs
	for i, c := range chosen {
		s.hash[i] = random.Uint64()
		if c < 0 {
			continue
		}
		s.total++
		for _, p := range f.producers(i) {
			// A constant operator is repeated where its result is needed, so
			// nobody waits for it.
			if !f.constant[p] {
				s.consumers[p] = append(s.consumers[p], i)
				s.needs[i]++
			}
		}
	}
	return s
}

// state is what has run after some sets.
type state struct {
	waits []int   // how many producers each operator still waits for
	ready [][]int // by backend: operators that wait for none and have not run
	done  int
	key   uint64
	// set is the last set that has run; nil at the start.
	set      []int
	previous *state
}

func (s *search) start() *state {
	first := &state{waits: s.needs, ready: make([][]int, s.backends)}
	for i, c := range s.chosen {
		if c >= 0 && s.needs[i] == 0 {
			first.ready[c] = append(first.ready[c], i)
		}
	}
	return first
}

// exhaust runs everything that backend b can run after state from.
func (s *search) exhaust(from *state, b int) *state {
	n := &state{
		waits: slices.Clone(from.waits), ready: make([][]int, s.backends),
		done: from.done, key: from.key, previous: from,
		set: slices.Clone(from.ready[b]),
	}
	for c := range n.ready {
		if c != b {
			n.ready[c] = slices.Clone(from.ready[c])
		}
	}
	for k := 0; k < len(n.set); k++ {
		i := n.set[k]
		n.done++
		n.key ^= s.hash[i]
		for _, c := range s.consumers[i] {
			n.waits[c]--
			switch {
			case n.waits[c] > 0:
			case s.chosen[c] == b:
				n.set = append(n.set, c)
			default:
				n.ready[s.chosen[c]] = append(n.ready[s.chosen[c]], c)
			}
		}
	}
	return n
}

// sets lists the sets from the first to this state's, each ascending: the
// model's own order is one in which operators can run.
func (n *state) sets() (sets [][]int) {
	for ; n.previous != nil; n = n.previous {
		slices.Sort(n.set)
		sets = append(sets, n.set)
	}
	slices.Reverse(sets)
	return sets
}
