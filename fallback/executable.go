package fallback

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unsafe"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// executable is a compiled model. Runs take turns: there is one set of
// activations.
type executable struct {
	// turn holds one token; who has it may use the fields below. A channel and
	// not a mutex, so that waiting ends with the caller's context.
	turn   chan struct{}
	closed bool
	// broken is why shapes could not be put back after a failed change, nil if
	// that never happened. The executable is then closed.
	broken  error
	graph   *graph.Subgraph
	values  []*value
	nodes   []*node // those that run each time, in order
	steps   []step  // the same, grouped
	fuse    bool    // several nodes may be one step
	widened int     // weights of more elements keep the file's type
	inputs  []*value
	outputs []*value
	// first says which outputs stand in the list for the first time.
	first []bool
	pool  *pool
	// cache has the packed weights that lie in files.
	cache packCache
	// budget is what the nodes have reserved.
	budget *budget
	// arena holds the activations; made at the first run.
	arena      []byte
	arenaBytes int
}

// Run implements delegate.Executable.
func (e *executable) Run(ctx context.Context, inputs, outputs []graph.Array) error {
	return e.RunTimed(ctx, inputs, outputs, nil)
}

// RunTimed implements delegate.Timed.
func (e *executable) RunTimed(ctx context.Context, inputs, outputs []graph.Array, observe func(operators []int, took time.Duration)) error {
	select {
	case e.turn <- struct{}{}:
		defer e.end()
		if e.pool.cpus != nil {
			defer pin(e.pool.cpus)()
		}
	case <-ctx.Done():
		return fmt.Errorf("fallback: %w", ctx.Err())
	}
	if e.broken != nil {
		return fmt.Errorf("fallback: %w, since its shapes could not be put back after a run that failed: %w", delegate.ErrClosed, e.broken)
	}
	if e.closed {
		return fmt.Errorf("fallback: %w", delegate.ErrClosed)
	}
	if err := e.bindInputs(inputs); err != nil {
		return fmt.Errorf("fallback: %w", err)
	}
	if len(outputs) != len(e.outputs) {
		return fmt.Errorf("fallback: %w: room for %d outputs, there are %d", delegate.ErrInput, len(outputs), len(e.outputs))
	}
	err := guard(func() error { return e.run(ctx, outputs, observe) })
	for _, list := range [][]*value{e.inputs, e.outputs} {
		for _, v := range list {
			if !v.constant {
				v.data = nil // the caller's
			}
		}
	}
	if err != nil {
		return fmt.Errorf("fallback: %w", err)
	}
	return nil
}

// bindInputs checks the caller's inputs, prepares again when a shape changed,
// and lets the input values point at the caller's data.
func (e *executable) bindInputs(inputs []graph.Array) error {
	if len(inputs) != len(e.inputs) {
		return fmt.Errorf("%w: %d inputs given, there are %d", delegate.ErrInput, len(inputs), len(e.inputs))
	}
	changed := false
	for i, v := range e.inputs {
		if err := delegate.CheckInput(v.tensor, inputs[i]); err != nil {
			return fmt.Errorf("input %d (%q): %w", i, v.tensor.Name, err)
		}
		changed = changed || !slices.Equal(v.shape, inputs[i].Shape)
	}
	if changed {
		before := make([][]int, len(e.inputs))
		for i, v := range e.inputs {
			before[i] = slices.Clone(v.shape)
			v.setShape(inputs[i].Shape)
		}
		if err := guard(e.prepare); err != nil {
			for i, v := range e.inputs {
				v.setShape(before[i])
			}
			if restore := guard(e.prepare); restore != nil {
				e.closed, e.broken = true, restore
			}
			return fmt.Errorf("%w: these input shapes do not go together: %w", delegate.ErrInput, err)
		}
	}
	for i, v := range e.inputs {
		v.data = aligned(inputs[i].Data)
	}
	return nil
}

func (v *value) setShape(shape []int) {
	v.shape = append(v.shape[:0], shape...)
	v.size, _ = graph.ByteSize(v.tensor.Type, shape) // checked by CheckInput
}

