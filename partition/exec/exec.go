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
	backends map[string]delegate.Backend
	options  Options
	// remote: a backend of the plan runs in another process.
	remote   bool
	segments []*segment
	layout   layout

	// life is read-locked by each run and locked by Close, so that Close waits
	// for runs and no run starts after it.
	life   sync.RWMutex
	closed bool

	mutex sync.Mutex
	// idle are the memories of ended runs, for the next ones.
	idle    []*memory
	stats   []SegmentReport
	notices []string
	// half says of the backends that were asked whether they compute in float16.
	half map[string]bool
}

// maxIdle bounds the memories that are kept after many runs at once.
const maxIdle = 4

// Options of a runner.
type Options struct {
	// Health is what is known of the backends, shared by runners that use the
	// same; nil for a runner's own.
	Health *Health
	// Verify checks every segment's results; nil does not.
	Verify *Verify
	// Compiled gives the code of a segment for a backend (by the profile's name)
	// that was made ahead of time, or nil; and a warning where there is some that
	// does not fit. nil has none.
	Compiled func(ctx context.Context, backend string, segment *graph.Model) (code []byte, warning string, err error)

	// takeWhatIsLeft has segments run of which a delegate left operators, also
	// under the policy fallback.
	takeWhatIsLeft bool
}

// segment is a compiled segment. Where it runs changes when its backend fails.
type segment struct {
	*partition.Segment

	// turn is a lock that waits no longer than a context: moving compiles. Who
	// put something into it may read and change the fields below.
	turn chan struct{}
	at   *placement
	// left behind are executables of failed backends, closed with the runner:
	// runs that began before the move may still use them.
	behind []delegate.Executable
	// failedOn are the backends that failed it, by name.
	failedOn map[string]error
	// reference is the segment on the backend that results are compared with;
	// nil until the first comparison.
	reference delegate.Executable
}

// SegmentReport is what a segment has done since New.
type SegmentReport struct {
	Segment int    `json:"segment"`
	Backend string `json:"backend"`
	// Kind is the backend's own name: "tflite".
	Kind string `json:"kind"`
	// Ops are the operators' indices in the source subgraph.
	Ops []int `json:"ops"`
	// Constant of them have only constant inputs: they are computed once, when the
	// segment is made ready, and may be in several segments.
	Constant int `json:"constant,omitempty"`
	// MACs are multiply-accumulate operations of one run, see partition.MACs.
	MACs int64 `json:"macs"`
	// Taken is what the backend's delegate took; nil for a backend without one.
	Taken *Taken `json:"taken,omitempty"`
	// Planned is the plan's backend, when the segment had to move from it. Moved
	// says why, and where it was tried on the way; Reason is the sort of that.
	Planned string          `json:"planned,omitempty"`
	Moved   string          `json:"moved,omitempty"`
	Reason  delegate.Reason `json:"reason,omitempty"`
	// Verified is what comparisons gave; nil without any.
	Verified *Verified `json:"verified,omitempty"`
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

func (s *segment) failed(doing, backend string, err error) error {
	return &SegmentError{Segment: s.ID, Backend: backend, Ops: s.Ops.String(), Doing: doing, Err: err}
}

// New makes a plan ready to run. The plan is checked against m (partition.Plan.
// Validate); backends are by the profile's names, as partition.New got them. m
// must stay open until the runner is closed. On an error nothing stays open.
//
// A segment whose backend fails, here or in a run, moves to another one as the
// plan's policy allows; see Notices.
func New(ctx context.Context, m *graph.Model, plan *partition.Plan, backends map[string]delegate.Backend, o Options) (*Runner, error) {
	return newRunner(ctx, m, plan, backends, o, nil)
}

func newRunner(ctx context.Context, m *graph.Model, plan *partition.Plan, backends map[string]delegate.Backend, o Options, spare *spares) (*Runner, error) {
	if err := plan.Validate(m); err != nil {
		return nil, err
	}
	if o.Health == nil {
		o.Health = NewHealth()
	}
	r := &Runner{
		model: m, graph: &m.Subgraphs[plan.Subgraph], plan: plan, backends: backends, options: o,
		layout: newLayout(m, plan), half: map[string]bool{},
	}
	for _, b := range backends {
		r.remote = r.remote || isRemote(b)
	}
	for s := range plan.Segments {
		seg := &segment{Segment: &plan.Segments[s], turn: make(chan struct{}, 1)}
		r.segments = append(r.segments, seg)
		r.stats = append(r.stats, SegmentReport{Segment: s, Backend: seg.Backend, Ops: slices.Clone([]int(seg.Ops)), Constant: count(r.constants(seg.Ops)), MACs: seg.MACs})
	}
	if err := r.start(ctx, spare); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", m.Name, err), r.Close())
	}
	return r, nil
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
			return fmt.Errorf("%s: %w", r.model.Name, err)
		}
	}
	mem.finish(r, outputs)
	return nil
}

func (r *Runner) runSegment(ctx context.Context, s int, mem *memory) error {
	seg := r.segments[s]
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
	took, err := r.runWhereItCan(ctx, seg, in, out)
	if err != nil {
		return err
	}
	for k, t := range seg.Outputs {
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
	list := slices.Clone(r.stats)
	for i := range list {
		if v := list[i].Verified; v != nil {
			clone := *v
			list[i].Verified = &clone
		}
	}
	return list
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
	for _, mem := range r.idle {
		mem.release()
	}
	r.idle = nil
	r.mutex.Unlock()
	var errs []error
	for _, seg := range r.segments {
		if seg.reference != nil {
			errs = append(errs, seg.reference.Close())
		}
		if seg.at != nil {
			if err := seg.at.executable.Close(); err != nil {
				errs = append(errs, seg.failed("close", seg.at.backend, err))
			}
		}
		for _, e := range seg.behind {
			_ = e.Close() // its backend failed before
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
	return newMemory(&r.layout, len(r.graph.Tensors), r.remote)
}

// give takes a run's memory back.
func (r *Runner) give(mem *memory) {
	mem.forget()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.idle) < maxIdle {
		r.idle = append(r.idle, mem)
		return
	}
	mem.release()
}
