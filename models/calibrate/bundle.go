package calibrate

import (
	"context"
	"errors"
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/models/bundle"
	"nanoflux/models/pipeline"
	"nanoflux/profiles"
)

// Progress is called before each picture: its number from 0, and how many there
// are.
type Progress func(done, of int)

// Bundle is a bundle whose parts carry the ranges that their tensors had while
// these prompts were drawn, each with its own seed: the manifest and the files to
// write. Code that was compiled for the parts before does not fit them any more
// and is left out. progress may be nil.
func Bundle(ctx context.Context, b *bundle.Bundle, prompts []string, progress Progress) (*bundle.Manifest, map[string][]byte, error) {
	if len(prompts) == 0 {
		return nil, nil, errors.New("calibration needs prompts to draw")
	}
	p, err := profiles.Load("cpu-go")
	if err != nil {
		return nil, nil, err
	}
	observer := NewObserver()
	backends := map[string]delegate.Backend{p.Backends[0].Name: observer}
	line, err := pipeline.New(ctx, b, pipeline.Options{Profile: p, Backends: backends})
	if err != nil {
		return nil, nil, err
	}
	defer line.Close()
	for i, prompt := range prompts {
		if progress != nil {
			progress(i, len(prompts))
		}
		if _, err := line.Generate(ctx, pipeline.Request{Prompt: prompt, Seed: uint64(i)}); err != nil {
			return nil, nil, fmt.Errorf("drawing %q: %w", prompt, err)
		}
	}

	files, err := b.Contents(ctx)
	if err != nil {
		return nil, nil, err
	}
	m := *b.Manifest()
	for _, c := range m.Compiled {
		delete(files, c.File)
	}
	m.Compiled = nil
	// One backend takes everything: a part is a segment, and they are compiled in
	// the parts' order.
	ranges := observer.Ranges()
	for i, part := range pipeline.PartNames() {
		model, err := b.Model(part)
		if err != nil {
			return nil, nil, err
		}
		file, err := graph.Marshal(Annotated(model, ranges[i]))
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", part, err)
		}
		files[m.Parts[part].File] = file
	}
	return &m, files, nil
}
