package pipeline

import (
	"bytes"
	"context"
	"errors"
	"image"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nanoflux/delegate"
	_ "nanoflux/fallback"
	"nanoflux/graph"
)

// The toy: a model with every part and every shape of a real one, in a few
// operators each, so that what the pipeline does between them is what is
// tested. 5 text tokens of width 3; modulation of 2 rows; 2×2 tokens of 8
// values, which is a 4×4 latent of 2 channels; a 4×4 picture.
func toy(t *testing.T) source {
	t.Helper()
	return source{
		settings: settings{
			name: "toy", hash: "0123456789ab", steps: 4, lowercase: true, eos: 1, pad: 0,
			mean: []float32{0.5, -0.5}, std: []float32{2, 3},
			encode: func(text string) []int32 { // an id a letter, spaces left out
				var ids []int32
				for _, r := range text {
					if r != ' ' {
						ids = append(ids, r-'a'+2)
					}
				}
				return ids
			},
		},
		models: map[string]*graph.Model{
			PartTextEncoder: toyText(t), PartModulation: toyModulation(t, false),
			PartDenoiser: toyDenoiser(t, 1), PartDecoder: toyDecoder(t, 2),
		},
	}
}

func floats(values ...float32) graph.Array {
	a := graph.NewArray(graph.Float32, len(values))
	copy(graph.View[float32](a.Data), values)
	return a
}

func ramp(shape ...int) graph.Array {
	a := graph.NewArray(graph.Float32, shape...)
	for i := range graph.View[float32](a.Data) {
		graph.View[float32](a.Data)[i] = float32(i%7)/10 - 0.3
	}
	return a
}

