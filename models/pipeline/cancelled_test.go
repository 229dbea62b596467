//go:build tflite && unix

package pipeline

import (
	"context"
	"errors"
	"testing"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
	"nanoflux/graph"
	"nanoflux/models/bundle/pocket"
	"nanoflux/partition"
)

// A graph on the simulated NPU does not listen: its process is ended, and the next
// run has another.
func TestACancelledRunOnASimulatedNPUDoesNotGoOn(t *testing.T) {
	p := simulatedNPU(t, "")
	bundle, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer bundle.Close()
	m, err := bundle.Model(PartDenoiser)
	if err != nil {
		t.Fatal(err)
	}
	backends, err := partition.OpenBackends(p, partition.Isolation{Worker: delegatetest.Self(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := partition.CloseBackends(backends); err != nil {
			t.Error(err)
		}
	}()
	var first []int // enough for some tenths of a second
	for op := range 100 {
		first = append(first, op)
	}
	segment, _, err := graph.Extract(m, 0, first)
	if err != nil {
		t.Fatal(err)
	}
	e, err := backends["qnn"].Compile(t.Context(), segment)
	if err != nil {
		t.Fatal(err)
	}
	g := &segment.Subgraphs[0]
	inputs, outputs := make([]graph.Array, len(g.Inputs)), make([]graph.Array, len(g.Outputs))
	for i, t := range g.Inputs {
		inputs[i] = graph.NewArray(g.Tensors[t].Type, g.Tensors[t].Shape...)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := e.Run(ctx, inputs, outputs); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, delegate.ErrLost) {
		t.Fatalf("the cancelled run: %v", err)
	}
	if err := e.Run(t.Context(), inputs, outputs); err != nil {
		t.Errorf("the next run: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