// aligned returns data, or a copy when it is not aligned for any element.
func aligned(data []byte) []byte {
	if uintptr(unsafe.Pointer(unsafe.SliceData(data)))%8 == 0 {
		return data
	}
	c := graph.AlignedBytes(len(data))
	copy(c, data)
	return c
}

func (e *executable) run(ctx context.Context, outputs []graph.Array, observe func(operators []int, took time.Duration)) error {
	if e.arena == nil {
		e.arena = graph.AlignedBytes(e.arenaBytes)
	}
	for _, v := range e.values {
		if v.inArena() {
			v.data = e.arena[v.offset : v.offset+v.size : v.offset+v.size]
		}
	}
	e.bindOutputs(outputs)
	e.pool.done = ctx.Done()
	defer func() { e.pool.done = nil }()
	for i := range e.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &e.steps[i]
		var begin time.Time
		if observe != nil {
			begin = time.Now()
		}
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.label(), err)
		}
		if observe != nil {
			observe(s.operators(), time.Since(begin))
		}
	}
	if err := ctx.Err(); err != nil {
		return err // the last operator may have stopped half-way
	}
	e.deliver(outputs)
	return nil
}

// bindOutputs lets outputs be written straight into the caller's memory where
// it suffices.
func (e *executable) bindOutputs(outputs []graph.Array) {
	for i, v := range e.outputs {
		if !e.inPlace(i) {
			continue
		}
		room := outputs[i].Data
		if cap(room) >= v.size && uintptr(unsafe.Pointer(unsafe.SliceData(room)))%8 == 0 {
			v.data = room[:v.size]
		} else {
			v.data = graph.AlignedBytes(v.size)
		}
	}
}

// inPlace reports whether output i is written straight into the caller's memory:
// not when its value is there already or has no size yet, nor when it stands in
// the list a second time.
func (e *executable) inPlace(i int) bool {
	v := e.outputs[i]
	return !v.constant && !v.input && !v.own && e.first[i]
}

// step runs a node, after preparing it if its shapes depend on data.
func (n *node) step() error {
	if n.late {
		n.running = true
		run, err := n.prepared()
		n.running = false
		if err != nil {
			return err
		}
		for _, v := range n.out {
			if v == nil {
				continue
			}
			if err := n.work(v.size, 1); err != nil {
				return err
			}
			if v.same = nil; cap(v.data) < v.size || !v.own {
				v.data = graph.AlignedBytes(v.size)
			}
			v.data = v.data[:v.size]
		}
		if !n.empty() {
			run()
		}
		return n.failed()
	}
	n.shareMemory()
	if !n.empty() {
		n.run()
	}
	return n.failed()
}

// shareMemory gives outputs that share another value's memory their data.
func (n *node) shareMemory() {
	for _, v := range n.out {
		if v != nil && v.same != nil && !v.inside {
			v.data = v.shared()
		}
	}
}

// failed returns and forgets what compute reported by fail.
func (n *node) failed() error {
	err := n.failure
	n.failure = nil
	return err
}

// deliver hands over the outputs that were not written in place.
func (e *executable) deliver(outputs []graph.Array) {
	for i, v := range e.outputs {
		o := &outputs[i]
		o.Type = v.tensor.Type
		if !slices.Equal(o.Shape, v.shape) {
			o.Shape = slices.Clone(v.shape)
		}
		if e.inPlace(i) {
			o.Data = v.data
			continue
		}
		if cap(o.Data) < len(v.data) {
			o.Data = graph.AlignedBytes(len(v.data))
		}
		o.Data = o.Data[:len(v.data)]
		copy(o.Data, v.data)
	}
}

// Close implements delegate.Executable.
func (e *executable) Close() error {
	e.turn <- struct{}{}
	defer e.end()
	e.closed = true
	e.values, e.nodes, e.steps, e.inputs, e.outputs, e.arena = nil, nil, nil, nil, nil, nil
	e.cache.close()
	return nil
}

func (e *executable) end() { <-e.turn }

// guard turns a panic of a kernel into an error: a mistake of ours must not
// take the program down with it.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("mistake in a Go kernel: %v; please report it", r)
		}
	}()
	return f()
}
