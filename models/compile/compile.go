// Package compile makes the segments of a bundle ready for NPUs ahead of time, by
// vendors' compilers, on any machine that these run on. What they make becomes
// files of the bundle, and package pipeline takes them where they fit.
package compile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nanoflux/delegate"
	"nanoflux/delegate/guarded"
	"nanoflux/graph"
	"nanoflux/models/bundle"
	"nanoflux/models/pipeline"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// Options of a compilation.
type Options struct {
	// Profile is the one that the bundle will run with: its rewrites and rules
	// make the segments, and its first backend that has option soc is the NPU.
	Profile *profiles.Profile
	// SoCs are the chips, as that option names them.
	SoCs []string
	// Command starts a process that calls Serve.
	Command []string
	// Isolation is for the profile's backends while a part is planned. Without a
	// journal no compiler is asked about single operators, and what it takes of
	// them is the table's to say.
	Isolation partition.Isolation
	// Deadline is for one segment; 0 for 10 minutes.
	Deadline time.Duration
	// Progress, if set, is called before each segment.
	Progress func(soc, part string, segment, of int)
}

// Segment is what came of a segment.
type Segment struct {
	SoC  string `json:"soc"`
	Part string `json:"part"`
	// Segment counts those of the part that are for the NPU, from 0.
	Segment int `json:"segment"`
	// Operators of the segment; Ops are their indices in the part, as it is after
	// the profile's rewrites.
	Operators int           `json:"operators"`
	Ops       partition.Ops `json:"ops"`
	// Refused are operators that the compiler did not take, with its reasons.
	Refused []Refused `json:"refused,omitempty"`
	// Problem is why there is no code; empty when there is.
	Problem string `json:"problem,omitempty"`
	// Size is that of the code in bytes, File where it is in the bundle.
	Size int    `json:"size"`
	File string `json:"file,omitempty"`
	// Took is how long the compiler took, PeakMemory the most memory in bytes
	// that its process had (0 where the system does not tell).
	Took       time.Duration `json:"took_ns"`
	PeakMemory int64         `json:"peak_memory"`
	// Library is the compiler's version.
	Library string `json:"library"`
}

// Refused is an operator that a compiler did not take.
type Refused struct {
	// Op names it for people.
	Op     string `json:"op"`
	Reason string `json:"reason"`
}

// Elsewhere is an operator that the plan gave to another backend, before the
// compiler was called.
type Elsewhere struct {
	SoC     string `json:"soc"`
	Part    string `json:"part"`
	Op      string `json:"op"`
	Backend string `json:"backend"`
	Reason  string `json:"reason"`
}

// Report is what came of a bundle.
type Report struct {
	// Kind is the NPU's backend.
	Kind      string      `json:"kind"`
	Segments  []Segment   `json:"segments"`
	Elsewhere []Elsewhere `json:"elsewhere,omitempty"`
}

// Compiled counts the segments that have code.
func (r *Report) Compiled() (n int) {
	for _, s := range r.Segments {
		if s.Problem == "" {
			n++
		}
	}
	return n
}

