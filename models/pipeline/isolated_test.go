//go:build unix

package pipeline

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/isolate"
	"nanoflux/fallback"
	"nanoflux/graph"
	"nanoflux/models/bundle/pocket"
	"nanoflux/profiles"
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

// isolated are the Go kernels in a worker, as a backend of the profile cpu-go.
func isolated(t *testing.T) (*isolate.Backend, *profiles.Profile, map[string]delegate.Backend) {
	t.Helper()
	worker, err := isolate.New(fallback.New(fallback.Options{}), "fallback", nil, isolate.Options{Command: delegatetest.Self(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = worker.Close() })
	p, err := profiles.Load("cpu-go")
	if err != nil {
		t.Fatal(err)
	}
	return worker, p, map[string]delegate.Backend{p.Backends[0].Name: worker}
}

// The latents, the text's states, the modulations and the picture lie where the
// worker reads and writes them.
func TestAPictureOfAnIsolatedBackendIsMadeWithoutCopies(t *testing.T) {
	model, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer model.Close()
	worker, profile, backends := isolated(t)
	p, err := New(t.Context(), model, Options{Profile: profile, Backends: backends})
	if err != nil {
		t.Fatal(err)
	}
	request, pictures := Request{Prompt: "a red apple, 3d", Seed: 42, Steps: 2}, 2
	if testing.Short() {
		request.Steps, pictures = 1, 1
	}
	for range pictures {
		got := bytesOf(t, p, request)
		here, err := New(t.Context(), model, Options{Profile: profile})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, bytesOf(t, here, request)) {
			t.Error("another picture than in the program")
		}
		if err := here.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := worker.Copied(); n != 0 {
		t.Errorf("%d bytes of large tensors were copied", n)
	}

	// The same picture into memory that is not shared is a copy, and is counted.
	decoder := p.parts[3]
	in, _, err := decoder.runner.Arguments(p.room)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]graph.Array, 1)
	if err := decoder.runner.Run(t.Context(), in, out); err != nil {
		t.Fatal(err)
	}
	if n, want := worker.Copied(), int64(256*256*3*4); n != want {
		t.Errorf("%d bytes were counted, want %d", n, want)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// A part of the schedule that was known moves with the others.
func TestModulationsStayRightWhenTheScheduleChanges(t *testing.T) {
	_, profile, backends := isolated(t)
	p, err := newPipeline(t.Context(), toy(t), Options{Profile: profile, Backends: backends})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, steps := range []int{1, 3, 2, 4, 1} {
		fresh, err := newPipeline(t.Context(), toy(t), Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := Request{Prompt: "a", Seed: 3, Steps: steps}
		if !bytes.Equal(bytesOf(t, p, r), bytesOf(t, fresh, r)) {
			t.Errorf("%d steps: another picture than a fresh pipeline's", steps)
		}
		_ = fresh.Close()
	}
}
