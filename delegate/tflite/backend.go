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
		return New(Options{Threads: options["threads"].(int)}), nil
	}
	delegate.Register(k)
}

// Options of the backend.
type Options struct {
	// Threads of each interpreter; 0 for one a CPU.
	Threads int
}

// New makes the backend.
func New(o Options) delegate.Backend {
	return &backend{threads: Threads(o.Threads)}
}

// Threads is the number of threads that an option asks for: 0 for one a CPU.
func Threads(option int) int {
	if option <= 0 {
		return runtime.GOMAXPROCS(0)
	}
	return option
}

type backend struct{ threads int }

func (b *backend) Name() string { return "tflite" }

func (b *backend) Probe(context.Context) (delegate.Device, error) {
	return delegate.Device{
		Description: fmt.Sprintf("TensorFlow Lite %s on the CPU, %d threads", Version(), b.threads),
		Library:     "libtensorflowlite_c",
		Version:     Version(),
	}, nil
}

func (b *backend) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	return Supports(m, sub, op)
}

func (b *backend) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	return Compile(ctx, segment, Config{Name: "tflite", Threads: b.threads})
}
