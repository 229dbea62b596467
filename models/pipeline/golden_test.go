package pipeline

import (
	"encoding/json"
	"image"
	"math"
	"os"
	"path/filepath"
	"testing"

	"nanoflux/graph"
	"nanoflux/models/flux"
	"nanoflux/models/internal/golden"
	"nanoflux/models/safetensors"
	"nanoflux/models/text"
	"nanoflux/models/vae"
)

const pocketData = "../data/pocket"

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// must is for builders: a value, or the end of the test.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// pocketModels builds the four parts of the pocket model with fp32 weights.
func pocketModels(t *testing.T) (map[string]*graph.Model, flux.Config) {
	t.Helper()
	config := func(part string) ([]byte, string) {
		path := filepath.Join(pocketData, part+".config.json")
		return readFile(t, path), path
	}
	weights := func(part string) golden.File {
		return golden.Open(t, filepath.Join(pocketData, part+".safetensors"))
	}
	t5 := must[text.T5Config](t)(text.ParseT5Config(config("text_encoder")))
	dit := must[flux.Config](t)(flux.ParseConfig(config("denoiser")))
	decoder := must[vae.PocketConfig](t)(vae.ParsePocketConfig(config("vae")))
	model := must[*graph.Model](t)
	return map[string]*graph.Model{
		PartTextEncoder: model(text.BuildT5(t5, weights("text_encoder").Weights(), text.T5Options{Tokens: 24})),
		PartModulation:  model(flux.BuildModulation(dit, weights("denoiser").Weights(), flux.ModulationOptions{ZeroPooled: true})),
		PartDenoiser:    model(flux.BuildDenoiser(dit, weights("denoiser").Weights(), flux.Shape{Rows: 8, Columns: 8, TextTokens: 24}, flux.Options{})),
		PartDecoder:     model(vae.BuildPocketDecoder(decoder, weights("vae").Weights(), vae.Options{})),
	}, dit
}

// pocketSource is the pocket model as its configuration files describe it,
// without a bundle between.
func pocketSource(t *testing.T) source {
	t.Helper()
	tokenizer := must[*text.Unigram](t)(text.NewUnigram(readFile(t, filepath.Join(pocketData, "spiece.model"))))
	var c struct {
		Stats struct{ Mean, Std []float32 } `json:"latent_stats"`
	}
	if err := json.Unmarshal(readFile(t, filepath.Join(pocketData, "vae.config.json")), &c); err != nil {
		t.Fatal(err)
	}
	models, _ := pocketModels(t)
	return source{models: models, settings: settings{
		name: "pocket-fp32", steps: 10, mean: c.Stats.Mean, std: c.Stats.Std,
		lowercase: true, eos: 1, encode: tokenizer.Encode,
	}}
}

// furthest is the largest absolute difference.
func furthest(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range got {
		if d := math.Abs(float64(got[i]) - float64(want[i])); d > worst || math.IsNaN(d) {
			worst = d
		}
	}
	return worst
}

