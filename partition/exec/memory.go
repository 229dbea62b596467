package exec

import (
	"cmp"
	"slices"

	"nanoflux/delegate/shared"
	"nanoflux/graph"
	"nanoflux/partition"
)

// alignment of each tensor in the pool, in bytes: graph.NewArray's.
const alignment = 64

// layout is where the tensors between segments lie in one pool of memory.
// Tensors whose lives do not overlap share their place.
type layout struct {
	// spans by tensor index; only tensors between segments with a size that is
	// known before the run have one.
	spans map[int]span
	size  int
	// made are the tensors that segments write; other outputs of the subgraph
	// are inputs or constants.
	made map[int]bool
}

// span is a tensor's place in the pool and its life: it is written by segment
// first and read last by segment last.
type span struct {
	offset, size int
	first, last  int
}

func (a span) overlaps(b span) bool { return a.first <= b.last && b.first <= a.last }

// newLayout packs the plan's tensors: the largest first, each at the lowest
// place where it overlaps no tensor that lives at the same time. Outputs of the
// subgraph are not packed, as they are written into the caller's memory.
func newLayout(m *graph.Model, plan *partition.Plan) layout {
	g := &m.Subgraphs[plan.Subgraph]
	spans, made := map[int]span{}, map[int]bool{}
	for s := range plan.Segments {
		for _, t := range plan.Segments[s].Outputs {
			made[t] = true
			size, err := graph.ByteSize(g.Tensors[t].Type, g.Tensors[t].Shape)
			if err != nil || slices.Contains(g.Outputs, t) {
				continue
			}
			spans[t] = span{size: (size + alignment - 1) / alignment * alignment, first: s, last: s}
		}
		for _, t := range plan.Segments[s].Inputs {
			if sp, packed := spans[t]; packed {
				sp.last = s
				spans[t] = sp
			}
		}
	}
	return layout{spans: spans, size: pack(spans), made: made}
}

// pack sets the offsets of spans and returns the pool's size.
func pack(spans map[int]span) (size int) {
	order := make([]int, 0, len(spans))
	for t := range spans {
		order = append(order, t)
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(spans[b].size, spans[a].size), cmp.Compare(a, b))
	})
	var placed []span // by offset
	for _, t := range order {
		sp := spans[t]
		sp.offset = 0
		for _, p := range placed {
			if !p.overlaps(sp) {
				continue
			}
			if sp.offset+sp.size <= p.offset {
				break
			}
			sp.offset = max(sp.offset, p.offset+p.size)
		}
		spans[t] = sp
		at, _ := slices.BinarySearchFunc(placed, sp, func(a, b span) int { return cmp.Compare(a.offset, b.offset) })
		placed = slices.Insert(placed, at, sp)
		size = max(size, sp.offset+sp.size)
	}
	return size
}

// memory is what one run needs. It is used by one run at a time.
type memory struct {
	layout *layout
	pool   []byte
	// shared is what the pool lies in, when a backend in another process uses
	// it; else nil.
	shared *shared.Region
	// grown is memory that a backend made for a tensor that did not fit its
	// place, kept for the next run.
	grown map[int][]byte
	// values are the tensors' values in this run, by tensor index.
	values []graph.Array
	// callers is the caller's memory for outputs of the subgraph.
	callers map[int]graph.Array
	// in and out are the arguments of a segment's run.
	in, out []graph.Array
}

func newMemory(l *layout, tensors int, remote bool) *memory {
	mem := &memory{
		layout: l,
		grown:  map[int][]byte{}, values: make([]graph.Array, tensors), callers: map[int]graph.Array{},
	}
	if remote && l.size > 0 {
		if region, err := shared.New(l.size); err == nil { // else it is copied
			mem.shared, mem.pool = region, region.Data[:l.size]
			return mem
		}
	}
	mem.pool = graph.AlignedBytes(l.size)
	return mem
}

// release gives shared memory back. Values that a caller got never lie in it.
func (mem *memory) release() {
	if mem.shared != nil {
		_ = mem.shared.Close() // memory only
		mem.shared, mem.pool = nil, nil
	}
}

// begin takes the caller's arguments.
func (mem *memory) begin(r *Runner, inputs, outputs []graph.Array) {
	for k, t := range r.graph.Inputs {
		mem.values[t] = inputs[k]
	}
	for k, t := range r.graph.Outputs {
		if _, taken := mem.callers[t]; !taken {
			mem.callers[t] = outputs[k]
		}
	}
}

// place is the array that a segment writes tensor t into.
func (mem *memory) place(t int) graph.Array {
	if a, isOutput := mem.callers[t]; isOutput {
		return a
	}
	if data, ok := mem.grown[t]; ok {
		return graph.Array{Data: data}
	}
	if sp, ok := mem.layout.spans[t]; ok {
		return graph.Array{Data: mem.pool[sp.offset : sp.offset+sp.size : sp.offset+sp.size]}
	}
	return graph.Array{}
}

// keep takes what a segment wrote for tensor t.
func (mem *memory) keep(t int, a graph.Array) {
	mem.values[t] = a
	if _, isOutput := mem.callers[t]; isOutput {
		return
	}
	if sp, packed := mem.layout.spans[t]; !packed || cap(a.Data) > sp.size {
		mem.grown[t] = a.Data
	}
}

// finish hands the outputs to the caller. What a segment wrote is in the
// caller's memory already; an output that is an input, a constant or another
// output again is copied.
func (mem *memory) finish(r *Runner, outputs []graph.Array) {
	done := map[int]bool{}
	for k, t := range r.graph.Outputs {
		if r.layout.made[t] && !done[t] {
			done[t] = true
			outputs[k] = mem.values[t]
			continue
		}
		value := mem.values[t]
		if c, constant := r.model.Constant(r.plan.Subgraph, t); constant {
			value = c
		}
		outputs[k].Type = value.Type
		outputs[k].Shape = append(outputs[k].Shape[:0:0], value.Shape...)
		if cap(outputs[k].Data) >= len(value.Data) {
			outputs[k].Data = outputs[k].Data[:len(value.Data)]
		} else {
			outputs[k].Data = graph.AlignedBytes(len(value.Data))
		}
		copy(outputs[k].Data, value.Data)
	}
}

// forget drops the caller's arrays and all values.
func (mem *memory) forget() {
	clear(mem.values)
	clear(mem.callers)
	clear(mem.in)
	clear(mem.out)
}
