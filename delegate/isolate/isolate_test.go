//go:build unix

package isolate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
	"nanoflux/fallback"
	"nanoflux/graph"
)

// The test program is its own worker.
func TestMain(m *testing.M) {
	if os.Getenv(WorkerEnvironment) != "" {
		if err := Serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func init() {
	delegate.Register(delegate.Kind{
		Name:    "broken",
		Summary: "the Go kernels, with a fault",
		Options: []delegate.Option{{Name: "fault", Default: ""}, {Name: "at", Default: 0}},
		Open: func(o map[string]any) (delegate.Backend, error) {
			return &broken{fallback.New(fallback.Options{Threads: 1}), o["fault"].(string), o["at"].(int)}, nil
		},
	})
}

// broken misbehaves at Compile (at 0) or in a run (the at-th).
type broken struct {
	delegate.Backend
	fault string
	at    int
}

func (b *broken) strike() {
	switch b.fault {
	case "segv":
		_ = syscall.Kill(os.Getpid(), syscall.SIGSEGV)
		select {}
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	case "exit0":
		os.Exit(0)
	case "exit77":
		fmt.Fprintln(os.Stderr, "vendor: out of luck")
		os.Exit(77)
	case "hang":
		select {}
	case "orphan": // as a library that starts a process of its own
		child := exec.Command("sleep", "60")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err == nil {
			fmt.Fprintln(os.Stderr, child.Process.Pid)
		}
		os.Exit(3)
	}
}

func (b *broken) Compile(ctx context.Context, m *graph.Model) (delegate.Executable, error) {
	if b.at == 0 {
		b.strike()
	}
	e, err := b.Backend.Compile(ctx, m)
	if err != nil {
		return nil, err
	}
	return &brokenRun{Executable: e, b: b}, nil
}

type brokenRun struct {
	delegate.Executable
	b    *broken
	runs int
}

func (r *brokenRun) Run(ctx context.Context, in, out []graph.Array) error {
	if r.runs++; r.runs == r.b.at {
		r.b.strike()
	}
	return r.Executable.Run(ctx, in, out)
}

func isolated(t testing.TB, kind string, options map[string]any, o Options) *Backend {
	t.Helper()
	inner, err := delegate.Open(kind, options)
	if err != nil {
		t.Fatal(err)
	}
	o.Command = delegatetest.Self(t)
	b, err := New(inner, kind, options, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestAnIsolatedBackendComplies(t *testing.T) {
	delegatetest.RunAll(t, isolated(t, "fallback", nil, Options{}), len(delegatetest.Cases()))
}

// sum is y = x + w, with many constants.
func sum(t testing.TB, n int) *graph.Model {
	t.Helper()
	b := graph.NewBuilder("sum")
	b.Output("y", b.Add(b.Input("x", graph.Float32, n), graph.ConstOf(b, "w", slices.Repeat([]float32{3}, n), n)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestALostWorkerIsAnErrorThatSaysWhy(t *testing.T) {
	for _, test := range []struct{ fault, want string }{
		{"segv", "SIGSEGV"},
		{"kill", "was killed by SIGKILL"},
		{"exit0", "ended with exit code 0"},
		{"exit77", "ended with exit code 77 (it said: vendor: out of luck)"},
		{"hang", "no answer within 1s"},
	} {
		for _, at := range []int{0, 1, 10} {
			t.Run(fmt.Sprintf("%s at %d", test.fault, at), func(t *testing.T) {
				o := Options{RunDeadline: time.Minute, CompileDeadline: time.Minute}
				if test.fault == "hang" && at == 0 {
					o.CompileDeadline = time.Second
				} else if test.fault == "hang" {
					o.RunDeadline = time.Second
				}
				b := isolated(t, "broken", map[string]any{"fault": test.fault, "at": at}, o)
				e, err := b.Compile(t.Context(), sum(t, 8))
				runs := 0
				for err == nil && runs < 20 {
					runs++
					err = e.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, 8)}, make([]graph.Array, 1))
				}
				var lost *delegate.LostError
				if !errors.As(err, &lost) || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("after %d runs: %v", runs, err)
				}
				if runs != at {
					t.Errorf("it was lost in run %d, must be %d", runs, at)
				}
				if _, err := b.Compile(t.Context(), sum(t, 8)); !errors.Is(err, delegate.ErrLost) {
					t.Errorf("the next compile: %v", err)
				}
				if e != nil {
					if err := e.Close(); err != nil {
						t.Errorf("Close: %v", err)
					}
				}
			})
		}
	}
}

func TestWhatAWorkerStartedGoesWithIt(t *testing.T) {
	b := isolated(t, "broken", map[string]any{"fault": "orphan", "at": 1}, Options{})
	e, err := b.Compile(t.Context(), sum(t, 8))
	if err != nil {
		t.Fatal(err)
	}
	err = e.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, 8)}, make([]graph.Array, 1))
	var lost *delegate.LostError
	if !errors.As(err, &lost) || !strings.Contains(lost.Cause, "exit code 3") {
		t.Fatalf("got %v", err)
	}
	pid, err := strconv.Atoi(lost.Said)
	if err != nil {
		t.Fatalf("it said %q", lost.Said)
	}
	for range 100 { // until its new parent has waited for it
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

func TestACancelledCallThatGoesOnIsCancelledAllTheSame(t *testing.T) {
	b := isolated(t, "broken", map[string]any{"fault": "hang", "at": 1}, Options{RunDeadline: time.Second})
	e, err := b.Compile(t.Context(), sum(t, 8))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	in := []graph.Array{graph.NewArray(graph.Float32, 8)}
	if err := e.Run(ctx, in, make([]graph.Array, 1)); !errors.Is(err, context.Canceled) || errors.Is(err, delegate.ErrLost) {
		t.Errorf("the cancelled run: %v", err)
	}
	if err := e.Run(t.Context(), in, make([]graph.Array, 1)); !errors.Is(err, delegate.ErrLost) || !strings.Contains(err.Error(), "after it was cancelled") {
		t.Errorf("the next run: %v", err)
	}
}

func TestATestProgramDoesNotStartItselfByItself(t *testing.T) {
	if _, err := New(fallback.New(fallback.Options{}), "fallback", nil, Options{}); err == nil || !strings.Contains(err.Error(), "name the command") {
		t.Errorf("got %v", err)
	}
}

func TestNoProcessAndNoMemoryIsLeft(t *testing.T) {
	before := openFiles(t)
	for range 3 {
		b := isolated(t, "fallback", nil, Options{})
		e, err := b.Compile(t.Context(), sum(t, 1<<16))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, 1<<16)}, make([]graph.Array, 1)); err != nil {
			t.Fatal(err)
		}
		pid := b.worker.command.Process.Pid
		if err := errors.Join(e.Close(), b.Close()); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d is still there: %v", pid, err)
		}
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("this system does not list open files")
	}
	return len(list)
}

