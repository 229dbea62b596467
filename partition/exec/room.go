package exec

import (
	"fmt"
	"math"
	"slices"

	"nanoflux/delegate/shared"
	"nanoflux/graph"
)

// Room is memory for the arguments of runs. In a shared one, backends in other
// processes read inputs and write outputs where they lie; what lies elsewhere is
// copied for them. A Room may be used for several runners, and by one goroutine
// at a time.
type Room struct {
	shared  bool
	regions []*shared.Region
	rest    []byte // of the last region
}

// NewRoom makes an empty room. Where there is no shared memory, and for a room
// that is not shared, it is on the heap.
func NewRoom(shared bool) *Room { return &Room{shared: shared} }

// regionSize is the least size of a region: each costs an open file here and in
// every worker, and what is not touched takes no memory.
const regionSize = 1 << 20

// Bytes are n zero bytes at a multiple of 64, which last until Close.
func (r *Room) Bytes(n int) []byte {
	if !r.shared || n <= 0 {
		return graph.AlignedBytes(n)
	}
	if len(r.rest) < n {
		region, err := shared.New(max(n, regionSize))
		if err != nil {
			return graph.AlignedBytes(n) // it is copied
		}
		r.regions, r.rest = append(r.regions, region), region.Data
	}
	data := r.rest[:n:n]
	r.rest = r.rest[min(aligned(n), len(r.rest)):]
	return data
}

// Split are zero bytes in pieces of the given sizes, each at a multiple of 64.
func (r *Room) Split(sizes ...int) [][]byte {
	total := 0
	for _, n := range sizes {
		total += aligned(n)
	}
	all := r.Bytes(total)
	parts := make([][]byte, len(sizes))
	for i, n := range sizes {
		parts[i] = all[:n:n]
		all = all[aligned(n):]
	}
	return parts
}

func aligned(n int) int { return (n + alignment - 1) / alignment * alignment }

// Close gives the memory back: no array in it may be used any more. Closing twice
// does nothing.
func (r *Room) Close() {
	for _, region := range r.regions {
		_ = region.Close() // memory only
	}
	r.regions, r.rest = nil, nil
}

// Remote says whether a backend of the plan runs in another process, so that a
// shared Room pays.
func (r *Runner) Remote() bool { return r.remote }

// maxArguments bounds what Arguments makes, in bytes: a file may declare anything.
const maxArguments = math.MaxInt32

// Arguments are arrays for Run in a room: inputs of zeros, in the declared types
// and shapes, and outputs of the declared sizes. They may be used for many runs,
// one after another. Tensors of types without a fixed element size have no data.
// It is an error when they are too large to be made.
func (r *Runner) Arguments(room *Room) (inputs, outputs []graph.Array, err error) {
	sizes, total := []int{}, 0
	tensors := slices.Concat(r.graph.Inputs, r.graph.Outputs)
	for _, t := range tensors {
		x := &r.graph.Tensors[t]
		n := 0
		if graph.ElementBits(x.Type) > 0 {
			if n, err = graph.ByteSize(x.Type, x.Shape); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", r.model.TensorLabel(r.plan.Subgraph, t), err)
			}
		}
		if total += min(n, maxArguments); total > maxArguments-alignment*len(tensors) {
			return nil, nil, fmt.Errorf("%s: the inputs and outputs up to it have more than %d bytes", r.model.TensorLabel(r.plan.Subgraph, t), maxArguments)
		}
		sizes = append(sizes, n)
	}
	data := room.Split(sizes...)
	all := make([]graph.Array, len(tensors))
	for i, t := range tensors {
		x := &r.graph.Tensors[t]
		all[i] = graph.Array{Type: x.Type, Shape: slices.Clone(x.Shape), Data: data[i]}
	}
	n := len(r.graph.Inputs)
	return all[:n:n], all[n:], nil
}
