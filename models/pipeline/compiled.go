package pipeline

import (
	"context"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/models/bundle"
	"nanoflux/profiles"
)

// compiled finds the code that a bundle holds for segments of a part, for
// exec.Options; nil when the bundle holds none.
func compiled(b *bundle.Bundle, part string, p *profiles.Profile, backends map[string]delegate.Backend) func(context.Context, string, *graph.Model) ([]byte, string, error) {
	m := b.Manifest()
	if !slices.ContainsFunc(m.Compiled, func(c bundle.Compiled) bool { return c.Part == part }) {
		return nil
	}
	return func(ctx context.Context, name string, segment *graph.Model) ([]byte, string, error) {
		at := slices.IndexFunc(p.Backends, func(x profiles.Backend) bool { return x.Name == name })
		if at < 0 || !slices.ContainsFunc(m.Compiled, func(c bundle.Compiled) bool { return c.Part == part && c.Kind == p.Backends[at].Kind }) {
			return nil, "", nil
		}
		settings, err := delegate.Settings(p.Backends[at].Kind, p.Backends[at].Options)
		if err != nil {
			return nil, "", err
		}
		soc, _ := settings["soc"].(string)
		device, err := backends[name].Probe(ctx)
		if err != nil {
			return nil, "", err
		}
		file, warning := m.Choose(part, segment.Fingerprint(), p.Backends[at].Kind, soc, device.Version)
		if file == "" {
			return nil, warning, nil
		}
		code, err := b.File(file)
		return code, "", err
	}
}
