//go:build unix

package isolate

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"nanoflux/delegate"
	"nanoflux/delegate/shared"
	"nanoflux/graph"
)

// executable is an executable in the worker.
type executable struct {
	backend *Backend
	process *process
	id      uint64
	weights []*shared.Region
	// segment keeps the mapped weights alive, and knows the inputs.
	segment *graph.Model
	inputs  []graph.Tensor
	// room is what each output takes, as far as the segment tells.
	room []int

	mutex   sync.Mutex // runs take turns: the staging memory is one
	staging *shared.Region
	closed  bool
}

// delegated is an executable with a delegate.
type delegated struct {
	*executable
	taken delegate.Taken
}

// Taken implements delegate.Delegated.
func (d *delegated) Taken() delegate.Taken { return d.taken }

func (e *executable) prepare() {
	g := &e.segment.Subgraphs[0]
	for _, t := range g.Inputs {
		e.inputs = append(e.inputs, g.Tensors[t])
	}
	for _, t := range g.Outputs {
		n, err := graph.ByteSize(g.Tensors[t].Type, g.Tensors[t].Shape)
		if err != nil {
			n = 0
		}
		e.room = append(e.room, n)
	}
}

// Run implements delegate.Executable. Arguments that lie in shared memory
// (package shared) are used where they are; others are copied there and back.
func (e *executable) Run(ctx context.Context, inputs, outputs []graph.Array) error {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.closed {
		return fmt.Errorf("%s: %w", e.backend.kind, delegate.ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(inputs) != len(e.inputs) || len(outputs) != len(e.room) {
		return fmt.Errorf("%w: %d inputs and room for %d outputs given, there are %d and %d", delegate.ErrInput, len(inputs), len(outputs), len(e.inputs), len(e.room))
	}
	for i := range inputs {
		if err := delegate.CheckInput(&e.inputs[i], inputs[i]); err != nil {
			return fmt.Errorf("input %d (%q): %w", i, e.inputs[i].Name, err)
		}
	}
	r, copied, a, err := e.call(ctx, inputs, outputs)
	if err != nil {
		return err
	}
	if len(a.Outputs) != len(outputs) {
		return fmt.Errorf("%s: the worker gives %d outputs, there are %d", e.backend.kind, len(a.Outputs), len(outputs))
	}
	for i, o := range a.Outputs {
		e.backend.copies.add(o.Copied)
		if err := e.take(r.Outputs[i], copied[i], o, &outputs[i]); err != nil {
			return fmt.Errorf("%s: output %d: %w", e.backend.kind, i, err)
		}
	}
	return nil
}

// call has the worker run. Where its worker was retired, by this executable's call
// or another's, it is compiled for the next one first.
func (e *executable) call(ctx context.Context, inputs, outputs []graph.Array) (r *request, copied []bool, a *reply, err error) {
	for {
		if e.process.isRetired() {
			closeAll(e.weights)
			e.weights = nil
			if _, err := e.compile(ctx); err != nil {
				return nil, nil, nil, err
			}
			if e.staging != nil {
				if err := e.process.give(e.staging); err != nil {
					return nil, nil, nil, err
				}
			}
		}
		r = &request{Action: actionRun, Executable: e.id}
		if copied, err = e.place(r, inputs, outputs); err == nil {
			a, err = e.backend.finish(e.process.call(ctx.Done(), r, e.backend.start.RunDeadline))
		}
		if err == nil {
			return r, copied, a, nil
		}
		if ctx.Err() != nil || !e.process.isRetired() {
			return nil, nil, nil, ended(ctx, err)
		}
	}
}

// place finds or makes the places of all arguments. copied says which outputs
// are in staging memory.
func (e *executable) place(r *request, inputs, outputs []graph.Array) (copied []bool, err error) {
	size := 0
	stage := func(n int) int {
		at := size
		size += (n + 63) &^ 63
		return at
	}
	r.Inputs, r.Outputs = make([]place, len(inputs)), make([]place, len(outputs))
	copied = make([]bool, len(outputs))
	staged := make([]*place, 0, len(inputs)+len(outputs))
	locate := func(p *place, data []byte) (bool, error) {
		region, offset, ok := shared.Find(data)
		if !ok {
			return false, nil
		}
		p.Region, p.Offset, p.Length = region.ID, offset, len(data)
		return true, e.process.give(region)
	}
	toCopy := make([]bool, len(inputs))
	for i, a := range inputs {
		p := &r.Inputs[i]
		p.Type, p.Shape, p.Length = a.Type, a.Shape, len(a.Data)
		found, err := locate(p, a.Data)
		if err != nil {
			return nil, err
		}
		if !found && len(a.Data) > 0 {
			p.Offset, toCopy[i] = stage(len(a.Data)), true
			staged = append(staged, p)
		}
	}
	for i, a := range outputs {
		p := &r.Outputs[i]
		p.Length = max(e.room[i], cap(a.Data))
		if cap(a.Data) >= e.room[i] {
			found, err := locate(p, a.Data[:cap(a.Data)])
			if err != nil {
				return nil, err
			}
			if found {
				continue
			}
		}
		p.Length = e.room[i]
		copied[i] = true
		if p.Length > 0 {
			p.Offset = stage(p.Length)
			staged = append(staged, p)
		}
	}
	if err := e.stageRoom(size); err != nil {
		return nil, err
	}
	for _, p := range staged {
		p.Region = e.staging.ID
	}
	for i, a := range inputs {
		if toCopy[i] {
			copy(e.staging.Data[r.Inputs[i].Offset:], a.Data)
			e.backend.copies.add(len(a.Data))
		}
	}
	return copied, nil
}

// stageRoom makes the staging memory large enough.
func (e *executable) stageRoom(size int) error {
	if size == 0 || e.staging != nil && len(e.staging.Data) >= size {
		return nil
	}
	region, err := shared.New(size)
	if err != nil {
		return err
	}
	if e.staging != nil {
		closeAll([]*shared.Region{e.staging})
	}
	e.staging = region
	return e.process.give(region)
}

// take brings an output to the caller.
func (e *executable) take(p place, copied bool, o result, out *graph.Array) error {
	if o.Length < 0 || o.Data == nil && o.Length > p.Length || o.Data != nil && len(o.Data) != o.Length {
		return fmt.Errorf("the worker gives %d bytes in room for %d", o.Length, p.Length)
	}
	out.Type, out.Shape = o.Type, o.Shape
	if out.Shape == nil {
		out.Shape = []int{}
	}
	data := o.Data
	switch {
	case data != nil:
	case !copied: // it lies where it should
		out.Data = out.Data[:o.Length]
		return nil
	case o.Length > 0:
		data = e.staging.Data[p.Offset : p.Offset+o.Length]
	}
	if cap(out.Data) < len(data) {
		out.Data = graph.AlignedBytes(len(data))
	}
	out.Data = out.Data[:len(data)]
	copy(out.Data, data)
	e.backend.copies.add(len(data))
	return nil
}

// Close implements delegate.Executable.
func (e *executable) Close() error {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	_, err := e.backend.finish(e.process.call(nil, &request{Action: actionClose, Executable: e.id}, e.backend.start.CompileDeadline))
	e.release()
	if err != nil && !errors.Is(err, delegate.ErrLost) {
		return fmt.Errorf("%s: closing: %w", e.backend.kind, err)
	}
	return nil // with its process all that it had is gone
}

func (e *executable) release() {
	closeAll(e.weights)
	if e.staging != nil {
		closeAll([]*shared.Region{e.staging})
	}
	e.weights, e.staging = nil, nil
}
