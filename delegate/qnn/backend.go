//go:build tflite

package qnn

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"nanoflux/delegate"
	"nanoflux/delegate/qnn/onnx"
	"nanoflux/delegate/support"
	"nanoflux/graph"
	"nanoflux/graph/schema"
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
		SoC: soc, FP16: o["precision"] == "fp16", W8A16: o["precision"] == "w8a16", Performance: o["performance"].(string), VTCM: o["vtcm"].(int),
		Optimization: o["optimization"].(int), Libraries: o["libraries"].(string), Cache: o["cache"].(string),
	}, table: takes}, nil
}

// Config is what a profile says, and for which chip.
type Config struct {
	SoC support.SoC
	// FP16 computes floats in half precision; without it a segment must be
	// quantized throughout.
	FP16 bool
	// W8A16 computes floats with integers, by the ranges in the segment: 8 bits
	// for weights, 16 for the rest.
	W8A16       bool
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

// Unstoppable implements delegate.Unstoppable: neither a graph nor the compiler
// listens.
func (b *Backend) Unstoppable() {}

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
	version, err := l.version()
	if err != nil {
		return delegate.Device{}, fmt.Errorf("qnn: %w", err)
	}
	if err := b.starts(version); err != nil {
		return delegate.Device{}, fmt.Errorf("qnn: %w", err)
	}
	d := delegate.Device{
		Description: fmt.Sprintf("Qualcomm %s's NPU%s, through ONNX Runtime %s", b.SoC.Model, simulation(), ort.GetVersion()),
		Library:     l.backend, Version: version,
		Features: []string{"soc=" + b.SoC.Model, fmt.Sprintf("htp=v%d", b.SoC.HTP), fmt.Sprintf("writer=%d", writerVersion)},
	}
	if simulation() != "" {
		d.Features = append(d.Features, delegate.FeatureSimulated)
	}
	switch {
	case b.FP16:
		d.Features = append(d.Features, "fp16")
	case b.W8A16:
		d.Features = append(d.Features, "w8a16")
	}
	if license := first(filepath.Join(filepath.Dir(l.backend), "Qualcomm_LICENSE.pdf")); license != "" {
		d.Features = append(d.Features, "license="+license)
	}
	return d, nil
}

// tried begins the version of QNN that this backend was tried with.
const tried = "QNN 2.40."

// starts has libraries of another version than the tried one compile a graph of one
// operator: whether the provider starts at all for the chip is said by nothing else.
// The error is of one that does not.
func (b *Backend) starts(version string) error {
	if b.cpu || strings.HasPrefix(version, tried) {
		return nil
	}
	g := graph.NewBuilder("trial")
	x := g.Input("x", graph.Float32, 1, 8)
	g.Output("y", g.Add(x, x))
	m, err := g.Model()
	if err != nil {
		return err
	}
	plain := *b
	plain.FP16, plain.W8A16, plain.Cache = true, false, ""
	s, err := plain.session(m, [][]int{{1, 8}}, nil)
	switch {
	case err == nil:
		return s.close()
	case errors.Is(err, delegate.ErrUnavailable):
		return err
	}
	return nil // the chip has no floats, say: segments will tell
}

// simulation says that the NPU is not the device's own.
func simulation() string {
	if runtime.GOARCH == "amd64" {
		return ", simulated"
	}
	return ""
}

// Reads implements delegate.Reader: what has no form in ONNX cannot be asked.
func (b *Backend) Reads(m *graph.Model, sub, op int) *delegate.Refusal {
	return onnx.Check(m, sub, op)
}

// Alone implements delegate.Loner.
func (b *Backend) Alone(m *graph.Model, sub, op int) *delegate.Refusal {
	g := &m.Subgraphs[sub]
	o := &g.Ops[op]
	if quantizes(g, o) {
		return delegate.Refuse(delegate.ReasonDevice, "the QNN provider makes no graph of floats to integers or back alone")
	}
	for _, i := range slices.Concat(o.Inputs, o.Outputs) {
		if i == graph.NoTensor || m.IsConstant(sub, i) || g.Tensors[i].Type != graph.Float32 {
			continue
		}
		q := g.Tensors[i].Quantization
		switch {
		case b.FP16 && b.SoC.HTP < support.FirstFloats:
			return delegate.Refuse(delegate.ReasonSoC, "the HTP v%d of %s takes operators of floats alone, and fails with graphs of them", b.SoC.HTP, b.SoC.Model)
		case b.W8A16 && (q == nil || len(q.Min) != 1 || len(q.Max) != 1):
			return delegate.Refuse(delegate.ReasonQuantization, "%s has no range, which precision w8a16 needs; run nanoflux calibrate on the bundle", m.TensorLabel(sub, i))
		}
	}
	return nil
}

// Supports implements delegate.Backend, by the table: plans that ask the compiler
// first know better. An operator that the table does not know is taken: it is
// written as others that QNN has.
func (b *Backend) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	if r := b.Reads(m, sub, op); r != nil || b.table == nil {
		return r
	}
	if r := b.integersOnly(m, sub, op); r != nil {
		return r
	}
	// Sizes that are known at run time only are compiled for then.
	if r := b.table.Check(m, sub, op); r != nil && r.Reason != delegate.ReasonOp && r.Reason != delegate.ReasonDynamic {
		return r
	}
	return nil
}

