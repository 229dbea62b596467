//go:build tflite

package emulated_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/emulated"
	"nanoflux/delegate/isolate"
	"nanoflux/graph"
)

// The test program is its own worker.
func TestMain(m *testing.M) {
	if os.Getenv(isolate.WorkerEnvironment) != "" {
		if err := isolate.Serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// isolated is the emulated NPU in a process of its own.
func isolated(t testing.TB, deadline time.Duration, options map[string]any) *isolate.Backend {
	t.Helper()
	options["library"], options["threads"] = library(t, emulated.Plugin), 1
	inner, err := delegate.Open("external", options)
	if err != nil {
		t.Fatal(err)
	}
	b, err := isolate.New(inner, "external", options, isolate.Options{Command: delegatetest.Self(t), RunDeadline: deadline})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestTheIsolatedEmulatedNPUComplies(t *testing.T) {
	if testing.Short() {
		t.Skip("on an emulated machine the suite's long run takes so long that its worker counts as hung; the faults below run there")
	}
	delegatetest.RunAll(t, isolated(t, time.Minute, map[string]any{}), len(delegatetest.Cases()))
}

// Faults that would end this process, were the device in it.
func TestFaultsThatEndTheWorker(t *testing.T) {
	for fault, want := range map[string]string{"segv": "SIGSEGV", "bus": "SIGBUS", "abort": "SIGABRT", "exit0": "exit code 0", "hang": "no answer within 2s"} {
		for _, at := range []int{1, 10} {
			t.Run(fmt.Sprintf("%s at %d", fault, at), func(t *testing.T) {
				t.Parallel()
				e, err := isolated(t, 2*time.Second, map[string]any{"fault": fault, "fault_at": at}).Compile(t.Context(), sum(t))
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				runs := 0
				for err == nil && runs < 20 {
					runs++
					err = e.Run(t.Context(), []graph.Array{graph.NewArray(graph.Float32, 8)}, make([]graph.Array, 1))
				}
				var lost *delegate.LostError
				if !errors.As(err, &lost) || !strings.Contains(lost.Cause, want) || runs != at {
					t.Errorf("after %d runs: %v", runs, err)
				}
			})
		}
	}
}

func BenchmarkEmulatedCall(b *testing.B) {
	in := []graph.Array{graph.NewArray(graph.Float32, 8)}
	for name, backend := range map[string]delegate.Backend{"in process": plugin(b), "isolated": isolated(b, time.Minute, map[string]any{})} {
		b.Run(name, func(b *testing.B) {
			e, err := backend.Compile(b.Context(), sum(b))
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			out := []graph.Array{graph.NewArray(graph.Float32, 8)}
			for b.Loop() {
				if err := e.Run(b.Context(), in, out); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
