//go:build tflite

package xnnpack

import (
	"context"
	"fmt"

	"github.com/tphakala/go-tflite/delegates/xnnpack"

	"nanoflux/delegate"
	"nanoflux/delegate/tflite"
	"nanoflux/graph"
)

func init() {
	k := kind()
	k.Missing = ""
	k.Open = func(options map[string]any) (delegate.Backend, error) {
		return New(options["threads"].(int)), nil
	}
	delegate.Register(k)
}

// New makes the backend; threads is 0 for one a CPU.
func New(threads int) delegate.Backend { return &backend{tflite.Threads(threads)} }

type backend struct{ threads int }

func (b *backend) Name() string { return "xnnpack" }

func (b *backend) Probe(context.Context) (delegate.Device, error) {
	if err := processorsKnown(); err != nil {
		return delegate.Device{}, err
	}
	return delegate.Device{
		Description: fmt.Sprintf("TensorFlow Lite %s with XNNPACK on the CPU, %d threads", tflite.Version(), b.threads),
		Library:     "libtensorflowlite_c",
		Version:     tflite.Version(),
	}, nil
}

// Supports is what TensorFlow Lite takes: what XNNPACK leaves runs on the
// built-in kernels, on the same CPU.
func (b *backend) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	return tflite.Supports(m, sub, op)
}

func (b *backend) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	e, err := tflite.Compile(ctx, segment, tflite.Config{Name: "xnnpack", Threads: b.threads, Delegate: b.delegate})
	if err != nil {
		return nil, err
	}
	return cpuOnly{e}, nil
}

// cpuOnly hides how much the delegate took: nothing was promised.
type cpuOnly struct{ delegate.Executable }

func (b *backend) delegate() (tflite.Delegate, error) {
	if err := processorsKnown(); err != nil {
		return nil, err
	}
	d, ok := xnnpack.New(xnnpack.DelegateOptions{NumThreads: int32(b.threads)}).(*xnnpack.Delegate)
	if !ok || d == nil {
		return nil, fmt.Errorf("%w: the XNNPACK delegate cannot be made", delegate.ErrUnavailable)
	}
	return d, nil
}
