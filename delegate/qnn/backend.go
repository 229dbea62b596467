//go:build tflite

package qnn

import (
	"context"
	"fmt"
	"strconv"

	ort "github.com/yalue/onnxruntime_go"

	"nanoflux/delegate"
	"nanoflux/delegate/qnn/onnx"
	"nanoflux/delegate/support"
	"nanoflux/graph"
)

func init() {
	k := kind()
	k.Missing = ""
	k.Open = open
	delegate.Register(k)
}

func open(o map[string]any) (delegate.Backend, error) {
	soc, err := chip(o)
	if err != nil {
		return nil, err
	}
	takes, err := table(o)
	if err != nil {
		return nil, err
	}
	return &Backend{Config: Config{
		SoC: soc, FP16: o["precision"] == "fp16", Performance: o["performance"].(string), VTCM: o["vtcm"].(int),
		Optimization: o["optimization"].(int), Libraries: o["libraries"].(string), Cache: o["cache"].(string),
	}, table: takes}, nil
}

// Config is what a profile says, and for which chip.
type Config struct {
	SoC support.SoC
	// FP16 computes floats in half precision; without it a segment must be
	// quantized throughout.
	FP16        bool
	Performance string
	// VTCM is in MB, 0 for the compiler's choice.
	VTCM         int
	Optimization int
	// Libraries and Cache are folders, or empty.
	Libraries, Cache string
}

// Backend is a chip's NPU. It implements delegate.Backend.
type Backend struct {
	Config
	table delegate.Table
	// cpu runs ONNX Runtime's own kernels: the tests' oracle for the writer.
	cpu bool
}

// Name implements delegate.Backend.
func (b *Backend) Name() string { return "qnn" }

// load starts ONNX Runtime and finds the device.
func (b *Backend) load() (libraries, *ort.EpDevice, error) {
	l, err := locate(b.Libraries)
	if err != nil {
		return l, nil, err
	}
	if b.cpu {
		l.provider = ""
	}
	device, err := l.load()
	return l, device, err
}

// Probe implements delegate.Backend.
func (b *Backend) Probe(context.Context) (delegate.Device, error) {
	l, _, err := b.load()
	if err != nil {
		return delegate.Device{}, fmt.Errorf("qnn: %w", err)
	}
	d := delegate.Device{
		Description: fmt.Sprintf("Qualcomm %s's NPU (HTP v%d)", b.SoC.Model, b.SoC.HTP),
		Library:     l.backend, Version: "onnxruntime " + ort.GetVersion(),
		Features: []string{"soc=" + b.SoC.Model, fmt.Sprintf("htp=v%d", b.SoC.HTP)},
	}
	if b.FP16 {
		d.Features = append(d.Features, "fp16")
	}
	return d, nil
}

// Reads implements delegate.Reader: what has no form in ONNX cannot be asked.
func (b *Backend) Reads(m *graph.Model, sub, op int) *delegate.Refusal {
	return onnx.Check(m, sub, op)
}

// Supports implements delegate.Backend, by the table. An operator that the table
// does not know is taken: it is written as others that QNN has.
func (b *Backend) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	if r := b.Reads(m, sub, op); r != nil || b.table == nil {
		return r
	}
	if r := b.table.Check(m, sub, op); r != nil && r.Reason != delegate.ReasonOp {
		return r
	}
	return nil
}

// Compile implements delegate.Backend.
func (b *Backend) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(segment.Subgraphs) != 1 {
		return nil, fmt.Errorf("qnn: %s: %d subgraphs, a segment has one: %w", segment.Name, len(segment.Subgraphs), delegate.ErrUnsupported)
	}
	e, err := newExecutable(b, segment)
	if err != nil {
		return nil, fmt.Errorf("qnn: %s: %w", segment.Name, err)
	}
	return e, nil
}

// session compiles a segment for shapes of its inputs.
func (b *Backend) session(segment *graph.Model, shapes [][]int) (*session, error) {
	l, device, err := b.load()
	if err != nil {
		return nil, err
	}
	model, err := onnx.Convert(segment, shapes)
	if err != nil {
		return nil, err
	}
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	defer func() { _ = options.Destroy() }() // it was made: nothing to tell
	if !b.cpu {
		if err := b.configure(options, l, device); err != nil {
			return nil, err
		}
	}
	return newSession(model, options)
}

// configure says that all must run on the NPU, and how.
func (b *Backend) configure(options *ort.SessionOptions, l libraries, device *ort.EpDevice) error {
	if err := options.AddSessionConfigEntry("session.disable_cpu_ep_fallback", "1"); err != nil {
		return err
	}
	settings := map[string]string{
		"backend_path":         l.backend,
		"soc_model":            strconv.Itoa(b.SoC.ID),
		"htp_arch":             strconv.Itoa(b.SoC.HTP),
		"htp_performance_mode": b.Performance,
		"htp_graph_finalization_optimization_mode": strconv.Itoa(b.Optimization),
		"offload_graph_io_quantization":            "0",
	}
	if b.FP16 {
		settings["enable_htp_fp16_precision"] = "1"
	}
	if b.VTCM > 0 {
		settings["vtcm_mb"] = strconv.Itoa(b.VTCM)
	}
	return options.AppendExecutionProviderV2([]ort.EpDevice{*device}, settings)
}
