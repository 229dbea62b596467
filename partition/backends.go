package partition

import (
	"context"
	"errors"
	"fmt"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/profiles"
)

// OpenBackends opens every backend of the profile, by the profile's names. A
// kind that this build lacks becomes a backend that refuses everything as
// unavailable, so that the profile's policy decides what that means. An unknown
// kind, an unknown option or an option of the wrong type is an error with the
// place in the profile.
func OpenBackends(p *profiles.Profile) (map[string]delegate.Backend, error) {
	backends := make(map[string]delegate.Backend, len(p.Backends))
	for _, b := range p.Backends {
		backend, err := delegate.Open(b.Kind, floatOptions(b))
		if errors.Is(err, delegate.ErrUnavailable) {
			backend, err = absent{b.Kind, err}, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: backend %q: %w", p.File, b.Line, b.Name, err)
		}
		backends[b.Name] = backend
	}
	return backends, nil
}

// floatOptions is the backend's options with whole numbers made float64 where
// the kind wants that: in a profile 1 and 1.0 mean the same.
func floatOptions(b profiles.Backend) map[string]any {
	options := make(map[string]any, len(b.Options))
	for name, value := range b.Options {
		options[name] = value
	}
	for _, k := range delegate.Kinds() {
		if k.Name != b.Kind {
			continue
		}
		for _, o := range k.Options {
			if whole, ok := options[o.Name].(int); ok {
				if _, wantsFloat := o.Default.(float64); wantsFloat {
					options[o.Name] = float64(whole)
				}
			}
		}
	}
	return options
}

// absent stands for a backend that this build does not have.
type absent struct {
	kind string
	err  error
}

func (a absent) Name() string { return a.kind }

func (a absent) Probe(context.Context) (delegate.Device, error) { return delegate.Device{}, a.err }

func (a absent) Supports(*graph.Model, int, int) *delegate.Refusal {
	return delegate.Refuse(delegate.ReasonUnavailable, "%v", a.err)
}

func (a absent) Compile(context.Context, *graph.Model) (delegate.Executable, error) {
	return nil, a.err
}
