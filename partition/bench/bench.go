// Package bench measures how long a model runs on a backend: the whole, each
// operator where the backend can tell, and how far that is from what the
// processor can do.
package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/partition"
)

// Options of a measurement.
type Options struct {
	// Warmup is how many runs come first and are not counted. Runs is how many
	// are counted; with 0, as many as fit in Time, at least three.
	Warmup, Runs int
	Time         time.Duration
	// Operators measures each operator, in runs of their own after the others,
	// where the backend can tell.
	Operators bool
}

// Result is what was measured of one model.
type Result struct {
	Model string `json:"model"`
	// Runs that were counted, and their times.
	Runs  int   `json:"runs"`
	Times Times `json:"times"`
	// MACs of a run: multiplications with an addition, of the operators that are
	// made of them. Rate is 2·MACs over the median time, in 10⁹ a second.
	MACs int64   `json:"macs"`
	Rate float64 `json:"gflops"`
	// Steps are the operators in order, those together that were computed
	// together; empty where they were not measured.
	Steps []Step `json:"steps,omitempty"`
	// Kinds sums the steps up by the operators in them, the longest first.
	Kinds []Kind `json:"kinds,omitempty"`
}

// Times are milliseconds.
type Times struct {
	Median float64 `json:"median_ms"`
	// Low and High are the 10th and the 90th percentile.
	Low  float64 `json:"p10_ms"`
	High float64 `json:"p90_ms"`
	Best float64 `json:"best_ms"`
}

// Step is what was computed together.
type Step struct {
	// Operators by index in the model, and what they are called.
	Operators []int  `json:"operators"`
	Label     string `json:"label"`
	// Median milliseconds, and which part of all steps that is.
	Median float64 `json:"median_ms"`
	Share  float64 `json:"share"`
	MACs   int64   `json:"macs"`
	Rate   float64 `json:"gflops"`
}

// Kind sums up steps with the same main operator.
type Kind struct {
	Name   string  `json:"name"`
	Steps  int     `json:"steps"`
	Median float64 `json:"median_ms"`
	Share  float64 `json:"share"`
	MACs   int64   `json:"macs"`
	Rate   float64 `json:"gflops"`
}

// Run measures a model, which has one subgraph, on a backend that takes all of
// it. inputs are read only.
func Run(ctx context.Context, m *graph.Model, b delegate.Backend, inputs []graph.Array, o Options) (*Result, error) {
	if len(m.Subgraphs) != 1 {
		return nil, fmt.Errorf("%s: %d subgraphs; takes models with one", m.Name, len(m.Subgraphs))
	}
	for op := range m.Subgraphs[0].Ops {
		if r := b.Supports(m, 0, op); r != nil {
			return nil, fmt.Errorf("%s: backend %s does not take %s: %w", m.Name, b.Name(), m.OpLabel(0, op), r)
		}
	}
	e, err := b.Compile(ctx, m)
	if err != nil {
		return nil, err
	}
	r := &Result{Model: m.Name}
	for op := range m.Subgraphs[0].Ops {
		r.MACs += partition.MACs(m, 0, op)
	}
	outputs := make([]graph.Array, len(m.Subgraphs[0].Outputs))
	times, err := measure(ctx, o, func() error { return e.Run(ctx, inputs, outputs) })
	if err == nil && o.Operators {
		if t, ok := e.(delegate.Timed); ok {
			err = r.operators(ctx, m, o, t, inputs, outputs)
		}
	}
	if err = errors.Join(err, e.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	r.Runs, r.Times = len(times), timesOf(times)
	r.Rate = rate(r.MACs, r.Times.Median)
	return r, nil
}

// measure runs f as often as the options say and returns the milliseconds.
func measure(ctx context.Context, o Options, f func() error) ([]float64, error) {
	for range max(1, o.Warmup) {
		if err := f(); err != nil {
			return nil, err
		}
	}
	var times []float64
	for end := time.Now().Add(o.Time); ; {
		if o.Runs > 0 && len(times) >= o.Runs || o.Runs == 0 && len(times) >= 3 && time.Now().After(end) {
			return times, nil
		}
		begin := time.Now()
		if err := f(); err != nil {
			return nil, err
		}
		times = append(times, time.Since(begin).Seconds()*1000)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// timesOf sums up a list of milliseconds, which is not empty.
func timesOf(list []float64) Times {
	sorted := slices.Sorted(slices.Values(list))
	at := func(q float64) float64 { return sorted[int(q*float64(len(sorted)-1)+0.5)] }
	return Times{Median: at(0.5), Low: at(0.1), High: at(0.9), Best: sorted[0]}
}

// rate is multiplications and additions in 10⁹ a second.
func rate(macs int64, milliseconds float64) float64 {
	if milliseconds == 0 {
		return 0
	}
	return 2 * float64(macs) / milliseconds / 1e6
}

// operators measures the steps of a run.
func (r *Result) operators(ctx context.Context, m *graph.Model, o Options, e delegate.Timed, inputs, outputs []graph.Array) error {
	var steps [][]int
	var times [][]float64
	_, err := measure(ctx, o, func() error {
		i := 0
		return e.RunTimed(ctx, inputs, outputs, func(operators []int, took time.Duration) {
			if i == len(steps) {
				steps, times = append(steps, slices.Clone(operators)), append(times, nil)
			}
			times[i] = append(times[i], took.Seconds()*1000)
			i++
		})
	})
	if err != nil {
		return err
	}
	total := 0.0
	for i, operators := range steps {
		// The first times are from warming up.
		s := Step{Operators: operators, Label: label(m, operators), Median: timesOf(times[i][min(max(1, o.Warmup), len(times[i])-1):]).Median}
		for _, op := range operators {
			s.MACs += partition.MACs(m, 0, op)
		}
		s.Rate = rate(s.MACs, s.Median)
		total += s.Median
		r.Steps = append(r.Steps, s)
	}
	for i := range r.Steps {
		r.Steps[i].Share = r.Steps[i].Median / total
	}
	r.sumUp(m)
	return nil
}

// label names the operators of a step: the names, equal neighbours once.
func label(m *graph.Model, operators []int) string {
	var names []string
	for _, op := range operators {
		names = append(names, m.Subgraphs[0].Ops[op].Name())
	}
	names = slices.Compact(names)
	const most = 4
	text := ""
	for i, name := range names {
		switch {
		case i == most && len(names) > most+1:
			return fmt.Sprintf("%s and %d more", text, len(names)-most)
		case i > 0:
			text += ", "
		}
		text += name
	}
	return text
}

// sumUp adds steps with the same main operator: the one with the most
// multiplications, or the first.
func (r *Result) sumUp(m *graph.Model) {
	kinds := map[string]*Kind{}
	for _, s := range r.Steps {
		main := s.Operators[0]
		for _, op := range s.Operators {
			if partition.MACs(m, 0, op) > partition.MACs(m, 0, main) {
				main = op
			}
		}
		name := m.Subgraphs[0].Ops[main].Name()
		if len(s.Operators) > 1 {
			name += " with others"
		}
		k := kinds[name]
		if k == nil {
			k = &Kind{Name: name}
			kinds[name] = k
		}
		k.Steps++
		k.Median += s.Median
		k.Share += s.Share
		k.MACs += s.MACs
	}
	for _, k := range kinds {
		k.Rate = rate(k.MACs, k.Median)
		r.Kinds = append(r.Kinds, *k)
	}
	slices.SortFunc(r.Kinds, func(a, b Kind) int {
		switch {
		case a.Median > b.Median:
			return -1
		case a.Median < b.Median:
			return 1
		}
		return 0
	})
}
