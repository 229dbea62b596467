package compiler

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/litert/installed"
	"nanoflux/graph"
)

// Target is a chip: its maker as LiteRT names it ("Qualcomm", "IntelOpenVINO")
// and its model ("SM8750", "PTL").
type Target struct{ Manufacturer, Model string }

func (t Target) String() string { return t.Manufacturer + " " + t.Model }

// Options of a compilation. The zero value is good.
type Options struct {
	// Package is LiteRT's; installed.Find() without one.
	Package installed.Package
	// Flags are more flags of LiteRT's tool.
	Flags []string
	// Deadline ends a compiler that hangs; 10 minutes without one.
	Deadline time.Duration
}

func (o Options) settled() Options {
	if o.Package.Root == "" {
		o.Package = installed.Find()
	}
	if o.Deadline <= 0 {
		o.Deadline = 10 * time.Minute
	}
	return o
}

// Report is what came of a compilation.
type Report struct {
	Target Target
	// Library is the version of the vendor's compiler, as far as it tells, with
	// LiteRT's.
	Library string
	// Operators of the segment, how many of them the NPU takes, and in how many
	// pieces.
	Operators, Taken, Partitions int
	// Left are the others.
	Left []Left
	// Size of the compiled file in bytes.
	Size int
	// Duration of the compilation, and the most memory in bytes that the compiler
	// took; 0 where the system does not tell.
	Duration   time.Duration
	PeakMemory int64
}

// Left is an operator that the NPU does not take.
type Left struct {
	// Op is its index in the segment.
	Op int
	// Label names it for people.
	Label string
	// Reason is the vendor's, or that there was none.
	Reason string
}

// ErrNothing: the compiler takes no operator of the segment.
var ErrNothing = fmt.Errorf("the NPU takes no operator: %w", delegate.ErrUnsupported)

// Compile makes a segment ready for a chip. The segment has one subgraph; its
// tensors may have any names. The result runs as the segment does, with the same
// inputs and outputs in the same order; sizes that may be any are those of the
// tensors' shapes.
//
// Errors wrap delegate.ErrUnavailable when LiteRT or the vendor's libraries are
// not here, ErrNothing when no operator is taken (the report then says why), and
// a *ToolError when the compiler itself failed, crashed or hung. The report is nil
// when the compiler was not even called.
func Compile(ctx context.Context, segment *graph.Model, target Target, o Options) ([]byte, *Report, error) {
	o = o.settled()
	code, report, err := compile(ctx, segment, target, o)
	if err != nil {
		return nil, report, fmt.Errorf("compiling %s for %s: %w", segment.Name, target, err)
	}
	return code, report, nil
}

func compile(ctx context.Context, segment *graph.Model, target Target, o Options) ([]byte, *Report, error) {
	if len(segment.Subgraphs) != 1 {
		return nil, nil, fmt.Errorf("%d subgraphs, a segment has one: %w", len(segment.Subgraphs), delegate.ErrUnsupported)
	}
	if err := simple(&segment.Subgraphs[0]); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", delegate.ErrUnsupported, err)
	}
	vendor, err := Vendor(target.Manufacturer)
	if err != nil {
		return nil, nil, err
	}
	if target, err = known(ctx, vendor, target, o); err != nil {
		return nil, nil, err
	}
	folder, err := os.MkdirTemp("", "nanoflux-compile-")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }() // of no use to anybody
	in, out := filepath.Join(folder, "segment.tflite"), filepath.Join(folder, "compiled.tflite")
	if err := write(in, Segment(Fixed(segment))); err != nil {
		return nil, nil, err
	}
	arguments := []string{
		"--cmd=apply", "--model=" + in, "--o=" + out, "--libs=" + o.Package.Compiler(vendor),
		"--soc_manufacturer=" + vendor.Name, "--soc_model=" + target.Model,
	}
	run, err := o.tool(ctx, vendor, append(append(arguments, defaults[vendor.Name]...), o.Flags...))
	report := &Report{Target: target, Operators: len(segment.Subgraphs[0].Ops), Duration: run.duration, PeakMemory: run.memory}
	if err != nil {
		if tookNothing(err, run.said) {
			report.leave(segment, nil, run.said)
			err = ErrNothing
		}
		return nil, report, err
	}
	code, err := os.ReadFile(out)
	if err != nil {
		return nil, report, err
	}
	if len(code) == 0 {
		return nil, report, &ToolError{Tool: o.Package.Tool(), Cause: "it wrote nothing", Said: Complaints(run.said)}
	}
	report.Library = version(run.said, o.Package)
	report.Size = len(code)
	c, err := Read(code, segment)
	if err != nil {
		return nil, report, err
	}
	report.Partitions = c.Partitions
	report.leave(segment, c, run.said)
	return code, report, nil
}

// defaults are flags of vendors' compilers. OpenVINO's compiles for the PC's CPU:
// its compiler for Intel's NPUs comes with their driver. Qualcomm's tells of
// everything otherwise.
var defaults = map[string][]string{
	"IntelOpenVINO": {"--intel_openvino_graph_backends=cpu", "--intel_openvino_configs_map=INFERENCE_PRECISION_HINT=f32"},
	"Qualcomm":      {"--qualcomm_log_level=warn"},
}

func write(path string, m *graph.Model) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = graph.Write(f, m)
	return errors.Join(err, f.Close())
}

// version of the vendor's compiler, from what the tool said, and of LiteRT.
func version(said string, p installed.Package) string {
	v := "LiteRT"
	if n := p.Version(); n != "" {
		v += " " + n
	}
	if _, after, ok := strings.Cut(said, "Applying plugin with SDK version: "); ok {
		sdk, _, _ := strings.Cut(after, "\n")
		v += ", SDK " + strings.TrimSpace(sdk)
	}
	return v
}
