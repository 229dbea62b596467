// Package calibrate finds out between which values the tensors of a model lie, by
// running it on real inputs. Backends that compute with integers, whose steps must
// be chosen before, read these ranges from the model (Quantization.Min and Max).
package calibrate

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"nanoflux/delegate"
	"nanoflux/fallback"
	"nanoflux/graph"
)

// Range is between which values a tensor lay.
type Range struct{ Min, Max float32 }

// Observer is the Go backend, and notes the range of every float32 tensor of the
// segments that run on it. It may be used from many goroutines.
type Observer struct {
	delegate.Backend

	mutex    sync.Mutex
	segments []*watched
}

// NewObserver has seen nothing.
func NewObserver() *Observer { return &Observer{Backend: fallback.New(fallback.Options{})} }

// Ranges are those seen so far: for each segment in the order in which they were
// compiled, by the tensors' names. Tensors of one name share theirs.
func (o *Observer) Ranges() []map[string]Range {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	list := make([]map[string]Range, len(o.segments))
	for i, w := range o.segments {
		list[i] = w.seen()
	}
	return list
}

// Compile implements delegate.Backend.
func (o *Observer) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	open := *segment
	open.Subgraphs = slices.Clone(segment.Subgraphs)
	g := &open.Subgraphs[0]
	g.Outputs = slices.Clone(g.Outputs)
	for _, op := range g.Ops {
		for _, t := range op.Outputs {
			if t >= 0 && g.Tensors[t].Type == graph.Float32 && !slices.Contains(g.Outputs, t) {
				g.Outputs = append(g.Outputs, t)
			}
		}
	}
	// Signatures name the outputs that were, and nobody needs them here.
	open.Signatures = nil
	e, err := o.Backend.Compile(ctx, &open)
	if err != nil {
		return nil, err
	}
	w := &watched{Executable: e, graph: g, outputs: len(segment.Subgraphs[0].Outputs), ranges: map[string]Range{}}
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.segments = append(o.segments, w)
	return w, nil
}

// watched is a segment whose inner tensors are outputs too.
type watched struct {
	delegate.Executable
	graph *graph.Subgraph
	// outputs counts those that the segment had.
	outputs int

	mutex  sync.Mutex
	ranges map[string]Range
}

func (w *watched) seen() map[string]Range {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return maps.Clone(w.ranges)
}

// Run implements delegate.Executable. Values that are not finite are an error: no
// range holds them.
func (w *watched) Run(ctx context.Context, inputs, outputs []graph.Array) error {
	if len(outputs) != w.outputs {
		return fmt.Errorf("%w: %d outputs, not %d", delegate.ErrInput, len(outputs), w.outputs)
	}
	all := make([]graph.Array, len(w.graph.Outputs))
	copy(all, outputs)
	if err := w.Executable.Run(ctx, inputs, all); err != nil {
		return err
	}
	copy(outputs, all)
	for i, t := range w.graph.Inputs {
		if err := w.note(&w.graph.Tensors[t], inputs[i]); err != nil {
			return err
		}
	}
	for i, t := range w.graph.Outputs {
		if err := w.note(&w.graph.Tensors[t], all[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w *watched) note(t *graph.Tensor, a graph.Array) error {
	if a.Type != graph.Float32 || len(a.Data) == 0 {
		return nil
	}
	values := graph.View[float32](a.Data)
	low, high := slices.Min(values), slices.Max(values)
	if sum := float64(low) + float64(high); math.IsNaN(sum) || math.IsInf(sum, 0) {
		return fmt.Errorf("tensor %q holds values that are not finite; it has no range", t.Name)
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if r, seen := w.ranges[t.Name]; seen {
		low, high = min(low, r.Min), max(high, r.Max)
	}
	w.ranges[t.Name] = Range{low, high}
	return nil
}

// Annotated is a model whose float32 tensors carry their ranges, as the format has
// room for: what a converter saw in calibration. Constants, and tensors that are
// not in ranges, stay as they are. The model computes what it did.
func Annotated(m *graph.Model, ranges map[string]Range) *graph.Model {
	out := *m
	out.Subgraphs = slices.Clone(m.Subgraphs)
	for s := range out.Subgraphs {
		tensors := slices.Clone(out.Subgraphs[s].Tensors)
		for i := range tensors {
			t := &tensors[i]
			r, seen := ranges[t.Name]
			if !seen || t.Type != graph.Float32 || m.IsConstant(s, i) {
				continue
			}
			var q graph.Quantization
			if t.Quantization != nil {
				q = *t.Quantization
			}
			q.Min, q.Max = []float32{r.Min}, []float32{r.Max}
			t.Quantization = &q
		}
		out.Subgraphs[s].Tensors = tensors
	}
	return &out
}
