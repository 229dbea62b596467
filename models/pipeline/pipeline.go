// Package pipeline turns a prompt into a picture: tokens, text encoder, Euler
// sampler over the denoiser, decoder. The parts come from a bundle and run where
// a profile's plan says.
//
// It knows bundles, plans and how to run them, and nothing of command lines or
// of what a backend does inside.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"time"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/models/bundle"
	"nanoflux/models/flux"
	"nanoflux/partition"
	"nanoflux/partition/exec"
	"nanoflux/profiles"
)

// Errors that callers test for with errors.Is.
var (
	// ErrRequest: a request asks for what cannot be, such as 0 steps.
	ErrRequest = errors.New("request")
	// ErrNotFinite: a part computed a value that is not a number; the weights
	// or the backend are broken.
	ErrNotFinite = errors.New("not a finite number")
	// ErrParts: the parts of a bundle do not fit together.
	ErrParts = errors.New("the bundle's parts do not fit together")
)

// timeChannels is how many sinusoids stand for a timestep.
const timeChannels = flux.TimeChannels

// Options say where the parts run.
type Options struct {
	// Profile decides; nil means the built-in profile cpu-go.
	Profile *profiles.Profile
	// Backends are the profile's, by its names; nil opens them.
	Backends map[string]delegate.Backend
	// Isolation is for backends that are opened here.
	Isolation partition.Isolation
	// Verify compares every segment's results with the Go kernels'; nil does
	// not.
	Verify *exec.Verify
}

// Pipeline makes pictures. It may be used from many goroutines; pictures are
// made one after another.
type Pipeline struct {
	settings settings
	geometry geometry
	stats    statistics
	parts    []*part // text encoder, modulation, denoiser, decoder
	profile  string
	verify   *exec.Verify
	// backends are those that were opened for this pipeline alone.
	backends map[string]delegate.Backend
	// busy holds one token, which the caller at work takes out.
	busy chan struct{}
	// room holds the parts' inputs and outputs.
	room *exec.Room
	// modulations of the last schedule, by timestep. They lie in a room of their
	// own.
	modulations     map[float32][]float32
	modulationsRoom *exec.Room
}

var partNames = []string{PartTextEncoder, PartModulation, PartDenoiser, PartDecoder}

// PartNames are the parts that a bundle must have, in the order in which they
// run.
func PartNames() []string { return slices.Clone(partNames) }

// source is what a pipeline is made of.
type source struct {
	settings settings
	models   map[string]*graph.Model
	// bundle may hold code that was compiled ahead of time; nil for models that
	// come from no bundle.
	bundle *bundle.Bundle
}

func newPipeline(ctx context.Context, s source, o Options) (*Pipeline, error) {
	var err error
	var own map[string]delegate.Backend
	if o.Profile == nil {
		if o.Profile, err = profiles.Load("cpu-go"); err != nil {
			return nil, err
		}
	}
	if o.Backends == nil {
		if o.Backends, err = partition.OpenBackends(o.Profile, o.Isolation); err != nil {
			return nil, err
		}
		own = o.Backends
	}
	p := &Pipeline{settings: s.settings, profile: o.Profile.Name, verify: o.Verify, busy: make(chan struct{}, 1), backends: own}
	p.busy <- struct{}{}
	made := false
	defer func() {
		if !made {
			_ = p.Close() // the first error is the one to report
		}
	}()
	if p.geometry, err = newGeometry(s.models); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", s.settings.name, ErrParts, err)
	}
	if p.stats, err = newStatistics(s.settings.mean, s.settings.std, p.geometry.grid.Channels); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", s.settings.name, ErrParts, err)
	}
	if _, err = s.settings.schedule.Sigmas(s.settings.steps, p.geometry.grid.tokens()); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", s.settings.name, ErrParts, err)
	}
	// What one part learns of a backend holds for all.
	options := exec.Options{Health: exec.NewHealth(), Verify: o.Verify}
	for _, name := range partNames {
		if s.bundle != nil {
			options.Compiled = compiled(s.bundle, name, o.Profile, o.Backends)
		}
		part, err := newPart(ctx, name, s.models[name], o.Profile, o.Backends, options)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.settings.name, err)
		}
		p.parts = append(p.parts, part)
	}
	p.room = exec.NewRoom(p.remote())
	for _, part := range p.parts {
		if part.inputs, part.output, err = part.runner.Arguments(p.room); err != nil {
			return nil, fmt.Errorf("%s: %w: %s: %w", s.settings.name, ErrParts, part.name, err)
		}
	}
	made = true
	return p, nil
}

