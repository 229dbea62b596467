//go:build tflite

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"nanoflux/delegate/journal"
	"nanoflux/graph"
	"nanoflux/partition"
	planexec "nanoflux/partition/exec"
	"nanoflux/profiles"
)

// compileDeadline is long for a machine that is busy, and short for a table.
const compileDeadline = 3 * time.Second

const (
	rounds = 12
	// leakBytes is what one call leaks: so much that it cannot be taken for what
	// a process needs more or less by chance.
	leakBytes = 4 << 20
)

// tried is what every row runs.
type tried struct {
	plugin string
	// journal is a file of the row's own.
	journal string
	model   *graph.Model
	want    graph.Array
}

// outcome is what became of a row.
type outcome struct {
	err error
	// runs ended with the right output.
	runs    int
	report  []planexec.SegmentReport
	notices []string
	// memory of the worker after the last run, in bytes; 0 where it is gone.
	memory uint64
}

// run plans and runs with one fault. When it returns, everything is closed.
func (t *tried) run(ctx context.Context, f fault, at int, policy profiles.Policy) (o outcome) {
	point := "prepare"
	if at > 0 {
		point = fmt.Sprint(at)
	}
	text := fmt.Sprintf(`version: 1
name: faults
backends:
  - name: npu
    kind: external
    deadline: 1
    options: {library: %q, fault: %s, fault_at: %s, leak_bytes: %d}
  - name: go
    kind: fallback
rules:
  - {op: SOFTMAX, backend: go}
policy: %s
`, t.plugin, f.name, point, leakBytes, policy)
	p, err := profiles.Parse([]byte(text), "faults.yaml")
	if err != nil {
		return outcome{err: err}
	}
	self, err := os.Executable()
	if err != nil {
		return outcome{err: err}
	}
	backends, err := partition.OpenBackends(p, partition.Isolation{Worker: []string{self}, CompileDeadline: compileDeadline, Journal: journal.Open(t.journal)})
	if err != nil {
		return outcome{err: err}
	}
	defer func() { o.err = errors.Join(o.err, partition.CloseBackends(backends)) }()
	options := planexec.Options{}
	if f.verify {
		if options.Verify, err = planexec.NewVerify("fallback"); err != nil {
			return outcome{err: err}
		}
	}
	r, _, err := planexec.Settle(ctx, t.model, 0, p, backends, options)
	if err != nil {
		return outcome{err: err}
	}
	defer func() { o.err = errors.Join(o.err, r.Close()) }()
	for o.runs < rounds {
		out := make([]graph.Array, 1)
		if o.err = r.Run(ctx, inputs(), out); o.err != nil {
			return o
		}
		d, err := planexec.Diff(out[0], t.want)
		if err == nil && !d.Within(1e-4) {
			err = fmt.Errorf("it is off by %.2g of its range", d.Relative)
		}
		if err != nil {
			o.err = fmt.Errorf("the output of run %d is wrong: %w", o.runs+1, err)
			return o
		}
		o.runs++
	}
	o.report, o.notices = r.Report(), r.Notices()
	workers, err := children(os.Getpid())
	if err != nil {
		o.err = err
		return o
	}
	for _, pid := range workers {
		size, err := resident(pid)
		o.memory += size
		o.err = errors.Join(o.err, err)
	}
	return o
}

// judge says whether a row ended as it must, and what the program had to say.
// usual is the memory of a worker without a fault.
func (o outcome) judge(f fault, at int, policy profiles.Policy, usual uint64) (string, error) {
	switch {
	case f.harmless && o.err != nil:
		return "", fmt.Errorf("it must not matter, and after %d runs: %w", o.runs, o.err)
	case f.harmless && len(o.notices) > 0:
		return "", fmt.Errorf("it must not matter, and is warned of: %q", o.notices)
	case f.name == "leak":
		return o.grown(at, usual)
	case f.harmless:
		return fmt.Sprintf("%d runs are right", o.runs), nil
	case policy == profiles.Fail && o.err == nil:
		return "", fmt.Errorf("no error in %d runs", o.runs)
	case policy == profiles.Fail:
		if text := o.err.Error(); f.told(text) {
			return text, nil
		}
		return "", fmt.Errorf("the error does not name delegate, segment and cause: %w", o.err)
	case o.err != nil:
		return "", fmt.Errorf("after %d runs: %w", o.runs, o.err)
	}
	said, why := fmt.Sprintf("%d runs are right; what it left runs on go", o.runs), ""
	if f.name == "fewer" && policy == profiles.Warn {
		said = fmt.Sprintf("%d runs are right; what it left runs beside it", o.runs)
	}
	if f.name != "fewer" {
		moved := 0
		for _, s := range o.report {
			if s.Planned == "npu" {
				moved++
				why = s.Moved
			}
		}
		if moved == 0 || !f.named(why) {
			return "", fmt.Errorf("%d segments moved, because: %s", moved, why)
		}
		said = fmt.Sprintf("%d runs are right; %d segments moved", o.runs, moved)
	}
	// What a comparison found is told in any case: it was asked for.
	if policy == profiles.Fallback && !f.verify {
		if len(o.notices) > 0 {
			return "", fmt.Errorf("it warns under the policy fallback: %q", o.notices)
		}
		if why != "" {
			said += ": " + why
		}
		return said, nil
	}
	i := slices.IndexFunc(o.notices, f.told)
	if i < 0 {
		return "", fmt.Errorf("no warning names delegate, segment and cause: %q", o.notices)
	}
	return said + "; warning: " + o.notices[i], nil
}

// named says whether a text names the cause.
func (f fault) named(text string) bool {
	return slices.ContainsFunc(strings.Split(f.cause, "|"), func(c string) bool { return strings.Contains(text, c) })
}

// told says whether a text names delegate, segment and cause.
func (f fault) told(text string) bool {
	return f.named(text) && strings.Contains(text, "npu") && strings.Contains(text, "segment")
}

// grown tells of the memory of a worker that leaks: nobody but the worker has
// less of it, and it ends with the worker.
func (o outcome) grown(at int, usual uint64) (string, error) {
	const mib = 1 << 20
	// Two segments leak at each call from the one that the fault strikes at;
	// prepare is call 0.
	leaked := int64(2 * (rounds + 1 - at) * leakBytes)
	more := int64(o.memory) - int64(usual)
	// What a worker needs differs by a few MiB from row to row.
	if off := more - leaked; off < -12*mib || off > 12*mib {
		return "", fmt.Errorf("%d runs are right; it leaked %d MiB, and the worker has %d MiB more than without", o.runs, leaked/mib, more/mib)
	}
	return fmt.Sprintf("%d runs are right; it leaked %d MiB: its worker had %d MiB more than without, until it ended", o.runs, leaked/mib, more/mib), nil
}
