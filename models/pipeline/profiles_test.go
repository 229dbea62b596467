package pipeline

import (
	"math"
	"slices"
	"strings"
	"testing"

	_ "nanoflux/delegate/all"
	"nanoflux/models/bundle/pocket"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// pocketPipeline is the bundle in the program under a built-in profile.
func pocketPipeline(t *testing.T, profile string) *Pipeline {
	t.Helper()
	b, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	// Without workers: this program is a test and cannot be one.
	p, err := New(t.Context(), b, Options{Profile: must[*profiles.Profile](t)(profiles.Load(profile)), Isolation: partition.Isolation{None: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// The stated tolerance between backends: bytes at most 2 apart, which nobody
// sees, and 60 dB or better. Between placements on one backend there is none:
// the pixels are the same, unless the profile rewrites the model: sums then have
// another order. In a build without TensorFlow Lite its profiles run on the Go
// backend.
func TestEveryProfileGivesTheSamePicture(t *testing.T) {
	request := Request{Prompt: "flat picture of a rocket on blue", Seed: 3}
	names := profiles.Builtin()
	if testing.Short() { // under an emulator a picture takes half a minute, a step seconds
		request.Steps, names = 1, []string{"mixed-demo", "tflite-cpu"}
	}
	want := must[*Result](t)(pocketPipeline(t, "cpu-go").Generate(t.Context(), request))
	for _, name := range names {
		profile := must[*profiles.Profile](t)(profiles.Load(name))
		if profile.Backends[0].Kind == "qnn" {
			continue // in half precision: npu_test.go
		}
		rewrites := profile.Rewrites
		got := must[*Result](t)(pocketPipeline(t, name).Generate(t.Context(), request))
		worst, squares := 0, 0.0
		for i, a := range got.Image.Pix {
			d := int(a) - int(want.Image.Pix[i])
			worst, squares = max(worst, d, -d), squares+float64(d*d)
		}
		decibel := 10 * math.Log10(255*255*float64(len(want.Image.Pix))/squares)
		onGo := true
		for _, part := range got.Parts {
			for _, s := range part.Segments {
				onGo = onGo && s.Kind == "fallback"
			}
		}
		mentions := 0
		for _, warning := range got.Warnings {
			mentions += strings.Count(warning, "cannot be used here")
		}
		if unavailable := got.Parts[0].Plan.Backends[0].Unavailable != ""; unavailable != (mentions == 1) {
			t.Errorf("%s: warnings %q", name, got.Warnings)
		}
		t.Logf("%s: bytes differ by up to %d, %.1f dB, all on the Go backend: %v", name, worst, decibel, onGo)
		if onGo && worst > 0 && rewrites == nil || worst > 2 || decibel < 60 {
			t.Errorf("%s: bytes differ by up to %d, %.1f dB", name, worst, decibel)
		}
		if (!onGo || rewrites != nil) && got.PlanHash == want.PlanHash {
			t.Errorf("%s has the plan hash of cpu-go", name)
		}
	}
}

// The shipped weights are rounded to int8; README.md of the data asks for 45 dB
// of a low-precision backend, the program for 40 dB.
func TestTheShippedBundleDrawsWhatTheReferenceDraws(t *testing.T) {
	full, shipped := toyPipeline(t, pocketSource(t)), pocketPipeline(t, "cpu-go")
	prompts, steps := []string{"a red apple, 3d, on a white background", "key, flat, on grey"}, 0
	if testing.Short() {
		prompts, steps = prompts[:1], 2
	}
	for _, prompt := range prompts {
		request := Request{Prompt: prompt, Seed: 11, Steps: steps}
		a := must[*Result](t)(full.Generate(t.Context(), request))
		b := must[*Result](t)(shipped.Generate(t.Context(), request))
		squares := 0.0
		for i := range a.Image.Pix {
			if i%4 < 3 {
				d := float64(a.Image.Pix[i]) - float64(b.Image.Pix[i])
				squares += d * d
			}
		}
		decibel := 10 * math.Log10(255*255*float64(len(a.Image.Pix)/4*3)/squares)
		t.Logf("%s: %.1f dB", prompt, decibel)
		if decibel < 40 {
			t.Errorf("%s: %.1f dB against fp32 weights, want 40", prompt, decibel)
		}
	}
}

func TestTheBundleWarnsOfWhatItDoesNotKnow(t *testing.T) {
	p := pocketPipeline(t, "cpu-go")
	for prompt, want := range map[string]string{
		"a cat":           "",
		"A Rocket, flat!": "",
		"a bicycle":       `the prompt "a bicycle" names no object that pocket can draw`,
		"an elefant":      "nearest: elephant",
		"":                "it knows: red apple, green apple",
	} {
		got := p.settings.tokenize(prompt, p.geometry.textTokens).warnings
		if len(got) != 0 != (want != "") || want != "" && !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("%q: warnings %q, want %q", prompt, got, want)
		}
	}
}