// remote says whether a part may run in another process.
func (p *Pipeline) remote() bool {
	return slices.ContainsFunc(p.parts, func(part *part) bool { return part.runner.Remote() })
}

// Close frees the parts, after a picture being made is done; so it must not be
// called by Progress or Preview. The bundle stays open. Closing twice does
// nothing. Generate then gives delegate.ErrClosed.
func (p *Pipeline) Close() error {
	<-p.busy
	defer func() { p.busy <- struct{}{} }()
	var all []error
	for _, part := range p.parts {
		all = append(all, part.runner.Close())
	}
	p.parts = nil
	for _, room := range []*exec.Room{p.room, p.modulationsRoom} {
		if room != nil {
			room.Close()
		}
	}
	p.modulations = nil
	all = append(all, partition.CloseBackends(p.backends))
	p.backends = nil
	return errors.Join(all...)
}

// Request is one picture to make.
type Request struct {
	Prompt string
	// Seed chooses the noise, see docs/noise.md.
	Seed uint64
	// Steps is the number of denoiser runs, 1 to MaxSteps; 0 means what the
	// bundle recommends.
	Steps int
	// Progress, if set, is called at the start of each stage and after each
	// step, by the goroutine that called Generate.
	Progress func(Event)
	// Preview, if set, is called after each step but the last with the picture
	// that the model expects at that point. It costs a decoder run each.
	Preview func(step int, picture *image.NRGBA)
}

// Event says how far a picture is.
type Event struct {
	// Stage is the part at work: "denoiser".
	Stage string
	// Step of Of are done in this stage; Of is 0 where there are no steps.
	Step, Of int
	// Elapsed since Generate was called.
	Elapsed time.Duration
}