func TestWeightsOfAMappedFileAreMappedByTheWorker(t *testing.T) {
	if readMappings() == nil {
		t.Skip("this system does not tell what is mapped where")
	}
	const n = 1 << 18
	data, err := graph.Marshal(sum(t, n))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.tflite")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := graph.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	b := isolated(t, "fallback", nil, Options{})
	p, err := b.process(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	message, weights, err := b.describe(p, m)
	if err != nil {
		t.Fatal(err)
	}
	if len(weights) != 0 || len(message.Files) != 1 || message.Files[0].Path != path || len(message.Structure) > 4096 {
		t.Errorf("%d regions, files %v, structure of %d bytes", len(weights), message.Files, len(message.Structure))
	}
	e, err := b.Compile(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	out := make([]graph.Array, 1)
	if err := e.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, n)}, out); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out[0].Data, graph.Bytes(slices.Repeat([]float32{3}, n))) {
		t.Error("the sum is not the weights")
	}
}

func TestACancelledRunEndsAndTheWorkerLives(t *testing.T) {
	b := isolated(t, "fallback", nil, Options{})
	m := graph.NewBuilder("long")
	x := m.Input("x", graph.Float32, 192, 192)
	for range 200 {
		x = m.FullyConnected(x, x, graph.None, graph.ActNone)
	}
	m.Output("y", x)
	model, err := m.Model()
	if err != nil {
		t.Fatal(err)
	}
	e, err := b.Compile(t.Context(), model)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	in := []graph.Array{graph.NewArray(graph.Float32, 192, 192)}
	for range 20 {
		ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
		err = e.Run(ctx, in, make([]graph.Array, 1))
		stop()
		if err != nil {
			break
		}
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	if err := e.Run(t.Context(), in, make([]graph.Array, 1)); err != nil {
		t.Errorf("the next run: %v", err)
	}
}

func TestManyExecutablesAtOnceShareAWorker(t *testing.T) {
	b := isolated(t, "fallback", nil, Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			e, err := b.Compile(t.Context(), sum(t, 5000))
			if err != nil {
				t.Error(err)
				return
			}
			out := make([]graph.Array, 1)
			for range 10 {
				if err := e.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, 5000)}, out); err != nil || graph.View[float32](out[0].Data)[4999] != 3 {
					t.Error(err)
				}
			}
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
}
