package fallback

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"unsafe"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// executable is a compiled model. Runs take turns: there is one set of
// activations.
type executable struct {
	// turn holds one token; who has it may use the fields below. A channel and
	// not a mutex, so that waiting ends with the caller's context.
	turn    chan struct{}
	closed  bool
	graph   *graph.Subgraph
	values  []*value
	nodes   []*node // those that run each time, in order
	inputs  []*value
	outputs []*value
	// first says which outputs stand in the list for the first time.
	first []bool
	pool  *pool
	// budget is what the nodes have reserved.
	budget *budget
	// arena holds the activations; made at the first run.
	arena      []byte
	arenaBytes int
}

// compile checks that every operator has a kernel, folds constants and prepares
// everything whose shape is known.
func compile(ctx context.Context, m *graph.Model, threads int) (e *executable, err error) {
	if len(m.Subgraphs) != 1 {
		return nil, fmt.Errorf("%s: %d subgraphs, a segment has one: %w", m.Name, len(m.Subgraphs), delegate.ErrUnsupported)
	}
	g := &m.Subgraphs[0]
	e = &executable{turn: make(chan struct{}, 1), graph: g, values: make([]*value, len(g.Tensors))}
	for i := range g.Tensors {
		t := &g.Tensors[i]
		v := &value{tensor: t, shape: slices.Clone(t.Shape)}
		if c, ok := m.Constant(0, i); ok {
			v.constant, v.known, v.data, v.size = true, true, c.Data, len(c.Data)
		}
		e.values[i] = v
	}
	for _, t := range g.Inputs {
		v := e.values[t]
		if v.constant {
			return nil, fmt.Errorf("%s: input %q is constant: %w", m.Name, v.tensor.Name, delegate.ErrUnsupported)
		}
		v.input, v.known = true, true
		if v.size, err = graph.ByteSize(v.tensor.Type, v.shape); err != nil {
			return nil, fmt.Errorf("%s: input %q: %w: %w", m.Name, v.tensor.Name, delegate.ErrUnsupported, err)
		}
		if v.size > maxTensorBytes {
			return nil, fmt.Errorf("%s: input %q takes %d bytes; the most is %d: %w", m.Name, v.tensor.Name, v.size, maxTensorBytes, delegate.ErrUnsupported)
		}
		e.inputs = append(e.inputs, v)
	}
	for _, t := range g.Outputs {
		v := e.values[t]
		e.first = append(e.first, !v.output)
		v.output = true
		e.outputs = append(e.outputs, v)
	}
	e.pool, e.budget = &pool{threads: threads}, &budget{}
	for i := range g.Ops {
		op := &g.Ops[i]
		n := &node{op: op, label: m.OpLabel(0, i), pool: e.pool, budget: e.budget, in: e.pick(op.Inputs), out: e.pick(op.Outputs)}
		for _, v := range n.in {
			if v != nil {
				v.consumers++
			}
		}
		k, refusal := find(operands{m, 0, op})
		if refusal != nil {
			return nil, fmt.Errorf("%s: %s: %w", m.Name, n.label, refusal)
		}
		n.kernel = k
		e.nodes = append(e.nodes, n)
	}
	if err := e.empties(); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	if err := guard(func() error { return e.fold(ctx) }); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	if err := guard(e.prepare); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	e.release()
	return e, nil
}

func (e *executable) pick(tensors []int) []*value {
	list := make([]*value, len(tensors))
	for i, t := range tensors {
		if t != graph.NoTensor {
			list[i] = e.values[t]
		}
	}
	return list
}

// empties makes constants of the tensors without elements that nothing
// computes: the file has no data for them. It refuses what is read and comes
// from nowhere, or from an operator that is not before its reader.
func (e *executable) empties() error {
	computed := map[*value]bool{}
	for _, n := range e.nodes {
		for _, v := range n.out {
			computed[v] = true
		}
	}
	before := map[*value]bool{}
	reads := func(v *value) error {
		if v == nil || v.known || before[v] {
			return nil
		}
		if computed[v] || v.elements() > 0 {
			return fmt.Errorf("tensor %q is read, but nothing computes it before: %w", v.tensor.Name, delegate.ErrUnsupported)
		}
		v.constant, v.known = true, true
		return nil
	}
	for _, n := range e.nodes {
		for _, v := range n.in {
			if err := reads(v); err != nil {
				return fmt.Errorf("%s: %w", n.label, err)
			}
		}
		for _, v := range n.out {
			before[v] = true
		}
	}
	for _, v := range e.outputs {
		if err := reads(v); err != nil {
			return err
		}
	}
	return nil
}

