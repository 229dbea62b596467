package pipeline

import (
	"context"
	"math"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/models/bundle/pocket"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// simulatedNPU is a profile with Qualcomm's simulated NPU and rules; the test is
// skipped where Qualcomm's libraries are not here.
func simulatedNPU(t *testing.T, rules string) *profiles.Profile {
	t.Helper()
	text := "version: 1\nname: npu\nbackends:\n  - {kind: qnn, options: {soc: SM8650}}\n  - {kind: fallback}\n" + rules
	p, err := profiles.Parse([]byte(text), "npu.yaml", partition.CheckBackend)
	if err != nil {
		t.Fatal(err)
	}
	b, err := delegate.Open("qnn", p.Backends[0].Options)
	if err == nil {
		_, err = b.Probe(t.Context())
	}
	if err != nil {
		t.Skipf("Qualcomm's simulator is not here: %v", err)
	}
	return p
}

// decibels is the PSNR of a picture against another.
func decibels(got, want *Result) float64 {
	squares := 0.0
	for i, a := range got.Image.Pix {
		d := float64(a) - float64(want.Image.Pix[i])
		squares += d * d
	}
	return 10 * math.Log10(255*255*float64(len(want.Image.Pix))/squares)
}

// drawn is the picture that the bundle in the program draws by a profile.
func drawn(ctx context.Context, t *testing.T, p *profiles.Profile, r Request) *Result {
	t.Helper()
	bundle, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer bundle.Close()
	pipeline, err := New(ctx, bundle, Options{Profile: p, Isolation: partition.Isolation{None: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer pipeline.Close()
	return must[*Result](t)(pipeline.Generate(ctx, r))
}

// The NPU computes in half precision: 50 dB is asked of a whole picture.
func TestTheSimulatedNPUDrawsThePicture(t *testing.T) {
	npu := simulatedNPU(t, "")
	request := Request{Prompt: "a red apple, 3d", Seed: 1, Steps: 2}
	want := must[*Result](t)(pocketPipeline(t, "cpu-go").Generate(t.Context(), request))
	got := drawn(t.Context(), t, npu, request)
	if d := decibels(got, want); d < 50 {
		t.Errorf("%.1f dB", d)
	}
	for _, part := range got.Parts {
		if len(part.Segments) != 1 || part.Segments[0].Kind != "qnn" {
			t.Errorf("%s runs in %d segments, the first on %s", part.Part, len(part.Segments), part.Segments[0].Kind)
		}
	}
	if len(got.Warnings) > 0 {
		t.Errorf("warnings: %s", strings.Join(got.Warnings, "; "))
	}
}

func TestAPlanThatMixesTheNPUAndTheGoKernelsGivesTheSamePicture(t *testing.T) {
	mixed := simulatedNPU(t, "rules:\n  - {part: [text_encoder, modulation], backend: qnn}\n  - {part: decoder, op: [CONV_2D], backend: qnn}\n  - {backend: fallback}\n")
	request := Request{Prompt: "flat picture of a rocket on blue", Seed: 3, Steps: 4}
	want := must[*Result](t)(pocketPipeline(t, "cpu-go").Generate(t.Context(), request))
	got := drawn(t.Context(), t, mixed, request)
	if d := decibels(got, want); d < 50 {
		t.Errorf("%.1f dB", d)
	}
	kinds := map[string]int{}
	for _, part := range got.Parts {
		for _, s := range part.Segments {
			kinds[s.Kind]++
		}
	}
	if kinds["qnn"] < 10 || kinds["fallback"] < 10 {
		t.Errorf("segments by kind: %v", kinds)
	}
}