// convert writes a segment as ONNX in the precision of the options.
func (b *Backend) convert(segment *graph.Model, shapes [][]int) (*onnx.Model, error) {
	floats := func(t graph.Tensor) bool { return t.Type == graph.Float32 }
	if b.W8A16 && slices.ContainsFunc(segment.Subgraphs[0].Tensors, floats) {
		return onnx.ConvertW8A16(segment, shapes)
	}
	return onnx.Convert(segment, shapes)
}

// integersOnly refuses floats where the profile says that nothing computes them.
func (b *Backend) integersOnly(m *graph.Model, sub, op int) *delegate.Refusal {
	o := &m.Subgraphs[sub].Ops[op]
	if b.FP16 || b.W8A16 || o.Code == schema.BuiltinOperatorQUANTIZE || o.Code == schema.BuiltinOperatorDEQUANTIZE {
		return nil
	}
	for i, t := range o.Inputs {
		if t != graph.NoTensor && m.Subgraphs[sub].Tensors[t].Type == graph.Float32 {
			return delegate.Refuse(delegate.ReasonType, "input %d is FLOAT32, and option precision says quantized", i)
		}
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
	code, bare := delegate.Compiled(segment, b.Name())
	e, err := newExecutable(b, bare, code)
	if err != nil {
		return nil, fmt.Errorf("qnn: %s: %w", segment.Name, err)
	}
	return e, nil
}

// compiling: sessions are made one after another, since what is said meanwhile
// is told to the process and not to a session.
var compiling sync.Mutex

// session compiles a segment for shapes of its inputs, or takes the code that was
// made of it. The error names the operator that the NPU does not take, and is a
// *delegate.Refusal then.
func (b *Backend) session(segment *graph.Model, shapes [][]int, code []byte) (*session, error) {
	l, device, err := b.load()
	if err != nil {
		return nil, err
	}
	if !b.cpu && onlyQuantizes(segment) {
		return nil, &refusedError{segment, []complaint{{0, "the QNN provider makes no graph of floats to integers or back alone"}}}
	}
	model, err := b.convert(segment, shapes)
	if err != nil {
		return nil, err
	}
	compiling.Lock()
	defer compiling.Unlock()
	if code != nil {
		s, said, err := b.compile(model, source{code: code}, l, device, ort.LoggingLevelWarning)
		if err != nil {
			return nil, fmt.Errorf("its code cannot be loaded: %s", compileFailure(err, said))
		}
		return s, nil
	}
	file, err := b.kept(l, segment, shapes)
	if err != nil {
		return nil, err
	}
	if file == "" {
		return b.compileAnew(segment, model, source{}, l, device)
	}
	if code, err := os.ReadFile(file); err == nil {
		if s, _, err := b.compile(model, source{code: code}, l, device, ort.LoggingLevelWarning); err == nil {
			return s, nil
		}
	}
	return b.keep(segment, model, file, l, device)
}

// compileAnew is session without code. Where the NPU does not take an operator the
// error is a *refusedError.
func (b *Backend) compileAnew(segment *graph.Model, model *onnx.Model, from source, l libraries, device *ort.EpDevice) (*session, error) {
	s, said, err := b.compile(model, from, l, device, ort.LoggingLevelWarning)
	if err == nil {
		return s, nil
	}
	if strings.Contains(err.Error(), "Error creating execution provider") {
		version, _ := l.version() // it is for people
		return nil, fmt.Errorf("%w: %s with %s does not start for %s: %s; run ci/setup qnn for a version that does",
			delegate.ErrUnavailable, l.provider, version, b.SoC.Model, startFailure(err, said))
	}
	refused := complaints(said)
	if len(refused) == 0 && strings.Contains(err.Error(), "fallback to CPU EP") {
		// Only the long log says what the provider did not even ask the compiler.
		if s, said, err = b.compile(model, from, l, device, ort.LoggingLevelVerbose); err == nil {
			return s, nil
		}
		refused = complaints(said)
	}
	if len(refused) == 0 {
		refused = []complaint{{-1, compileFailure(err, said)}}
	}
	return nil, &refusedError{segment, refused}
}

// onlyQuantizes says whether a segment does nothing but turn floats into integers
// and back.
func onlyQuantizes(segment *graph.Model) bool {
	g := &segment.Subgraphs[0]
	return !slices.ContainsFunc(g.Ops, func(op graph.Op) bool { return !quantizes(g, &op) })
}

// quantizes says whether an operator turns floats into integers or back.
func quantizes(g *graph.Subgraph, op *graph.Op) bool {
	return op.Code == schema.BuiltinOperatorDEQUANTIZE ||
		op.Code == schema.BuiltinOperatorQUANTIZE && len(op.Inputs) > 0 && g.Tensors[op.Inputs[0]].Type == graph.Float32
}

// compile makes a session, and says what was said meanwhile.
func (b *Backend) compile(model *onnx.Model, from source, l libraries, device *ort.EpDevice, level ort.LoggingLevel) (s *session, said string, err error) {
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = options.Destroy() }() // it was made: nothing to tell
	if err := options.SetLogSeverityLevel(level); err != nil {
		return nil, "", err
	}
	if !b.cpu {
		if err := b.configure(options, l, device); err != nil {
			return nil, "", err
		}
		if err := from.configure(options); err != nil {
			return nil, "", err
		}
	}
	data, err := from.data(model)
	if err != nil {
		return nil, "", err
	}
	said, err = listen(func() error {
		s, err = newSession(model, data, options)
		return err
	})
	return s, said, err
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