// Bundle compiles every part of a bundle for every chip. It gives the manifest
// and the files of a bundle with the code; code that it had for the same kind and
// chips is replaced. A segment that cannot be compiled is in the report, and is no
// error. Errors wrap delegate.ErrUnavailable when the compiler is not here.
func Bundle(ctx context.Context, b *bundle.Bundle, o Options) (*bundle.Manifest, map[string][]byte, *Report, error) {
	files, err := b.Contents(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	m := *b.Manifest()
	npu, err := o.npu()
	if err != nil {
		return nil, nil, nil, err
	}
	report := &Report{Kind: npu.Kind}
	for _, c := range m.Compiled {
		if c.Kind == npu.Kind && slices.ContainsFunc(o.SoCs, func(soc string) bool { return strings.EqualFold(soc, c.SoC) }) {
			delete(files, c.File)
		}
	}
	m.Compiled = slices.DeleteFunc(slices.Clone(m.Compiled), func(c bundle.Compiled) bool { _, kept := files[c.File]; return !kept })
	for _, soc := range o.SoCs {
		for _, name := range pipeline.PartNames() {
			model, err := b.Model(name)
			if err != nil {
				return nil, nil, nil, err
			}
			p := part{options: o, npu: npu, soc: soc, name: name, report: report}
			p.file = func(n int) string {
				return fmt.Sprintf("compiled/%s/%s-%d.%s", strings.ToLower(soc), name, n, npu.Kind)
			}
			codes, err := p.compile(ctx, model)
			if err != nil {
				return nil, nil, nil, fmt.Errorf("%s for %s: %w", name, soc, err)
			}
			for _, c := range codes {
				files[c.File] = c.code
				m.Compiled = append(m.Compiled, c.Compiled)
			}
		}
	}
	return &m, files, report, nil
}

// Model compiles a model that is in no bundle: the code by file name, "sm8750-0.qnn".
func Model(ctx context.Context, m *graph.Model, o Options) (map[string][]byte, *Report, error) {
	npu, err := o.npu()
	if err != nil {
		return nil, nil, err
	}
	files, report := map[string][]byte{}, &Report{Kind: npu.Kind}
	for _, soc := range o.SoCs {
		p := part{options: o, npu: npu, soc: soc, name: strings.TrimSuffix(filepath.Base(m.Name), ".tflite"), report: report}
		p.file = func(n int) string { return fmt.Sprintf("%s-%d.%s", strings.ToLower(soc), n, npu.Kind) }
		codes, err := p.compile(ctx, m)
		if err != nil {
			return nil, nil, fmt.Errorf("%s for %s: %w", m.Name, soc, err)
		}
		for _, c := range codes {
			files[c.File] = c.code
		}
	}
	return files, report, nil
}

// npu is the profile's backend that compiles.
func (o Options) npu() (profiles.Backend, error) {
	for _, b := range o.Profile.Backends {
		settings, err := delegate.Settings(b.Kind, b.Options)
		if err != nil {
			return b, err
		}
		if _, ok := settings["soc"]; ok && delegate.IsVendor(b.Kind) {
			return b, nil
		}
	}
	return profiles.Backend{}, fmt.Errorf("profile %s has no backend with option soc, which says for what to compile; choose qnn, or one that has", o.Profile.Name)
}

// part is a part of the bundle on its way.
type part struct {
	options Options
	npu     profiles.Backend
	soc     string
	name    string
	report  *Report
	// file names the code of segment n.
	file func(n int) string
}

// made is code and what the manifest says of it.
type made struct {
	bundle.Compiled
	code []byte
}

// maxRounds bounds how often a part is planned again without what the compiler
// refused.
const maxRounds = 8

func (p part) compile(ctx context.Context, source *graph.Model) ([]made, error) {
	profile := p.profile()
	model, _, err := partition.Rewritten(source, profile)
	if err != nil {
		return nil, err
	}
	isolation := p.options.Isolation
	isolation.None = isolation.Journal == nil // then no vendor's code is called
	backends, err := partition.OpenBackends(profile, isolation)
	if err != nil {
		return nil, err
	}
	defer func(opened map[string]delegate.Backend) { _ = partition.CloseBackends(opened) }(maps.Clone(backends)) // nothing runs there
	npu := &planning{Backend: backends[p.npu.Name], refused: map[int]string{}, model: model}
	backends[p.npu.Name] = npu
	known := map[string]outcome{}
	for round := 1; ; round++ {
		plan, err := partition.New(ctx, model, 0, profile, backends)
		if err != nil {
			return nil, err
		}
		codes, segments, again, err := p.segments(ctx, model, plan, npu, known, round < maxRounds)
		if err != nil {
			return nil, err
		}
		if again {
			continue
		}
		p.report.Segments = append(p.report.Segments, segments...)
		for _, miss := range plan.Misses {
			if miss.Backend == p.npu.Name {
				p.report.Elsewhere = append(p.report.Elsewhere, Elsewhere{SoC: p.soc, Part: p.name, Op: model.OpLabel(0, miss.Op), Backend: backendOf(plan, miss.Op), Reason: miss.Refusal.Error()})
			}
		}
		return codes, nil
	}
}

// segments compiles a plan's segments for the NPU. again says that the compiler
// refused operators, which npu refuses from now on.
func (p part) segments(ctx context.Context, model *graph.Model, plan *partition.Plan, npu *planning, known map[string]outcome, more bool) (codes []made, list []Segment, again bool, err error) {
	of := 0
	for _, s := range plan.Segments {
		if s.Backend == p.npu.Name {
			of++
		}
	}
	for _, s := range plan.Segments {
		if s.Backend != p.npu.Name {
			continue
		}
		segment, err := plan.Extract(model, s.ID)
		if err != nil {
			return nil, nil, false, err
		}
		fingerprint := segment.Fingerprint()
		n := len(list)
		o, done := known[fingerprint]
		if !done {
			if p.options.Progress != nil {
				p.options.Progress(p.soc, p.name, n, of)
			}
			o, err = compile(ctx, p.options.Command, p.deadline(), p.npu.Kind, p.settings(), segment)
		}
		result := Segment{SoC: p.soc, Part: p.name, Segment: n, Operators: len(s.Ops), Ops: s.Ops, Took: o.took, PeakMemory: o.memory, Library: o.Library}
		switch {
		case errors.Is(err, ErrCompiler):
			result.Problem = err.Error()
		case err != nil:
			return nil, nil, false, err
		default:
			known[fingerprint] = o
		}
		for _, left := range o.Left {
			if left.Op < 0 || left.Op >= len(s.Ops) {
				continue
			}
			result.Refused = append(result.Refused, Refused{Op: segment.OpLabel(0, left.Op), Reason: left.Reason})
			if len(o.code) == 0 {
				npu.refused[s.Ops[left.Op]] = left.Reason
				again = true
			}
		}
		if len(o.code) == 0 && result.Problem == "" {
			result.Problem = "the compiler takes nothing of it"
		}
		if result.Problem == "" {
			result.Size, result.File = len(o.code), p.file(n)
			codes = append(codes, made{bundle.Compiled{Part: p.name, Segment: fingerprint, Kind: p.npu.Kind, SoC: p.soc, Library: o.Library, File: result.File}, o.code})
		}
		list = append(list, result)
	}
	return codes, list, again && more, nil
}

func (p part) deadline() time.Duration {
	if p.options.Deadline > 0 {
		return p.options.Deadline
	}
	return 10 * time.Minute
}

// settings are the NPU's options with this chip.
func (p part) settings() map[string]any {
	settings := maps.Clone(p.npu.Options)
	if settings == nil {
		settings = map[string]any{}
	}
	settings["soc"] = p.soc
	return settings
}

// profile is the user's with this chip. What the NPU does not take goes on, by
// whatever policy: it is in the report.
func (p part) profile() *profiles.Profile {
	profile := *p.options.Profile
	profile.Policy = profiles.Fallback
	profile.Backends = slices.Clone(profile.Backends)
	for i := range profile.Backends {
		if profile.Backends[i].Name == p.npu.Name {
			profile.Backends[i].Options = p.settings()
		}
	}
	return &profile
}

func backendOf(plan *partition.Plan, op int) string {
	for _, s := range plan.Segments {
		if slices.Contains(s.Ops, op) {
			return s.Backend
		}
	}
	return ""
}

// planning stands for the NPU in a plan, also where there is none.
type planning struct {
	delegate.Backend
	model *graph.Model
	// refused are operators of the model that the compiler did not take.
	refused map[int]string
}

// Probe implements delegate.Backend: a device is not needed to compile for it. Where
// the compiler answers for one, it is looked for.
func (p *planning) Probe(ctx context.Context) (delegate.Device, error) {
	if g := guarded.Of(p.Backend); g != nil && g.First() {
		if d, err := p.Backend.Probe(ctx); err == nil || ctx.Err() != nil {
			return d, ctx.Err()
		}
	}
	return delegate.Device{Description: "to be compiled for"}, nil
}

// Unwrap is the backend below.
func (p *planning) Unwrap() delegate.Backend { return p.Backend }

// Supports implements delegate.Backend.
func (p *planning) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	if why, refused := p.refused[op]; refused && m == p.model {
		return delegate.Refuse(delegate.ReasonDevice, "%s", why)
	}
	return p.Backend.Supports(m, sub, op)
}

// CheckSoC opens the profile's NPU for a chip: the error says what is wrong with
// the chip's name, or that this build has no such backend.
func CheckSoC(p *profiles.Profile, soc string) error {
	npu, err := Options{Profile: p}.npu()
	if err != nil {
		return err
	}
	b, err := delegate.Open(npu.Kind, part{npu: npu, soc: soc}.settings())
	if err != nil {
		return err
	}
	if _, ok := b.(delegate.Precompiler); !ok {
		return fmt.Errorf("backend %s of profile %s compiles nothing ahead of time; choose qnn, or one with such a backend", npu.Name, p.Name)
	}
	return nil
}
