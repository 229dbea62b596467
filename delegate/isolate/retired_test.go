//go:build unix

package isolate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"nanoflux/delegate"
	"nanoflux/fallback"
	"nanoflux/graph"
)

func init() {
	delegate.Register(delegate.Kind{
		Name:    "deaf",
		Summary: "the Go kernels, which go on whatever they are told",
		Options: []delegate.Option{{Name: "folder", Default: ""}},
		Open: func(o map[string]any) (delegate.Backend, error) {
			return &deaf{fallback.New(fallback.Options{Threads: 1}), o["folder"].(string)}, nil
		},
	})
}

// deaf computes without end, after it made the file stuck, where the first input
// is −1. Where it is 1 it makes the file waiting and waits for the file open.
type deaf struct {
	delegate.Backend
	folder string
}

func (d *deaf) Unstoppable() {}

func (d *deaf) Compile(_ context.Context, m *graph.Model) (delegate.Executable, error) {
	e, err := d.Backend.Compile(context.Background(), m)
	if err != nil {
		return nil, err
	}
	return &deafRun{e, d}, nil
}

type deafRun struct {
	delegate.Executable
	d *deaf
}

func (r *deafRun) Run(_ context.Context, in, out []graph.Array) error {
	switch graph.View[float32](in[0].Data)[0] {
	case -1:
		touch(r.d.folder, "stuck")
		select {}
	case 1:
		touch(r.d.folder, "waiting")
		appears(r.d.folder, "open")
	}
	return r.Executable.Run(context.Background(), in, out)
}

func touch(folder, name string) { _ = os.WriteFile(filepath.Join(folder, name), nil, 0o600) }

// appears waits for a file.
func appears(folder, name string) {
	for {
		if _, err := os.Stat(filepath.Join(folder, name)); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func TestACancelledRunThatCannotBeStoppedEndsItsProcessAndNothingElse(t *testing.T) {
	folder := t.TempDir()
	b := isolated(t, "deaf", map[string]any{"folder": folder}, Options{})
	const n = 5000 // weights in shared memory
	compiled := func() delegate.Executable {
		e, err := b.Compile(t.Context(), sum(t, n))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	run := func(ctx context.Context, e delegate.Executable, first float32) error {
		x := graph.NewArray(graph.Float32, n)
		graph.View[float32](x.Data)[0] = first
		out := make([]graph.Array, 1)
		if err := e.Run(ctx, []graph.Array{x}, out); err != nil {
			return err
		}
		if y := graph.View[float32](out[0].Data); y[0] != first+3 || y[n-1] != 3 {
			t.Errorf("of %v: %v, %v", first, y[0], y[n-1])
		}
		return nil
	}
	stuck, other := compiled(), compiled()
	process := b.worker
	if err := run(t.Context(), stuck, 7); err != nil {
		t.Fatal(err)
	}
	// Another run is in the process when it is ended.
	result := make(chan error)
	go func() { result <- run(t.Context(), other, 1) }()
	appears(folder, "waiting")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		appears(folder, "stuck")
		cancel()
	}()
	if err := run(ctx, stuck, -1); !errors.Is(err, context.Canceled) || errors.Is(err, delegate.ErrLost) {
		t.Errorf("the cancelled run: %v", err)
	}
	<-process.ended
	if err := syscall.Kill(process.command.Process.Pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("its process is still there: %v", err)
	}
	touch(folder, "open")
	if err := <-result; err != nil {
		t.Errorf("the run beside it: %v", err)
	}
	for range 2 {
		if err := run(t.Context(), stuck, 8); err != nil {
			t.Errorf("the next run: %v", err)
		}
	}
	if b.worker == process || b.worker.isRetired() {
		t.Error("there is no new worker")
	}
	if err := errors.Join(stuck.Close(), other.Close(), b.Close()); err != nil {
		t.Error(err)
	}
}
