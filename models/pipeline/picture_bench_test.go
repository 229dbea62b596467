package pipeline

import (
	"slices"
	"testing"
	"time"

	"nanoflux/models/bundle/pocket"
	"nanoflux/profiles"
)

// BenchmarkPicture times whole pictures (10 steps) on the Go kernels and on each
// peer that this build has, in turn within one process. It reports medians in
// milliseconds and their ratio: below 1 the Go kernels are faster.
func BenchmarkPicture(b *testing.B) {
	for _, peer := range []string{"cpu-go", "tflite-cpu", "xnnpack-cpu"} {
		b.Run("cpu-go vs "+peer, func(b *testing.B) {
			ours, theirs := picturePipeline(b, "cpu-go"), picturePipeline(b, peer)
			for _, part := range theirs.parts {
				if len(part.plan.Warnings) > 0 {
					b.Skip(part.plan.Warnings[0])
				}
			}
			var times [2][]time.Duration
			for b.Loop() {
				for i, p := range []*Pipeline{ours, theirs} {
					start := time.Now()
					if _, err := p.Generate(b.Context(), Request{Prompt: "a red apple, 3d", Seed: 42}); err != nil {
						b.Fatal(err)
					}
					times[i] = append(times[i], time.Since(start))
				}
			}
			var medians [2]float64
			for i, list := range times {
				slices.Sort(list)
				medians[i] = list[len(list)/2].Seconds() * 1000
			}
			b.ReportMetric(medians[0], "ms/ours")
			b.ReportMetric(medians[1], "ms/peer")
			b.ReportMetric(medians[0]/medians[1], "ratio")
		})
	}
}

func picturePipeline(b *testing.B, profile string) *Pipeline {
	b.Helper()
	p, err := profiles.Load(profile)
	if err != nil {
		b.Fatal(err)
	}
	model, err := pocket.Open()
	if err != nil {
		b.Fatal(err)
	}
	pipeline, err := New(b.Context(), model, Options{Profile: p})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pipeline.Close() })
	return pipeline
}
