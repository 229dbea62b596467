// Package partition turns a model and a profile into a plan: which operator
// runs on which backend, and how the operators form segments that run one
// after another. Package exec runs plans.
//
// It knows models, profiles and the backend interface, and nothing of what a
// backend does inside.
package partition

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/profiles"
)

// Errors that callers test for with errors.Is.
var (
	// ErrUnplaced: no backend of the profile takes an operator.
	ErrUnplaced = errors.New("no backend takes an operator")
	// ErrPolicy: an operator missed its first choice and the policy is fail.
	ErrPolicy = errors.New("an operator missed its first choice")
	// ErrPlan: a plan is not valid, or not for this model.
	ErrPlan = errors.New("plan does not fit")
	// ErrState: operators that share state would be cut apart.
	ErrState = errors.New("operators that share state cannot be cut apart")
)

// New plans subgraph sub of m by the profile. backends holds one backend for
// each name of the profile (OpenBackends makes them); each is probed once.
//
// An operator runs on the first backend of its list (profiles.Rule) that takes
// it. Operators whose inputs are all constant follow their consumers. Segments
// are as few as that allows, see cut; operators that no output depends on are
// left out.
//
// Backends that plans ask first (guarded.Options.First) are asked about the
// operators that would go there and of which nothing is known; that may take a
// minute the first time, and nothing after that.
//
// A rule's part is compared with the last element of m.Name without ".tflite":
// "pocket.zip/denoiser.tflite" is "denoiser".
func New(ctx context.Context, m *graph.Model, sub int, p *profiles.Profile, backends map[string]delegate.Backend) (*Plan, error) {
	if sub < 0 || sub >= len(m.Subgraphs) {
		return nil, fmt.Errorf("%s: no subgraph %d; the model has %d", m.Name, sub, len(m.Subgraphs))
	}
	candidates, err := probe(ctx, p, backends)
	if err != nil {
		return nil, err
	}
	f := newFlow(m, sub)
	pl := &placer{flow: f, profile: p, part: partOf(m.Name), candidates: candidates}
	if err := pl.askFirst(ctx); err != nil {
		return nil, fmt.Errorf("%s: asking devices: %w", m.Name, err)
	}
	if err := pl.placeAll(ctx); err != nil {
		return nil, fmt.Errorf("%s: profile %s: %w", m.Name, p.Name, err)
	}
	sets, err := cut(ctx, f, pl.chosen, len(candidates))
	if err != nil {
		return nil, err
	}
	plan := pl.plan(sets)
	if err := f.checkState(plan.Segments); err != nil {
		return nil, fmt.Errorf("%s: %w", m.Name, err)
	}
	return plan, nil
}

// partOf is the part of a bundle that a model is, from its name.
func partOf(name string) string {
	return strings.TrimSuffix(path.Base(strings.ReplaceAll(name, `\`, "/")), ".tflite")
}

// candidate is a backend of the profile on this device.
type candidate struct {
	profiles.Backend
	backend delegate.Backend
	device  delegate.Device
	// missing says why the backend cannot be used here; nil if it can.
	missing *delegate.Refusal
}

// probe asks each backend of the profile what is there.
func probe(ctx context.Context, p *profiles.Profile, backends map[string]delegate.Backend) ([]candidate, error) {
	list := make([]candidate, len(p.Backends))
	for i, b := range p.Backends {
		backend := backends[b.Name]
		if backend == nil {
			return nil, fmt.Errorf("profile %s: backend %q was not opened", p.Name, b.Name)
		}
		list[i] = candidate{Backend: b, backend: backend}
		device, err := backend.Probe(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			list[i].missing = delegate.Refuse(delegate.ReasonUnavailable, "%s", delegate.WhyUnavailable(err))
			continue
		}
		list[i].device = device
	}
	return list, nil
}