// Generate makes one picture. The same prompt, seed, steps, bundle and plan give
// the same bytes. It returns ctx.Err() soon after ctx ends.
func (p *Pipeline) Generate(ctx context.Context, r Request) (*Result, error) {
	if r.Steps == 0 {
		r.Steps = p.settings.steps
	}
	sigmas, err := p.settings.schedule.Sigmas(r.Steps, p.geometry.grid.tokens())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRequest, err)
	}
	select {
	case <-p.busy:
		defer func() { p.busy <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(p.parts) == 0 {
		return nil, fmt.Errorf("%s: %w", p.settings.name, delegate.ErrClosed)
	}
	w := &work{Pipeline: p, Request: r, sigmas: sigmas, start: time.Now()}
	for _, part := range p.parts {
		part.calls, part.spent = 0, 0
	}
	return w.run(ctx)
}

// work is one picture on its way.
type work struct {
	*Pipeline
	Request
	sigmas []float32
	start  time.Time
}

func (w *work) run(ctx context.Context) (*Result, error) {
	tokens := w.settings.tokenize(w.Prompt, w.geometry.textTokens)

	w.report(PartTextEncoder, 0, 0)
	text, err := w.parts[0].runArrays(ctx, map[string]graph.Array{
		"tokens": {Type: graph.Int32, Shape: []int{1, len(tokens.ids)}, Data: graph.Bytes(tokens.ids)},
	})
	if err != nil {
		return nil, err
	}
	if err := w.modulate(ctx); err != nil {
		return nil, err
	}
	x := w.parts[2].input("latent") // every step reads it there
	Noise(x, w.Seed)
	if err := w.sample(ctx, x, text); err != nil {
		return nil, err
	}
	w.report(PartDecoder, 0, 0)
	picture, err := w.decode(ctx, x)
	if err != nil {
		return nil, err
	}
	return w.result(picture, tokens), nil
}

// modulate computes the modulation of every timestep of the schedule before the
// loop. They depend on nothing else, so the next picture of the same schedule
// finds them here.
func (w *work) modulate(ctx context.Context) error {
	times := w.sigmas[:len(w.sigmas)-1]
	if len(w.modulations) == len(times) && !slices.ContainsFunc(times, func(t float32) bool { return w.modulations[t] == nil }) {
		return nil
	}
	known, before := w.modulations, w.modulationsRoom
	w.modulations, w.modulationsRoom = make(map[float32][]float32, len(times)), exec.NewRoom(w.remote())
	if before != nil {
		defer before.Close()
	}
	part := w.parts[1]
	own := part.output[0].Data
	defer func() { part.output[0].Data = own }()
	sizes := slices.Repeat([]int{len(own)}, len(times))
	pooled := make([]float32, w.geometry.pooled) // FLUX without a pooled text encoder: zeros
	for i, row := range w.modulationsRoom.Split(sizes...) {
		t := times[i]
		switch {
		case w.modulations[t] != nil:
			continue
		case known[t] != nil:
			copy(graph.View[float32](row), known[t])
			w.modulations[t] = graph.View[float32](row)
			continue
		}
		w.report(PartModulation, i, len(times))
		inputs := map[string][]float32{"time_projection": flux.TimeProjection(t), "pooled": pooled}
		if w.geometry.guidance > 0 {
			inputs["guidance_projection"] = flux.TimeProjection(w.settings.guidance)
		}
		part.output[0].Data = row // the denoiser reads it there
		values, err := part.run(ctx, inputs)
		if err != nil {
			return err
		}
		memory := graph.View[float32](row)
		if &memory[0] != &values[0] { // a backend made memory of its own
			copy(memory, values)
		}
		w.modulations[t] = memory
	}
	return nil
}

// sample moves the noise x to a latent, in place: flow matching, one Euler step
// a sigma. x is [tokens, channels], text [textTokens, textWidth].
func (w *work) sample(ctx context.Context, x, text []float32) error {
	steps := len(w.sigmas) - 1
	w.report(PartDenoiser, 0, steps)
	for i := range steps {
		t := w.sigmas[i]
		v, err := w.parts[2].run(ctx, map[string][]float32{"latent": x, "text": text, "modulation": w.modulations[t]})
		if err != nil {
			return fmt.Errorf("step %d of %d: %w", i+1, steps, err)
		}
		if w.Preview != nil && i+1 < steps {
			// The velocity is noise − picture, so x − t·v is the picture.
			guess := slices.Clone(x)
			eulerStep(guess, v, t, 0)
			picture, err := w.decode(ctx, guess)
			if err != nil {
				return fmt.Errorf("preview of step %d: %w", i+1, err)
			}
			w.Preview(i+1, picture)
		}
		eulerStep(x, v, t, w.sigmas[i+1])
		w.report(PartDenoiser, i+1, steps)
	}
	return nil
}

// decode turns a latent [tokens, channels] into a picture.
func (w *work) decode(ctx context.Context, x []float32) (*image.NRGBA, error) {
	latent := w.parts[3].input("latent")
	w.geometry.grid.unpack(latent, x)
	w.stats.apply(latent)
	values, err := w.parts[3].run(ctx, map[string][]float32{"latent": latent})
	if err != nil {
		return nil, err
	}
	return newImage(values, w.geometry.height, w.geometry.imageWidth), nil
}

func (w *work) report(stage string, step, of int) {
	if w.Progress != nil {
		w.Progress(Event{Stage: stage, Step: step, Of: of, Elapsed: time.Since(w.start)})
	}
}