// fold computes the nodes whose inputs are all constant (dequantized weights,
// mostly), and takes them off the list. A node that would make much more out of
// its constants (a picture of one color) is left to the runs, which reuse their
// memory.
func (e *executable) fold(ctx context.Context) error {
	rest := e.nodes[:0]
	for _, n := range e.nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !n.foldable() {
			rest = append(rest, n)
			continue
		}
		run, err := n.prepared()
		if err != nil {
			return fmt.Errorf("%s: %w", n.label, err)
		}
		if n.inflates() {
			rest = append(rest, n)
			continue
		}
		for _, v := range n.out {
			if v.same != nil {
				v.data, v.same = v.same.data, nil
			} else {
				v.data = graph.AlignedBytes(v.size)
			}
			v.constant, v.known, v.folded = true, true, true
		}
		if !n.empty() {
			run()
		}
		if err := n.failed(); err != nil {
			return fmt.Errorf("%s: %w", n.label, err)
		}
		e.budget.used -= n.reserved
		for _, v := range n.in {
			if v != nil {
				v.takenOver++
			}
		}
	}
	e.nodes = rest
	return nil
}

func (n *node) foldable() bool {
	for _, v := range n.in {
		if v != nil && !v.constant {
			return false
		}
	}
	return !slices.Contains(n.out, nil)
}

// inflates reports whether the prepared node makes more than 64 KiB, and
// more than 64 times its inputs: dequantizing makes four times, and a sparse
// array may be nearly empty.
func (n *node) inflates() bool {
	in, out := 0, 0
	for _, v := range n.in {
		if v != nil {
			in += v.size
		}
	}
	for _, v := range n.out {
		out += v.size
	}
	return out > max(1<<16, 64*in)
}

// prepare goes through the nodes with the present shapes of the inputs, and
// lays out the arena.
func (e *executable) prepare() error {
	for _, v := range e.values {
		if !v.constant && !v.input {
			v.known, v.same, v.own = false, nil, false
		}
	}
	for _, n := range e.nodes {
		n.late = slices.ContainsFunc(n.in, func(v *value) bool { return v != nil && !v.known })
		if !n.late {
			run, err := n.prepared()
			if errors.Is(err, errNeedsValue) {
				n.late = true
			} else if err != nil {
				return fmt.Errorf("%s: %w", n.label, err)
			}
			n.run = run
		}
		for _, v := range n.out {
			if v != nil {
				v.known, v.own = !n.late, n.late
			}
		}
	}
	e.lifetimes()
	var planned []*value
	for _, v := range e.values {
		if v.inArena() {
			planned = append(planned, v)
		}
	}
	size := planArena(planned)
	if size > maxWorkBytes-e.budget.used {
		return fmt.Errorf("the values between operators take %d bytes at once, with %d of working memory; the most is %d in all", size, e.budget.used, maxWorkBytes)
	}
	if size != e.arenaBytes {
		e.arena, e.arenaBytes = nil, size
	}
	return nil
}

func (e *executable) lifetimes() {
	for _, v := range e.values {
		v.first, v.last = len(e.nodes), -1
	}
	for i, n := range e.nodes {
		for _, v := range append(slices.Clone(n.out), n.in...) {
			if v == nil {
				continue
			}
			// Memory of the caller's is not the arena's to share.
			if v.output && v.same != nil {
				v.same = nil
			}
			r := v.root()
			r.first, r.last = min(r.first, i), max(r.last, i)
		}
	}
}

// release drops folded constants that every reader has packed into another
// layout.
func (e *executable) release() {
	for _, v := range e.values {
		if v.folded && !v.output && v.consumers > 0 && v.takenOver >= v.consumers {
			v.data = nil
		}
	}
}

// Run implements delegate.Executable.
func (e *executable) Run(ctx context.Context, inputs, outputs []graph.Array) error {
	select {
	case e.turn <- struct{}{}:
		defer e.end()
	case <-ctx.Done():
		return fmt.Errorf("fallback: %w", ctx.Err())
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
	err := guard(func() error { return e.run(ctx, outputs) })
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
				e.closed = true
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

func (e *executable) run(ctx context.Context, outputs []graph.Array) error {
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
	for _, n := range e.nodes {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := n.step(); err != nil {
			return fmt.Errorf("%s: %w", n.label, err)
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
	for _, v := range n.out {
		if v != nil && v.same != nil {
			v.data = v.root().data[:v.size]
		}
	}
	if !n.empty() {
		n.run()
	}
	return n.failed()
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
		o.Shape = append(o.Shape[:0:0], v.shape...)
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
	e.values, e.nodes, e.inputs, e.outputs, e.arena = nil, nil, nil, nil, nil
	return nil
}

func (e *executable) end() { <-e.turn }

// guard turns a panic of a kernel into an error: a mistake of ours must not
// take the program down with it.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("mistake in a Go kernel, please report it: %v", r)
		}
	}()
	return f()
}
