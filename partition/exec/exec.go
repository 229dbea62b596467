// Package exec runs plans: it compiles each segment on its backend, keeps the
// buffers between segments, and runs the segments in order.
//
// It knows models, plans and the backend interface, and nothing of profiles or
// of what a backend does inside.
package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/partition"
)

// Runner is a plan that is ready to run.
type Runner struct {
	model    *graph.Model
	graph    *graph.Subgraph
	plan     *partition.Plan
	segments []segment
	layout   layout

	// life is read-locked by each run and locked by Close, so that Close waits
	// for runs and no run starts after it.
	life   sync.RWMutex
	closed bool

	mutex sync.Mutex
	// idle are the memories of ended runs, for the next ones.
	idle  []*memory
	stats []SegmentReport
}

// maxIdle bounds the memories that are kept after many runs at once.
const maxIdle = 4

// segment is a compiled segment.
type segment struct {
	*partition.Segment
	executable delegate.Executable
	kind       string
}

// SegmentReport is what a segment has done since New.
type SegmentReport struct {
	Segment int    `json:"segment"`
	Backend string `json:"backend"`
	// Kind is the backend's own name: "tflite".
	Kind string `json:"kind"`
	// Ops are the operators' indices in the source subgraph.
	Ops []int `json:"ops"`
	// Runs counts runs without an error; the times are of these.
	Runs int `json:"runs"`
	// Total and Last are wall-clock times in nanoseconds.
	Total time.Duration `json:"total_ns"`
	Last  time.Duration `json:"last_ns"`
	// BytesIn and BytesOut are the sizes of the last run's inputs and outputs.
	BytesIn  int64 `json:"bytes_in"`
	BytesOut int64 `json:"bytes_out"`
}

// SegmentError is an error of one segment.
type SegmentError struct {
	Segment int
	Backend string
	// Ops are the segment's operators, as text: "3-9, 12".
	Ops string
	// Doing is "compile", "run" or "close".
	Doing string
	Err   error
}

func (e *SegmentError) Error() string {
	return fmt.Sprintf("%s segment %d (backend %s, op %s): %v", e.Doing, e.Segment, e.Backend, e.Ops, e.Err)
}

func (e *SegmentError) Unwrap() error { return e.Err }

func (s *segment) failed(doing string, err error) error {
	return &SegmentError{Segment: s.ID, Backend: s.Backend, Ops: s.Ops.String(), Doing: doing, Err: err}
}

// New makes a plan ready to run. The plan is checked against m (partition.Plan.
// Validate); backends are by the profile's names, as partition.New got them. m
// must stay open until the runner is closed. On an error nothing stays open.
func New(ctx context.Context, m *graph.Model, plan *partition.Plan, backends map[string]delegate.Backend) (*Runner, error) {
	if err := plan.Validate(m); err != nil {
		return nil, err
	}
	r := &Runner{
		model: m, graph: &m.Subgraphs[plan.Subgraph], plan: plan,
		layout: newLayout(m, plan),
	}
	for s := range plan.Segments {
		seg := segment{Segment: &plan.Segments[s]}
		if err := r.compile(ctx, &seg, backends[seg.Backend]); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", m.Name, seg.failed("compile", err)), r.Close())
		}
		r.segments = append(r.segments, seg)
		r.stats = append(r.stats, SegmentReport{Segment: s, Backend: seg.Backend, Kind: seg.kind, Ops: slices.Clone([]int(seg.Ops))})
	}
	return r, nil
}

func (r *Runner) compile(ctx context.Context, seg *segment, backend delegate.Backend) error {
	if backend == nil {
		return fmt.Errorf("no backend of this name was opened")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	x, err := r.plan.Extract(r.model, seg.ID)
	if err != nil {
		return err
	}
	seg.kind = backend.Name()
	seg.executable, err = backend.Compile(ctx, x)
	return err
}

// Run computes outputs from inputs, in the order of the subgraph's inputs and
// outputs, under the contract of delegate.Executable.Run: inputs are only read,
// outputs must have one element an output, and their Data is used where its
// capacity suffices. Many goroutines may call it; each run has buffers of its
// own.
func (r *Runner) Run(ctx context.Context, inputs, outputs []graph.Array) error {
	r.life.RLock()
	defer r.life.RUnlock()
	if r.closed {
		return fmt.Errorf("%s: %w", r.model.Name, delegate.ErrClosed)
	}
	if err := r.checkArguments(inputs, outputs); err != nil {
		return fmt.Errorf("%s: %w", r.model.Name, err)
	}
	mem := r.take()
	defer r.give(mem)
	mem.begin(r, inputs, outputs)
	for s := range r.segments {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.runSegment(ctx, s, mem); err != nil {
			return fmt.Errorf("%s: %w", r.model.Name, r.segments[s].failed("run", err))
		}
	}
	mem.finish(r, outputs)
	return nil
}

func (r *Runner) runSegment(ctx context.Context, s int, mem *memory) error {
	seg := &r.segments[s]
	in := mem.in[:0]
	var bytesIn, bytesOut int64
	for _, t := range seg.Inputs {
		a := mem.values[t]
		bytesIn += int64(len(a.Data))
		in = append(in, a)
	}
	out := mem.out[:0]
	for _, t := range seg.Outputs {
		out = append(out, mem.place(t))
	}
	mem.in, mem.out = in, out
	start := time.Now()
	if err := seg.executable.Run(ctx, in, out); err != nil {
		return err
	}
	took := time.Since(start)
	for k, t := range seg.Outputs {
		if err := r.checkResult(t, out[k]); err != nil {
			return err
		}
		bytesOut += int64(len(out[k].Data))
		mem.keep(t, out[k])
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	st := &r.stats[s]
	st.Runs++
	st.Total += took
	st.Last = took
	st.BytesIn, st.BytesOut = bytesIn, bytesOut
	return nil
}

// Report says what each segment has done, in the order of the plan.
func (r *Runner) Report() []SegmentReport {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Clone(r.stats)
}

// Close frees every segment, also when closing one fails, after running calls
// have ended. Closing twice does nothing.
func (r *Runner) Close() error {
	r.life.Lock()
	defer r.life.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	r.mutex.Lock()
	r.idle = nil
	r.mutex.Unlock()
	var errs []error
	for s := range r.segments {
		if err := r.segments[s].executable.Close(); err != nil {
			errs = append(errs, r.segments[s].failed("close", err))
		}
	}
	return errors.Join(errs...)
}

// take gives a run its memory.
func (r *Runner) take() *memory {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if n := len(r.idle); n > 0 {
		mem := r.idle[n-1]
		r.idle = r.idle[:n-1]
		return mem
	}
	return newMemory(&r.layout, len(r.graph.Tensors))
}

// give takes a run's memory back.
func (r *Runner) give(mem *memory) {
	mem.forget()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.idle) < maxIdle {
		r.idle = append(r.idle, mem)
	}
}
