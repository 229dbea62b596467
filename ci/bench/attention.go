//go:build tflite

package main

import (
	"fmt"
	"time"

	"nanoflux/fallback"
	"nanoflux/fallback/simd"
	"nanoflux/graph"
)

// attention times softmax(Q·Kᵀ)·V at the denoiser's size against the peak of the
// processor, measured in turn: its tile of the matrix product on data in the
// first-level cache, on as many threads.
func (b *bench) attention() error {
	const tokens, heads, dim = 1280, 16, 96
	name := fmt.Sprintf("attention fp32 %d tokens %d×%d, of the peak", tokens, heads, dim)
	if !b.wants(name) {
		return nil
	}
	g := graph.NewBuilder("attention")
	input := func(name string) graph.T { return g.Input(name, graph.Float32, 1, heads, tokens, dim) }
	scores := g.BatchMatMul(input("q"), input("k"), false, true)
	g.Output("y", g.BatchMatMul(g.Softmax(scores), input("v"), false, false))
	m, err := g.Model()
	if err != nil {
		return err
	}
	ours, err := runner(b.ctx, fallback.New(fallback.Options{Threads: b.threads}), m)
	if err != nil {
		return err
	}
	defer ours.close()
	const tiles = 40000
	x, y, err := b.paired(ours.run, func() error { peak(b.threads, tiles); return nil })
	if err != nil {
		return err
	}
	operations := 4 * float64(tokens) * tokens * heads * dim
	peakRate := peakOperations(tiles) * float64(b.threads) / y.typical()
	b.line(name, x.rate(operations), fmt.Sprintf("%.0f G/s peak", peakRate/1e9), operations/x.typical()/peakRate, goal{atLeast: 0.6})
	return nil
}

// peakDepth is the depth of the tile that measures the peak.
const peakDepth = 256

// peakOperations is how many operations one thread of peak does.
func peakOperations(tiles int) float64 {
	t := simd.Active()
	return 2 * float64(t.Rows) * float64(t.Columns) * peakDepth * float64(tiles)
}

// peak multiplies tiles on every thread.
func peak(threads, tiles int) time.Duration {
	start := time.Now()
	done := make(chan struct{})
	for range threads {
		go func() {
			t := simd.Active()
			a, b, c := make([]float32, t.Rows*peakDepth), make([]float32, t.Columns*peakDepth), make([]float32, t.Rows*t.Columns)
			for range tiles {
				t.Multiply(t.Rows, t.Columns, peakDepth, a, b, c, t.Columns)
			}
			done <- struct{}{}
		}()
	}
	for range threads {
		<-done
	}
	return time.Since(start)
}
