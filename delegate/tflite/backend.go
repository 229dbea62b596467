//go:build tflite

package tflite

import (
	"context"
	"fmt"
	"runtime"

	"nanoflux/delegate"
	"nanoflux/graph"
)

func init() {
	k := kind()
	k.Missing = ""
	k.Open = func(options map[string]any) (delegate.Backend, error) {
		threads := options["threads"].(int)
		if threads < 0 || threads > maxThreads {
			return nil, fmt.Errorf("backend tflite: threads is %d, must be from 0 to %d", threads, maxThreads)
		}
		return New(Options{Threads: threads, XNNPACK: options["xnnpack"].(bool)}), nil
	}
	delegate.Register(k)
}

// maxThreads bounds the option: every interpreter has a pool of its own.
const maxThreads = 256

// Options of the backend.
type Options struct {
	// Threads of each interpreter; 0 for one a CPU.
	Threads int
	// XNNPACK lets the XNNPACK delegate take the operators that it supports;
	// the rest, and everything without it, runs on the built-in kernels.
	XNNPACK bool
}

// New makes the backend.
func New(o Options) delegate.Backend {
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	return &backend{options: o}
}

type backend struct{ options Options }

func (b *backend) Name() string { return "tflite" }

func (b *backend) Probe(context.Context) (delegate.Device, error) {
	d := delegate.Device{
		Description: fmt.Sprintf("TensorFlow Lite %s on the CPU, %d threads", version(), b.options.Threads),
		Library:     "libtensorflowlite_c",
		Version:     version(),
	}
	if b.options.XNNPACK {
		d.Features = []string{"xnnpack"}
	}
	return d, nil
}

func (b *backend) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	return supports(m, sub, op)
}

func (b *backend) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e, err := newExecutable(segment, b.options)
	if err != nil {
		return nil, fmt.Errorf("tflite: %s: %w", segment.Name, err)
	}
	return e, nil
}
