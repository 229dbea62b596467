//go:build tflite

package tflite

import (
	"context"
	"fmt"

	"nanoflux/delegate"
	"nanoflux/delegate/dl"
	"nanoflux/graph"
)

// Vendor is a backend whose device stands behind a delegate in a vendor's
// library. It implements delegate.Backend.
type Vendor struct {
	// Kind is the backend's name.
	Kind string
	// Threads of the interpreter, for operators that the delegate leaves.
	Threads int
	// Device is what there is when the library can be opened, in words.
	Device string
	// Table says which operators the delegate takes.
	Table delegate.Table
	// Open opens the library; its error wraps delegate.ErrUnavailable.
	Open func() (*dl.Library, error)
	// Make makes a delegate for one interpreter, of that segment; of none when
	// the library is only tried.
	Make func(l *dl.Library, segment *graph.Model) (Delegate, error)
	// Features are for Probe.
	Features []string
}

// Name implements delegate.Backend.
func (v *Vendor) Name() string { return v.Kind }

// Probe opens the library, and makes and deletes a delegate: some libraries say
// only then that their device is missing.
func (v *Vendor) Probe(context.Context) (delegate.Device, error) {
	l, err := v.Open()
	if err != nil {
		return delegate.Device{}, fmt.Errorf("%s: %w", v.Kind, err)
	}
	d, err := v.Make(l, nil)
	if err != nil {
		return delegate.Device{}, fmt.Errorf("%s: %w", v.Kind, err)
	}
	d.Delete()
	return delegate.Device{Description: v.Device, Library: l.File, Version: l.Version() + ", run by TensorFlow Lite " + Version(), Features: v.Features}, nil
}

// Supports implements delegate.Backend: by the table, and by what the
// interpreter itself can read. The library is not asked.
func (v *Vendor) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	if r := Supports(m, sub, op); r != nil {
		return r
	}
	return v.Table.Check(m, sub, op)
}

// Reads implements delegate.Reader: the interpreter reads every operator before a
// delegate sees it.
func (v *Vendor) Reads(m *graph.Model, sub, op int) *delegate.Refusal { return Supports(m, sub, op) }

// Compile implements delegate.Backend; the executable is a delegate.Delegated.
func (v *Vendor) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	l, err := v.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.Kind, err)
	}
	return Compile(ctx, segment, Config{Name: v.Kind, Threads: v.Threads, Delegate: func() (Delegate, error) { return v.Make(l, segment) }})
}
