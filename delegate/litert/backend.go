//go:build tflite

package litert

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"nanoflux/delegate"
	"nanoflux/delegate/dl"
	"nanoflux/delegate/litert/compiler"
	"nanoflux/delegate/litert/installed"
	"nanoflux/delegate/tflite"
	"nanoflux/graph"
)

func init() {
	k := kind()
	k.Missing = ""
	k.Open = func(o map[string]any) (delegate.Backend, error) {
		return New(Options{
			Library: o["library"].(string), NPU: o["accelerator"] == "npu", Dispatch: o["dispatch"].(string),
			Target: compiler.Target{Manufacturer: o["soc_manufacturer"].(string), Model: o["soc"].(string)},
			Flags:  strings.Fields(o["compiler_flags"].(string)), Threads: o["threads"].(int),
		})
	}
	delegate.Register(k)
}

// Options of the backend.
type Options struct {
	// Library is the path of libLiteRt.so; empty for where it is expected.
	Library string
	// NPU: segments run on an NPU as far as they are compiled for one.
	NPU bool
	// Dispatch is the folder of the dispatch library; empty for LiteRT's own.
	Dispatch string
	// Target is the chip that segments are compiled for when they are not yet; it
	// may be empty.
	Target compiler.Target
	// Flags are more flags of the compiler.
	Flags []string
	// Threads on the CPU; 0 for one a CPU.
	Threads int
	// Package is LiteRT's; installed.Find() without one.
	Package installed.Package
	// Cache is the folder that keeps what was compiled here; empty for one of the
	// user's cache.
	Cache string
}

// New makes the backend; the library is opened by Probe and Compile.
func New(o Options) (delegate.Backend, error) {
	o.Threads = tflite.Threads(o.Threads)
	if o.Package.Root == "" {
		o.Package = installed.Find()
	}
	t := &o.Target
	if (t.Manufacturer == "") != (t.Model == "") {
		return nil, errors.New("options soc_manufacturer and soc go together: give both or none")
	}
	if t.Manufacturer != "" {
		v, err := compiler.Vendor(t.Manufacturer)
		if err != nil {
			return nil, fmt.Errorf("option soc_manufacturer: %w", err)
		}
		t.Manufacturer = v.Name
		if !o.NPU {
			return nil, errors.New("option soc is for accelerator npu: set that too")
		}
	}
	return &backend{options: o, cache: openCache(o.Cache)}, nil
}

type backend struct {
	options Options
	cache   cache
}

func (b *backend) Name() string { return "litert" }

// open opens the library.
func (b *backend) open() (*library, error) {
	if b.options.Library != "" {
		return openLibrary([]string{b.options.Library})
	}
	var paths []string
	if p := b.options.Package.Library(); p != "" {
		paths = append(paths, p)
	}
	return openLibrary(append(paths, "libLiteRt.so"))
}

// Probe implements delegate.Backend: it opens the library, and for an NPU of a
// known maker its dispatch library.
func (b *backend) Probe(context.Context) (delegate.Device, error) {
	d, err := b.probe()
	if err != nil {
		return delegate.Device{}, fmt.Errorf("litert: %w", err)
	}
	return d, nil
}

func (b *backend) probe() (delegate.Device, error) {
	l, err := b.open()
	if err != nil {
		return delegate.Device{}, err
	}
	d := delegate.Device{
		Description: fmt.Sprintf("LiteRT on the CPU, %d threads", b.options.Threads),
		Library:     l.File,
		Version:     l.Version(),
		Features:    dispatchFeatures(b.options.Dispatch, l.File, b.options.Package),
	}
	if v := b.options.Package.Version(); v != "" && l.Path == b.options.Package.Library() {
		d.Version = "LiteRT " + v + ", " + d.Version
	}
	if !b.options.NPU {
		d.Features = append([]string{delegate.FeatureCPU}, d.Features...)
		return d, nil
	}
	d.Description = "LiteRT on NPUs and " + strings.TrimPrefix(d.Description, "LiteRT on ")
	if t := b.options.Target; t.Manufacturer != "" {
		if _, err := b.npu(l, t.Manufacturer); err != nil {
			return delegate.Device{}, err
		}
		d.Description = "LiteRT on " + t.String() + strings.TrimPrefix(d.Description, "LiteRT on NPUs")
	}
	return d, nil
}

// npu is the environment with a maker's dispatch library.
func (b *backend) npu(l *library, manufacturer string) (*environment, error) {
	v, err := compiler.Vendor(manufacturer)
	if err != nil {
		return nil, err
	}
	file, err := findDispatch(v, dispatchFolders(v, b.options.Dispatch, l.File, b.options.Package))
	if err != nil {
		return nil, err
	}
	prepare(v)
	// LiteRT says nothing about a library that it cannot open; the loader does.
	if _, err := dl.Open([]string{file}, "LiteRtDispatchGetApi"); err != nil {
		return nil, fmt.Errorf("%w; the dispatch library needs %s", err, v.Source)
	}
	return l.environment(true, filepath.Dir(file))
}

// Supports implements delegate.Backend: what TensorFlow Lite takes, LiteRT takes,
// but for results whose size is computed. What an NPU's compiler leaves runs on the
// CPU, and delegate.Delegated tells.
func (b *backend) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	if r := tflite.Supports(m, sub, op); r != nil {
		return r
	}
	o := &m.Subgraphs[sub].Ops[op]
	if r := computedSize(m, sub, o); r != nil {
		return r
	}
	return traps(b.options.Target.Manufacturer, m, sub, o)
}

// Compile implements delegate.Backend.
func (b *backend) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	e, err := b.compile(ctx, segment)
	if err != nil {
		return nil, fmt.Errorf("litert: %s: %w", segment.Name, err)
	}
	return e, nil
}

func (b *backend) compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(segment.Subgraphs) != 1 {
		return nil, fmt.Errorf("%d subgraphs, a segment has one: %w", len(segment.Subgraphs), delegate.ErrUnsupported)
	}
	code, segment := delegate.Compiled(segment, "litert")
	for i := range segment.Subgraphs[0].Ops {
		if r := b.Supports(segment, 0, i); r != nil {
			return nil, fmt.Errorf("%s: %w", segment.OpLabel(0, i), r)
		}
	}
	l, err := b.open()
	if err != nil {
		return nil, err
	}
	if b.options.NPU {
		return b.compileForNPU(ctx, l, segment, code)
	}
	environment, err := l.environment(false, "")
	if err != nil {
		return nil, err
	}
	return b.onCPU(environment, segment)
}

// onCPU makes a segment ready without an NPU.
func (b *backend) onCPU(environment *environment, segment *graph.Model) (*executable, error) {
	file, err := graph.Marshal(compiler.Segment(segment))
	if err != nil {
		return nil, err
	}
	return newExecutable(environment, file, &segment.Subgraphs[0], b.options.Threads)
}