// The tolerances are those that models/data/pocket/README.md derives: 1e-4 for
// states, velocities and latents, 2e-4 for the picture, one step for bytes.
func TestThePocketModelGivesTheReferencesNumbers(t *testing.T) {
	g := golden.Open(t, filepath.Join(pocketData, "goldens.safetensors"))
	p := toyPipeline(t, pocketSource(t))
	prompts := []string{"a red apple, 3d, on a white background", "flat picture of a rocket on blue", "a banana and a guitar"}
	row := func(name string, i int) []float32 {
		values, shape := g.Floats(name)
		n := len(values) / shape[0]
		return values[i*n : (i+1)*n]
	}
	close := func(what string, prompt int, got, want []float32, tolerance float64) {
		t.Helper()
		if d := furthest(got, want); d > tolerance {
			t.Errorf("prompt %d, %s: off by %g, more than %g", prompt, what, d, tolerance)
		}
	}
	sigmas, err := p.settings.schedule.Sigmas(10, 64)
	if err != nil {
		t.Fatal(err)
	}
	timesteps, _ := g.Floats("timesteps")
	close("timesteps", 0, sigmas, timesteps, 1e-6)

	ids := g.Int32s("tokens")
	wantBytes := must[safetensors.Tensor](t)(g.Weights().Tensor("image_u8")).Data
	if testing.Short() {
		prompts = prompts[:1]
	}
	for i, prompt := range prompts {
		tokens := p.settings.tokenize(prompt, 24)
		for k, id := range tokens.ids {
			if id != ids[i*24+k] {
				t.Errorf("prompt %d: token %d is %d, want %d", i, k, id, ids[i*24+k])
			}
		}
		w := &work{Pipeline: p, sigmas: sigmas}
		states := must[[]float32](t)(p.parts[0].runArrays(t.Context(), map[string]graph.Array{"tokens": golden.Int32s(tokens.ids, 1, 24)}))
		close("text states", i, states, row("text.out", i), 1e-4)
		if err := w.modulate(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The whole loop, on its own latents, step by step.
		x := append([]float32(nil), row("noise", i)...)
		for s := range 10 {
			step := &work{Pipeline: p, sigmas: sigmas[s : s+2]}
			before := append([]float32(nil), x...)
			if err := step.sample(t.Context(), x, states); err != nil {
				t.Fatal(err)
			}
			velocity := make([]float32, len(x))
			for k := range x {
				velocity[k] = (x[k] - before[k]) / (sigmas[s+1] - sigmas[s])
			}
			name := "step" + string(rune('0'+s))
			close(name+" velocity", i, velocity, row(name+".velocity", i), 1e-4)
			close(name+" latent", i, x, row(name+".latent", i), 1e-4)
		}
		latent := make([]float32, len(x))
		p.geometry.grid.unpack(latent, x)
		close("latent unpacked", i, planes(latent, 16), row("latent_unpacked", i), 1e-4)
		p.stats.apply(latent)
		close("latent denormalised", i, planes(latent, 16), row("latent_denormalised", i), 1e-4)
		picture := must[[]float32](t)(p.parts[3].run(t.Context(), map[string][]float32{"latent": latent}))
		close("picture", i, planes(picture, 3), row("image", i), 2e-4)

		img := must[*image.NRGBA](t)(w.decode(t.Context(), x))
		for k := range 256 * 256 {
			for c := range 3 {
				got, want := int(img.Pix[4*k+c]), int(wantBytes[i*256*256*3+3*k+c])
				if got-want > 1 || want-got > 1 {
					t.Fatalf("prompt %d: byte %d of pixel %d is %d, want %d", i, c, k, got, want)
				}
			}
		}
	}
}

// planes turns [..., channels] into [channels, ...].
func planes(values []float32, channels int) []float32 {
	out := make([]float32, len(values))
	n := len(values) / channels
	for i := range n {
		for c := range channels {
			out[c*n+i] = values[i*channels+c]
		}
	}
	return out
}

// Four steps of the reference's own loop around a small random transformer with
// pooled text: packing, schedule, steps and unpacking.
func TestTheLoopIsTheReferences(t *testing.T) {
	const goldens = "../data/goldens"
	g := golden.Open(t, filepath.Join(goldens, "schedule/rollout.safetensors"))
	weights := golden.Open(t, filepath.Join(goldens, "flux-dit/a-tiny/weights.safetensors")).Weights()
	path := filepath.Join(goldens, "flux-dit/a-tiny/config.json")
	config := must[flux.Config](t)(flux.ParseConfig(readFile(t, path), path))
	m, err := flux.BuildDenoiser(config, weights, flux.Shape{Rows: 4, Columns: 6, TextTokens: 5}, flux.Options{})
	denoiser := golden.Compile(t, m, err)
	m, err = flux.BuildModulation(config, weights, flux.ModulationOptions{})
	modulation := golden.Compile(t, m, err)

	noise, _ := g.Floats("in.noise") // [1, 16, 8, 12]
	latent := make([]float32, len(noise))
	for c := range 16 {
		for i := range 8 * 12 {
			latent[i*16+c] = noise[c*8*12+i]
		}
	}
	cut := grid{Rows: 4, Columns: 6, Channels: 16, Patch: 2}
	x := make([]float32, len(noise))
	cut.pack(x, latent)
	if packed, _ := g.Floats("packed"); furthest(x, packed) != 0 {
		t.Error("pack differs")
	}
	sigmas := must[[]float32](t)(Schedule{}.Sigmas(4, 24))
	for i := range 4 {
		name := "step." + string(rune('0'+i))
		rows := modulation.Run(map[string]graph.Array{
			"time_projection": golden.Float32s(flux.TimeProjection(sigmas[i]), 1, 256), "pooled": g.Array("in.pooled"),
		})["modulation"]
		v := denoiser.Run(map[string]graph.Array{
			"latent": golden.Float32s(x, 1, 24, 64), "text": g.Array("in.text"),
			"modulation": golden.Float32s(rows, 1, config.Rows(), config.Width()),
		})["velocity"]
		if want, _ := g.Floats(name + ".velocity"); furthest(v, want) > 1e-4 {
			t.Errorf("%s: velocity off by %g", name, furthest(v, want))
		}
		eulerStep(x, v, sigmas[i], sigmas[i+1])
		if want, _ := g.Floats(name + ".latent"); furthest(x, want) > 1e-4 {
			t.Errorf("%s: latent off by %g", name, furthest(x, want))
		}
	}
	cut.unpack(latent, x)
	if want, _ := g.Floats("out.latent"); furthest(planes(latent, 16), want) > 1e-4 {
		t.Errorf("latent off by %g", furthest(planes(latent, 16), want))
	}
}
