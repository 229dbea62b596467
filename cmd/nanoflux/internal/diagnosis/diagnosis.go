// Package diagnosis finds out which backends work on this device: which are
// here, what they can do, and whether they compute right.
package diagnosis

import (
	"context"
	"slices"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/selftest"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// Diagnosis is what was found.
type Diagnosis struct {
	Device   profiles.SoC `json:"device"`
	Backends []Backend    `json:"backends"`
	// Profiles are the built-in ones, when no profile was given.
	Profiles []Profile `json:"profiles,omitempty"`

	profile *profiles.Profile // the one that was given
}

// Backend is what was found of a backend.
type Backend struct {
	// Name is the profile's, or the kind.
	Name    string           `json:"name"`
	Kind    string           `json:"kind"`
	Summary string           `json:"summary"`
	Device  *delegate.Device `json:"device,omitempty"`
	// Problem is why it cannot be used; empty when it can.
	Problem string `json:"problem,omitempty"`
	// Test is what the self-test gave; nil for a backend that is not here.
	Test *selftest.Result `json:"self_test,omitempty"`

	entry profiles.Backend
}

// Works says whether the backend is here and computes right.
func (b Backend) Works() bool { return b.Device != nil && b.Test != nil && b.Test.Usable() }

// Profile is what was found of a built-in profile.
type Profile struct {
	Name string `json:"name"`
	// Missing are the backends that it names and that do not work.
	Missing []string `json:"missing,omitempty"`
}

// Usable says whether any backend works.
func (d Diagnosis) Usable() bool { return slices.ContainsFunc(d.Backends, Backend.Works) }

// Examine looks at plugins and then at the backends of a profile, or with nil at
// one of each kind with its defaults and at all built-in profiles. The error is
// for what is wrong with the profile or a plugin's options, and for a context that
// ends.
func Examine(ctx context.Context, p *profiles.Profile, plugins []profiles.Backend, isolation partition.Isolation) (Diagnosis, error) {
	d := Diagnosis{Device: profiles.DetectSoC(ctx), profile: p}
	if len(plugins) > 0 {
		if err := d.examine(ctx, &profiles.Profile{File: "--plugin", Name: "plugins", Backends: plugins}, isolation); err != nil {
			return d, err
		}
	}
	if p != nil {
		return d, d.examine(ctx, p, isolation)
	}
	for _, kind := range delegate.Kinds() {
		if kind.Name == "external" && len(plugins) > 0 {
			continue
		}
		one := &profiles.Profile{File: "defaults", Name: "defaults", Backends: []profiles.Backend{{Name: kind.Name, Kind: kind.Name}}}
		if err := d.examine(ctx, one, isolation); err != nil {
			if ctx.Err() != nil {
				return d, err
			}
			// Without options there is nothing to open; a profile has them.
			problem := "needs options; doctor --profile FILE tests what a profile says"
			if kind.Name == "external" {
				problem = "needs a plugin; doctor --plugin FILE tests one"
			}
			d.Backends = append(d.Backends, Backend{Name: kind.Name, Kind: kind.Name, Summary: kind.Summary, Problem: problem})
		}
	}
	return d, d.examineProfiles(ctx, isolation)
}

// patience is how long one of the small models may take to be made ready; a
// vendor's compiler that needs longer for these is hung.
const patience = time.Minute

// examine tests every backend of a profile.
func (d *Diagnosis) examine(ctx context.Context, p *profiles.Profile, isolation partition.Isolation) error {
	// Also what the profile trusts: a diagnosis must survive what it finds.
	apart := *p
	apart.Backends = slices.Clone(p.Backends)
	for i := range apart.Backends {
		apart.Backends[i].Trusted = false
	}
	isolation.CompileDeadline = patience
	backends, err := partition.OpenBackends(&apart, isolation)
	if err != nil {
		return err
	}
	defer func() { _ = partition.CloseBackends(backends) }() // what they said is known
	reference, err := delegate.Open("fallback", nil)
	if err != nil {
		return err
	}
	for _, b := range p.Backends {
		found := Backend{Name: b.Name, Kind: b.Kind, Summary: summaryOf(b.Kind), entry: b}
		if device, err := backends[b.Name].Probe(ctx); err != nil {
			found.Problem = delegate.WhyUnavailable(err)
		} else {
			found.Device = &device
			result, err := selftest.Run(ctx, backends[b.Name], reference)
			if err != nil {
				return err
			}
			found.Test = &result
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.Backends = append(d.Backends, found)
	}
	return nil
}

func summaryOf(kind string) string {
	for _, k := range delegate.Kinds() {
		if k.Name == kind {
			return k.Summary
		}
	}
	return ""
}

// examineProfiles says which backends each built-in profile misses: those whose
// kind does not work, and those whose device is not here with the profile's
// options.
func (d *Diagnosis) examineProfiles(ctx context.Context, isolation partition.Isolation) error {
	for _, name := range profiles.Builtin() {
		p, err := profiles.Load(name)
		if err != nil {
			return err
		}
		f := Profile{Name: name}
		for _, b := range p.Backends {
			works := slices.ContainsFunc(d.Backends, func(found Backend) bool { return found.Kind == b.Kind && found.Works() })
			if works && len(b.Options) > 0 {
				if works, err = present(ctx, p, b, isolation); err != nil {
					return err
				}
			}
			if !works {
				f.Missing = append(f.Missing, b.Name)
			}
		}
		d.Profiles = append(d.Profiles, f)
	}
	return nil
}

// present says whether a backend of a profile is here with its options.
func present(ctx context.Context, p *profiles.Profile, b profiles.Backend, isolation partition.Isolation) (bool, error) {
	b.Trusted = false
	one := &profiles.Profile{File: p.File, Name: p.Name, Backends: []profiles.Backend{b}}
	backends, err := partition.OpenBackends(one, isolation)
	if err != nil {
		return false, err
	}
	defer func() { _ = partition.CloseBackends(backends) }() // what it said is known
	_, err = backends[b.Name].Probe(ctx)
	return err == nil, ctx.Err()
}
