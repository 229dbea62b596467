package fallback

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// compile checks that every operator has a kernel, folds constants and prepares
// everything whose shape is known.
func compile(ctx context.Context, m *graph.Model, o Options) (e *executable, err error) {
	if len(m.Subgraphs) != 1 {
		return nil, fmt.Errorf("%s: %d subgraphs, a segment has one: %w", m.Name, len(m.Subgraphs), delegate.ErrUnsupported)
	}
	g := &m.Subgraphs[0]
	e = &executable{turn: make(chan struct{}, 1), graph: g, values: make([]*value, len(g.Tensors)), fuse: !o.NoFusion, widened: o.widened}
	if e.widened == 0 {
		e.widened = widenedWeights
	}
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
	e.pool, e.budget = newPool(o.Threads, o.CPUs), &budget{}
	for i := range g.Ops {
		op := &g.Ops[i]
		n := &node{op: op, index: i, label: m.OpLabel(0, i), pool: e.pool, budget: e.budget, in: e.pick(op.Inputs), out: e.pick(op.Outputs)}
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
	for i := range g.Tensors {
		if err := e.unpackInt4(m, i); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	if err := e.empties(); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	if err := guard(func() error { return e.fold(ctx) }); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	e.useCache(o)
	if err := guard(e.prepare); err != nil {
		e.cache.close()
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	e.cache.prune()
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
		if s := e.keepStored(n); s != nil {
			n.out[0].stored, n.out[0].constant, n.out[0].known = s, true, true
			continue
		}
		for _, v := range n.in {
			if v != nil && v.nibbles != nil {
				v.data, v.nibbles = wideNibbles(v.nibbles, v.size), nil
			}
		}
		for _, v := range n.out {
			if v.sharesMemory() {
				v.data = v.shared()
			} else {
				v.data = graph.AlignedBytes(v.size)
			}
			v.constant, v.known, v.folded = true, true, true
		}
		if !n.empty() {
			run()
		}
		for _, v := range n.out {
			v.same = nil
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

// useCache lets the nodes keep their packed weights in files if they are large
// together.
func (e *executable) useCache(o Options) {
	total := 0
	for _, v := range e.values {
		if v.stored != nil {
			total += len(v.stored.data)
		}
	}
	least := o.cachedModel
	if least == 0 {
		least = cachedModel
	}
	if o.Cache == "" || total < least {
		return
	}
	e.cache.folder = o.Cache
	for _, n := range e.nodes {
		n.cache = &e.cache
	}
}

// prepare goes through the nodes with the present shapes of the inputs, and
// lays out the arena.
func (e *executable) prepare() error {
	for _, v := range e.values {
		if !v.constant && !v.input {
			v.known, v.same, v.own, v.inside = false, nil, false, false
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
	e.makeSteps()
	e.lifetimes()
	e.overwrite()
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
		v.first, v.last = len(e.steps), -1
		// Memory of the caller's is not the arena's to share.
		if v.output {
			v.same = nil
		}
	}
	for i, s := range e.steps {
		for _, n := range s.nodes {
			for _, v := range slices.Concat(n.out, n.in) {
				if v != nil && !v.inside {
					r := v.root()
					r.first, r.last = min(r.first, i), max(r.last, i)
				}
			}
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
