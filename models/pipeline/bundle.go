package pipeline

import (
	"context"
	"fmt"
	"strings"

	"nanoflux/graph"
	"nanoflux/models/bundle"
)

// New makes a pipeline from a bundle, which must stay open until the pipeline is
// closed. Errors wrap those of bundle, partition and exec, or ErrParts.
func New(ctx context.Context, b *bundle.Bundle, o Options) (*Pipeline, error) {
	s, err := sourceOf(b)
	if err != nil {
		return nil, err
	}
	p, err := newPipeline(ctx, s, o)
	if err != nil {
		return nil, err
	}
	m := b.Manifest()
	g := p.geometry
	if m.Tokenizer.Tokens != g.textTokens || m.Image.Height != g.height || m.Image.Width != g.imageWidth {
		p.Close()
		return nil, fmt.Errorf("%s: %w: the manifest says %d tokens and %d×%d pixels, the parts have %d and %d×%d", b.Name(), ErrParts,
			m.Tokenizer.Tokens, m.Image.Width, m.Image.Height, g.textTokens, g.imageWidth, g.height)
	}
	return p, nil
}

func sourceOf(b *bundle.Bundle) (source, error) {
	m := b.Manifest()
	tokenizer, err := b.Tokenizer()
	if err != nil {
		return source{}, err
	}
	s := source{
		models: map[string]*graph.Model{}, bundle: b,
		settings: settings{
			name: m.Name, hash: b.Hash()[:12], steps: m.Schedule.Steps, guidance: m.Guidance,
			schedule: Schedule{Shift: m.Schedule.Shift, Dynamic: m.Schedule.Dynamic},
			mean:     m.Latent.Mean, std: m.Latent.Std,
			lowercase: m.Tokenizer.Lowercase, eos: m.Tokenizer.EndOfSequence, pad: m.Tokenizer.Padding,
			encode:    tokenizer.Encode,
			recognise: func(prompt string) []string { return unknown(m, prompt) },
		},
	}
	for _, part := range partNames {
		if s.models[part], err = b.Model(part); err != nil {
			return source{}, err
		}
	}
	return s, nil
}

// unknown warns of a prompt without any object that the model can draw: it would
// make a shapeless blob of it.
func unknown(m *bundle.Manifest, prompt string) []string {
	found, listed := m.Recognise(prompt)
	if !listed || len(found.Objects) > 0 {
		return nil
	}
	var objects []string
	for _, o := range m.Knows.Objects {
		objects = append(objects, o.Name)
	}
	text := fmt.Sprintf("the prompt %q names no object that %s can draw", clip(prompt), m.Name)
	if len(found.Nearest) > 0 {
		text += "; nearest: " + strings.Join(found.Nearest, ", ")
	}
	text += "; it knows: " + strings.Join(objects, ", ")
	if len(m.Knows.Styles) > 0 {
		text += "; styles: " + strings.Join(m.Knows.Styles, ", ")
	}
	if len(m.Knows.Backgrounds) > 0 {
		text += "; backgrounds: " + strings.Join(m.Knows.Backgrounds, ", ")
	}
	return []string{text}
}
