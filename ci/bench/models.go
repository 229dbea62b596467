//go:build tflite

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"nanoflux/delegate"
	"nanoflux/delegate/xnnpack"
	"nanoflux/fallback"
	"nanoflux/graph"
	"nanoflux/models/bundle/pocket"
)

// model is a .tflite to measure.
type model struct {
	name string
	m    *graph.Model
}

// corpus opens the models that are on this machine: the pocket bundle's,
// MLPerf Tiny's and MediaPipe's. Those of others are not part of the repository.
func corpus() (list []model, missing []string, err error) {
	b, err := pocket.Open()
	if err != nil {
		return nil, nil, err
	}
	for _, part := range []string{"text_encoder", "modulation", "denoiser", "decoder"} {
		m, err := b.Model(part)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, model{"pocket/" + part, m})
	}
	for _, c := range []struct{ name, folder, variable string }{
		{"mlperf-tiny", cmp.Or(os.Getenv("NANOFLUX_CONFORMANCE"), "../shared/data/conformance") + "/mlperf-tiny", "NANOFLUX_CONFORMANCE"},
		{"mediapipe", cmp.Or(os.Getenv("NANOFLUX_MEDIAPIPE"), "build/mediapipe"), "NANOFLUX_MEDIAPIPE"},
	} {
		files, _ := filepath.Glob(filepath.Join(c.folder, "*.tflite"))
		if len(files) == 0 {
			missing = append(missing, fmt.Sprintf("%s: no models in %s (set %s)", c.name, c.folder, c.variable))
		}
		for _, file := range files {
			m, err := graph.Open(file)
			if err != nil {
				return nil, nil, err
			}
			list = append(list, model{c.name + "/" + strings.TrimSuffix(filepath.Base(file), ".tflite"), m})
		}
	}
	return list, missing, nil
}

// models times every model on the Go kernels and on TensorFlow Lite with
// XNNPACK.
func (b *bench) models() error {
	list, missing, err := corpus()
	if err != nil {
		return err
	}
	for _, m := range missing {
		fmt.Println("# left out:", m)
	}
	var ratios []float64
	for _, m := range list {
		name := "model " + m.name
		if !b.wants(name) {
			continue
		}
		ours, err := runner(b.ctx, fallback.New(fallback.Options{Threads: b.threads}), m.m)
		if err != nil {
			b.skip(name, err)
			continue
		}
		peer, err := runner(b.ctx, xnnpack.New(b.threads), m.m)
		if err != nil {
			b.skip(name, err)
			continue
		}
		x, y, err := b.paired(ours.run, peer.run)
		ours.close()
		peer.close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		ratio := x.typical() / y.typical()
		ratios = append(ratios, ratio)
		b.line(name, x.String(), y.String(), ratio, goal{atMost: 1.5})
	}
	if len(ratios) > 1 {
		b.line(fmt.Sprintf("models, geometric mean of %d", len(ratios)), "", "XNNPACK", geometricMean(ratios), goal{atMost: 1})
		b.line("models, the slowest against XNNPACK", "", "XNNPACK", slices.Max(ratios), goal{atMost: 1.5})
	}
	return nil
}

// runs is a compiled model with inputs and memory for its outputs.
type runs struct {
	ctx             context.Context
	e               delegate.Executable
	inputs, outputs []graph.Array
}

// runner compiles a model for a backend that takes all of it, with random inputs
// that are the same each time.
func runner(ctx context.Context, b delegate.Backend, m *graph.Model) (*runs, error) {
	if len(m.Subgraphs) != 1 {
		return nil, errors.New("more than one subgraph")
	}
	for op := range m.Subgraphs[0].Ops {
		if r := b.Supports(m, 0, op); r != nil {
			return nil, fmt.Errorf("%s: %w", m.OpLabel(0, op), r)
		}
	}
	e, err := b.Compile(ctx, m)
	if err != nil {
		return nil, err
	}
	r := &runs{ctx: ctx, e: e, outputs: make([]graph.Array, len(m.Subgraphs[0].Outputs))}
	random := rand.New(rand.NewPCG(1, 2))
	for _, t := range m.Subgraphs[0].Inputs {
		r.inputs = append(r.inputs, randomArray(random, &m.Subgraphs[0].Tensors[t]))
	}
	return r, nil
}

// randomArray fills an input: floats of a normal distribution, small numbers for
// indices, any bytes else.
func randomArray(r *rand.Rand, t *graph.Tensor) graph.Array {
	a := graph.NewArray(t.Type, t.Shape...)
	switch t.Type {
	case graph.Float32:
		for i := range graph.View[float32](a.Data) {
			graph.View[float32](a.Data)[i] = float32(r.NormFloat64())
		}
	case graph.Int32:
		for i := range graph.View[int32](a.Data) {
			graph.View[int32](a.Data)[i] = int32(r.IntN(16))
		}
	case graph.Int64:
		for i := range graph.View[int64](a.Data) {
			graph.View[int64](a.Data)[i] = int64(r.IntN(16))
		}
	default:
		for i := range a.Data {
			a.Data[i] = byte(r.Uint32())
		}
	}
	return a
}

func (r *runs) run() error { return r.e.Run(r.ctx, r.inputs, r.outputs) }

func (r *runs) close() { _ = r.e.Close() }
