package calibrate

import (
	"bytes"
	"math"
	"testing"

	"nanoflux/delegate"
	"nanoflux/models/bundle"
	"nanoflux/models/bundle/pocket"
	"nanoflux/models/pipeline"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// The NPU computes with 8-bit weights and 16-bit activations: 35 dB is asked of a
// picture whose prompt was not among those of calibration.
func TestACalibratedBundleDrawsOnAnNPUWithIntegers(t *testing.T) {
	profile, err := profiles.Parse([]byte("version: 1\nname: npu\nbackends:\n  - {kind: qnn, options: {soc: SM8450, precision: w8a16}}\n  - {kind: fallback}\n"), "npu.yaml", partition.CheckBackend)
	if err != nil {
		t.Fatal(err)
	}
	npu, err := delegate.Open("qnn", profile.Backends[0].Options)
	if err == nil {
		_, err = npu.Probe(t.Context())
	}
	if err != nil {
		t.Skipf("Qualcomm's simulator is not here: %v", err)
	}
	plain, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	m, files, err := Bundle(t.Context(), plain, Prompts(plain.Manifest().Knows, 2), nil)
	if err != nil {
		t.Fatal(err)
	}
	var zip bytes.Buffer
	if err := bundle.Write(&zip, m, files); err != nil {
		t.Fatal(err)
	}
	with, err := bundle.Read(zip.Bytes(), "calibrated.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer with.Close()
	draw := func(p *profiles.Profile) *pipeline.Result {
		line, err := pipeline.New(t.Context(), with, pipeline.Options{Profile: p, Isolation: partition.Isolation{None: true}})
		if err != nil {
			t.Fatal(err)
		}
		defer line.Close()
		r, err := line.Generate(t.Context(), pipeline.Request{Prompt: "a hamburger in flat style on green", Seed: 9, Steps: 2})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	want, got := draw(nil), draw(profile)
	squares, colours := 0.0, 0
	for i, v := range want.Image.Pix {
		if i%4 == 3 {
			continue // opacity, which is the same
		}
		d := float64(got.Image.Pix[i]) - float64(v)
		squares += d * d
		colours++
	}
	db := 10 * math.Log10(255*255*float64(colours)/squares)
	t.Logf("%.1f dB", db)
	if !(db >= 35) {
		t.Error("too far from the picture of the Go kernels")
	}
	for _, part := range got.Parts {
		if len(part.Segments) != 1 || part.Segments[0].Kind != "qnn" {
			t.Errorf("%s runs in %d segments, the first on %s", part.Part, len(part.Segments), part.Segments[0].Kind)
		}
	}
}