func finish(t *testing.T, b *graph.Builder, x graph.T, name string) *graph.Model {
	t.Helper()
	b.Output(name, x)
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func toyText(t *testing.T) *graph.Model {
	b := graph.NewBuilder("toy/text_encoder.tflite")
	ids := b.Reshape(b.Cast(b.Input("tokens", graph.Int32, 1, 5), graph.Float32), 1, 5, 1)
	return finish(t, b, b.Mul(ids, b.Const("width", floats(0.01, 0.02, -0.01))), "text")
}

func toyModulation(t *testing.T, extras bool) *graph.Model {
	b := graph.NewBuilder("toy/modulation.tflite")
	x := b.FullyConnected(b.Input("time_projection", graph.Float32, 1, 256), b.Const("weight", ramp(6, 256)), graph.None, graph.ActNone)
	if extras {
		x = b.Add(x, b.FullyConnected(b.Input("guidance_projection", graph.Float32, 1, 256), b.Const("weight2", ramp(6, 256)), graph.None, graph.ActNone))
		x = b.Add(x, b.FullyConnected(b.Input("pooled", graph.Float32, 1, 4), b.Const("weight3", ramp(6, 4)), graph.None, graph.ActNone))
	}
	return finish(t, b, b.Reshape(b.Tanh(x), 1, 2, 3), "modulation")
}

// toyDenoiser: velocity = scale · (latent + text and modulation, mixed down).
func toyDenoiser(t *testing.T, scale float32) *graph.Model {
	b := graph.NewBuilder("toy/denoiser.tflite")
	latent := b.Input("latent", graph.Float32, 1, 4, 8)
	text := b.Sum(b.Input("text", graph.Float32, 1, 5, 3), []int{1, 2}, true)
	modulation := b.Sum(b.Input("modulation", graph.Float32, 1, 2, 3), []int{1, 2}, true)
	return finish(t, b, b.Mul(b.Add(b.Add(latent, text), modulation), b.Const("scale", floats(scale))), "velocity")
}

func toyDecoder(t *testing.T, channels int) *graph.Model {
	b := graph.NewBuilder("toy/decoder.tflite")
	x := b.Input("latent", graph.Float32, 1, 4, 4, channels)
	weight := graph.NewArray(graph.Float32, 3, 1, 1, channels)
	copy(graph.View[float32](weight.Data), []float32{0.3, 0, 0, 0.3, 0.1, -0.1})
	return finish(t, b, b.Conv2D(x, b.Const("weight", weight), b.Const("bias", floats(0, 0, 0)), 1, graph.Same, graph.ActNone), "image")
}

func toyPipeline(t *testing.T, s source) *Pipeline {
	t.Helper()
	p, err := newPipeline(t.Context(), s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func bytesOf(t *testing.T, p *Pipeline, r Request) []byte {
	t.Helper()
	result, err := p.Generate(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := result.WritePNG(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestTheSameRequestGivesTheSameBytes(t *testing.T) {
	p, other := toyPipeline(t, toy(t)), toyPipeline(t, toy(t))
	first := bytesOf(t, p, Request{Prompt: "cat", Seed: 7})
	bytesOf(t, p, Request{Prompt: "dog", Seed: 9, Steps: 2}) // state that must not show
	if !bytes.Equal(first, bytesOf(t, p, Request{Prompt: "cat", Seed: 7})) {
		t.Error("the second picture differs from the first")
	}
	if !bytes.Equal(first, bytesOf(t, other, Request{Prompt: "cat", Seed: 7, Steps: 4})) {
		t.Error("another pipeline, with the default steps spelled out, gives another picture")
	}
	for name, r := range map[string]Request{
		"seed":   {Prompt: "cat", Seed: 8},
		"prompt": {Prompt: "zebra", Seed: 7},
		"steps":  {Prompt: "cat", Seed: 7, Steps: 1},
	} {
		a, _ := p.Generate(t.Context(), Request{Prompt: "cat", Seed: 7})
		b, err := p.Generate(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(a.Image.Pix, b.Image.Pix) {
			t.Errorf("another %s gives the same pixels", name)
		}
	}
}

// The toy's parts computed here in float64, with only Noise taken from the
// package: whatever the pipeline does between the parts shows.
func TestThePictureIsWhatTheFormulasSay(t *testing.T) {
	const steps, seed = 3, 5
	result, err := toyPipeline(t, toy(t)).Generate(t.Context(), Request{Prompt: "CB A", Seed: seed, Steps: steps})
	if err != nil {
		t.Fatal(err)
	}
	text := 0.0
	for _, id := range []float64{4, 3, 2, 1, 0} { // c b a </s> <pad>
		text += id * (0.01 + 0.02 - 0.01)
	}
	x := make([]float32, 32)
	Noise(x, seed)
	y := make([]float64, 32)
	for i := range y {
		y[i] = float64(x[i])
	}
	weight := graph.View[float32](ramp(6, 256).Data)
	for i := range steps {
		sigma := 1 - float64(i)/steps
		modulation := 0.0
		for row := range 6 {
			sum := 0.0
			for k := range 128 {
				a := 1000 * sigma * math.Exp(-math.Log(10000)*float64(k)/128)
				sum += math.Cos(a)*float64(weight[row*256+k]) + math.Sin(a)*float64(weight[row*256+128+k])
			}
			modulation += math.Tanh(sum)
		}
		for k := range y {
			y[k] -= (y[k] + text + modulation) / steps
		}
	}
	for row := range 4 {
		for col := range 4 {
			at := func(ch int) float64 { return y[(row/2*2+col/2)*8+ch*4+row%2*2+col%2] }
			z0, z1 := at(0)*2+0.5, at(1)*3-0.5
			for c, want := range []float64{0.3 * z0, 0.3 * z1, 0.1*z0 - 0.1*z1} {
				level := min(max((want+1)*127.5, 0), 255)
				if got := float64(result.Image.Pix[result.Image.PixOffset(col, row)+c]); math.Abs(got-level) > 0.6 {
					t.Errorf("pixel (%d, %d) colour %d is %v, want %.2f", col, row, c, got, level)
				}
			}
		}
	}
}

func TestModulationsAreComputedOnceAScheduleOnly(t *testing.T) {
	p := toyPipeline(t, toy(t))
	calls := func(steps int) int {
		r, err := p.Generate(t.Context(), Request{Prompt: "a", Steps: steps})
		if err != nil {
			t.Fatal(err)
		}
		if r.Parts[1].Part != PartModulation || r.Parts[2].Calls != steps {
			t.Fatalf("parts %+v", r.Parts)
		}
		return r.Parts[1].Calls
	}
	// Of the timesteps of 2 steps (1, ½), 4 steps (1, ¾, ½, ¼) share both.
	for i, c := range []struct{ steps, want int }{{2, 2}, {2, 0}, {4, 2}, {4, 0}, {1, 0}, {4, 3}} {
		if got := calls(c.steps); got != c.want {
			t.Errorf("picture %d, %d steps: %d modulation runs, want %d", i, c.steps, got, c.want)
		}
	}
}

func TestOptionalModulationInputsAreFilled(t *testing.T) {
	s := toy(t)
	s.settings.guidance = 3.5
	s.models[PartModulation] = toyModulation(t, true)
	a, err := toyPipeline(t, s).Generate(t.Context(), Request{Prompt: "a"})
	if err != nil {
		t.Fatal(err)
	}
	s.settings.guidance = 1
	b, err := toyPipeline(t, s).Generate(t.Context(), Request{Prompt: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(a.Image.Pix, b.Image.Pix) {
		t.Error("the guidance does not count")
	}
}

func TestProgressAndPreviewsFollowTheSteps(t *testing.T) {
	p := toyPipeline(t, toy(t))
	var events []string
	var previews []int
	last := time.Duration(0)
	_, err := p.Generate(t.Context(), Request{
		Prompt: "a", Steps: 3,
		Progress: func(e Event) {
			events = append(events, e.Stage[:3]+string(rune('0'+e.Step))+string(rune('0'+e.Of)))
			if e.Elapsed < last {
				t.Error("time runs backwards")
			}
			last = e.Elapsed
		},
		Preview: func(step int, picture *image.NRGBA) {
			previews = append(previews, step)
			if picture.Bounds().Dx() != 4 {
				t.Errorf("preview of %v", picture.Bounds())
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(events, " "), "tex00 mod03 mod13 mod23 den03 den13 den23 den33 dec00"; got != want {
		t.Errorf("events %s, want %s", got, want)
	}
	if !slices.Equal(previews, []int{1, 2}) {
		t.Errorf("previews of steps %v", previews)
	}
}

func TestCancellingStopsAtTheNextStep(t *testing.T) {
	p := toyPipeline(t, toy(t))
	for _, stop := range []string{PartTextEncoder, PartModulation, PartDenoiser, PartDecoder} {
		ctx, cancel := context.WithCancel(t.Context())
		steps := 0
		_, err := p.Generate(ctx, Request{Prompt: "a", Steps: 50, Progress: func(e Event) {
			if e.Stage == stop {
				cancel()
			}
			if e.Stage == PartDenoiser {
				steps = e.Step
			}
		}})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled in %s: error %v", stop, err)
		}
		if stop == PartDenoiser && steps > 0 {
			t.Errorf("%d steps were made after the cancel", steps)
		}
		if _, err := p.Generate(t.Context(), Request{Prompt: "a", Steps: 1}); err != nil {
			t.Errorf("after a cancel in %s: %v", stop, err)
		}
	}
}

func TestManyCallersGetTheirOwnPictures(t *testing.T) {
	p := toyPipeline(t, toy(t))
	want := make([][]byte, 4)
	for i := range want {
		want[i] = bytesOf(t, p, Request{Prompt: "a", Seed: uint64(i), Steps: i + 1})
	}
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			r, err := p.Generate(context.Background(), Request{Prompt: "a", Seed: uint64(i % 4), Steps: i%4 + 1})
			if err != nil {
				t.Error(err)
				return
			}
			var b bytes.Buffer
			if r.WritePNG(&b); !bytes.Equal(b.Bytes(), want[i%4]) {
				t.Errorf("caller %d got another picture", i)
			}
		})
	}
	all.Wait()
}

func TestClosingBesideCallersWaitsForThem(t *testing.T) {
	p := toyPipeline(t, toy(t))
	want := bytesOf(t, p, Request{Prompt: "a", Seed: 1})
	var all sync.WaitGroup
	for i := range 24 {
		all.Go(func() {
			if i%3 == 2 {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			r, err := p.Generate(context.Background(), Request{Prompt: "a", Seed: 1})
			if errors.Is(err, delegate.ErrClosed) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			var b bytes.Buffer
			if r.WritePNG(&b); !bytes.Equal(b.Bytes(), want) {
				t.Errorf("caller %d got another picture", i)
			}
		})
	}
	all.Wait()
	if _, err := p.Generate(t.Context(), Request{Prompt: "a"}); !errors.Is(err, delegate.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestWaitingForAnotherPictureObeysTheContext(t *testing.T) {
	p := toyPipeline(t, toy(t))
	<-p.busy // another caller is at work
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Generate(ctx, Request{Prompt: "a"}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	p.busy <- struct{}{}
}

func TestBadRequestsAndBrokenPartsAreErrors(t *testing.T) {
	p := toyPipeline(t, toy(t))
	for _, steps := range []int{-1, MaxSteps + 1} {
		if _, err := p.Generate(t.Context(), Request{Steps: steps}); !errors.Is(err, ErrRequest) {
			t.Errorf("%d steps: error %v", steps, err)
		}
	}
	broken := toy(t)
	broken.models[PartDenoiser] = toyDenoiser(t, float32(math.Inf(1)))
	_, err := toyPipeline(t, broken).Generate(t.Context(), Request{Prompt: "a"})
	if !errors.Is(err, ErrNotFinite) || !strings.Contains(err.Error(), "step 1 of 4: run denoiser") {
		t.Errorf("infinite velocities: error %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if _, err := p.Generate(t.Context(), Request{Prompt: "a"}); !errors.Is(err, delegate.ErrClosed) {
		t.Errorf("after Close: error %v", err)
	}
}

func TestPartsThatDoNotFitAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, s *source)
		want   string
	}{
		"a decoder of other channels": {func(t *testing.T, s *source) { s.models[PartDecoder] = toyDecoder(t, 3) }, "cannot be unpacked"},
		"parts exchanged":             {func(t *testing.T, s *source) { s.models[PartDecoder] = s.models[PartModulation] }, `decoder has no input "latent"`},
		"other text": {func(t *testing.T, s *source) {
			b := graph.NewBuilder("text")
			x := b.Cast(b.Reshape(b.Input("tokens", graph.Int32, 1, 6), 1, 6, 1), graph.Float32)
			s.models[PartTextEncoder] = finish(t, b, x, "text")
		}, "denoiser takes or gives [1 5 3] where its neighbour has [1 6 1]"},
		"an input too many": {func(t *testing.T, s *source) {
			b := graph.NewBuilder("decoder")
			x := b.Add(b.Input("latent", graph.Float32, 1, 4, 4, 3), b.Input("mask", graph.Float32, 1, 4, 4, 3))
			s.models[PartDecoder] = finish(t, b, x, "image")
		}, `an input "mask" that the pipeline does not know`},
		"four colours": {func(t *testing.T, s *source) {
			b := graph.NewBuilder("decoder")
			x := b.Input("latent", graph.Float32, 1, 4, 4, 2)
			s.models[PartDecoder] = finish(t, b, b.Concat(3, x, x), "image")
		}, "4 colour channels"},
		"a batch of two": {func(t *testing.T, s *source) {
			b := graph.NewBuilder("modulation")
			x := b.Input("time_projection", graph.Float32, 2, 256)
			s.models[PartModulation] = finish(t, b, b.Slice(b.Reshape(x, 2, 2, 128), []int{0, 0, 0}, []int{1, 2, 3}), "modulation")
		}, "batch size 2"},
		"tokens of another type": {func(t *testing.T, s *source) {
			b := graph.NewBuilder("text")
			x := b.Reshape(b.Input("tokens", graph.Float32, 1, 15), 1, 5, 3)
			s.models[PartTextEncoder] = finish(t, b, x, "text")
		}, "input tokens is FLOAT32"},
		"statistics of another model": {func(_ *testing.T, s *source) { s.settings.std = make([]float32, 16) }, "16 values for 2 channels"},
		"no steps":                    {func(_ *testing.T, s *source) { s.settings.steps = 0 }, "takes 1 to 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			s := toy(t)
			c.change(t, &s)
			_, err := newPipeline(t.Context(), s, Options{})
			if !errors.Is(err, ErrParts) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestPromptsAreCutAndPadded(t *testing.T) {
	s := toy(t).settings
	s.recognise = func(prompt string) []string { return []string{"saw " + prompt} }
	for prompt, c := range map[string]struct {
		ids     []int32
		warning string
	}{
		"":                       {[]int32{1, 0, 0, 0, 0}, ""},
		"AB":                     {[]int32{2, 3, 1, 0, 0}, ""},
		"a b c d":                {[]int32{2, 3, 4, 5, 1}, ""},
		"ab cd ef":               {[]int32{2, 3, 4, 5, 1}, `has 6 tokens and the model reads 4; this was cut: "ef"`},
		"ab cde f":               {[]int32{2, 3, 4, 5, 1}, `this was cut: "cde f"`},
		"abcdefgh":               {[]int32{2, 3, 4, 5, 1}, `this was cut: "abcdefgh"`},
		strings.Repeat("b", 200): {[]int32{3, 3, 3, 3, 1}, strings.Repeat("b", 80) + "…"},
	} {
		got := s.tokenize(prompt, 5)
		if !slices.Equal(got.ids, c.ids) {
			t.Errorf("%.20q: ids %v, want %v", prompt, got.ids, c.ids)
		}
		if got.warnings[0] != "saw "+prompt || (len(got.warnings) == 2) != (c.warning != "") || !strings.Contains(got.warnings[len(got.warnings)-1], c.warning) {
			t.Errorf("%.20q: warnings %q, want %q", prompt, got.warnings, c.warning)
		}
	}
}

func TestTheSettingsAreInThePicture(t *testing.T) {
	s := toy(t)
	s.settings.name = `a, "b"`
	r, err := toyPipeline(t, s).Generate(t.Context(), Request{Prompt: "cat\nin a hat", Seed: math.MaxUint64})
	if err != nil {
		t.Fatal(err)
	}
	want := "cat\nin a hat\nSteps: 4, Sampler: Euler, CFG scale: 1, Seed: 18446744073709551615, Size: 4x4, " +
		`Model hash: 0123456789ab, Model: "a, \"b\"", Profile: cpu-go, Plan: ` + r.PlanHash
	if got := r.Parameters(); got != want || len(r.PlanHash) != 12 {
		t.Errorf("parameters %q, want %q", got, want)
	}
}
