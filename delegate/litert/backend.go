//go:build tflite

package litert

import (
	"context"
	"fmt"

	"nanoflux/delegate"
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
			Manufacturer: o["soc_manufacturer"].(string), SoC: o["soc"].(string), Threads: o["threads"].(int),
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
	// Manufacturer and SoC name the chip that segments are compiled for when they
	// are not yet; both may be empty.
	Manufacturer, SoC string
	// Threads on the CPU; 0 for one a CPU.
	Threads int
}

// New makes the backend; the library is opened by Probe and Compile.
func New(o Options) (delegate.Backend, error) {
	o.Threads = tflite.Threads(o.Threads)
	return &backend{options: o, here: installed.Find()}, nil
}

type backend struct {
	options Options
	here    installed.Package
}

func (b *backend) Name() string { return "litert" }

// open opens the library.
func (b *backend) open() (*library, error) {
	if b.options.Library != "" {
		return openLibrary([]string{b.options.Library})
	}
	var paths []string
	if p := b.here.Library(); p != "" {
		paths = append(paths, p)
	}
	return openLibrary(append(paths, "libLiteRt.so"))
}

// Probe implements delegate.Backend.
func (b *backend) Probe(context.Context) (delegate.Device, error) {
	l, err := b.open()
	if err != nil {
		return delegate.Device{}, fmt.Errorf("litert: %w", err)
	}
	d := delegate.Device{
		Description: fmt.Sprintf("LiteRT on the CPU, %d threads", b.options.Threads),
		Library:     l.File,
		Version:     l.Version(),
	}
	return d, nil
}

// Supports implements delegate.Backend: what TensorFlow Lite takes, LiteRT takes.
func (b *backend) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	return tflite.Supports(m, sub, op)
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
	_, segment = delegate.Compiled(segment, "litert")
	for i := range segment.Subgraphs[0].Ops {
		if r := b.Supports(segment, 0, i); r != nil {
			return nil, fmt.Errorf("%s: %w", segment.OpLabel(0, i), r)
		}
	}
	l, err := b.open()
	if err != nil {
		return nil, err
	}
	environment, err := l.environment(false, "")
	if err != nil {
		return nil, err
	}
	file, err := graph.Marshal(plain(segment))
	if err != nil {
		return nil, err
	}
	return newExecutable(environment, file, &segment.Subgraphs[0], b.options.Threads)
}
