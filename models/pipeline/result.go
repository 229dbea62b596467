package pipeline

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"image"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"nanoflux/partition"
	"nanoflux/partition/exec"
)

// Result is a picture and how it came to be.
type Result struct {
	Image *image.NRGBA `json:"-"`

	Prompt string `json:"prompt"`
	Seed   uint64 `json:"seed"`
	Steps  int    `json:"steps"`
	// Bundle is the model's name, BundleHash the start of the SHA-256 of its
	// manifest, which holds the hashes of all its files.
	Bundle     string `json:"bundle"`
	BundleHash string `json:"bundle_hash"`
	// Profile is the name of the profile that the plans came from, PlanHash
	// the start of a SHA-256 over which operator runs where.
	Profile  string `json:"profile"`
	PlanHash string `json:"plan_hash"`

	// Total is the time that Generate took.
	Total time.Duration `json:"total_ns"`
	// Parts are in the order in which they ran.
	Parts []PartReport `json:"parts"`
	// Verified is there when segments were to be verified; it counts those of all
	// parts.
	Verified *exec.Verification `json:"verified,omitempty"`
	// Warnings are for people, one line each: about the prompt first, then
	// those of the plans.
	Warnings []string `json:"warnings,omitempty"`
}

// PartReport says where one part of the bundle ran, and for how long.
type PartReport struct {
	Part string `json:"part"`
	// Calls is how often it ran for this picture, Time how long altogether.
	// Zero calls: everything it computes was known from the picture before.
	Calls int           `json:"calls"`
	Time  time.Duration `json:"time_ns"`
	// Plan says which operator ran where, and why.
	Plan *partition.Plan `json:"plan"`
	// Segments are the runner's own measurements, over all its runs.
	Segments []exec.SegmentReport `json:"segments"`
	// Backends sum up the segments: what really ran where.
	Backends []exec.Share `json:"backends"`
}

func (w *work) result(picture *image.NRGBA, t tokens) *Result {
	r := &Result{
		Image: picture, Prompt: w.Prompt, Seed: w.Seed, Steps: w.Steps,
		Bundle: w.settings.name, BundleHash: w.settings.hash,
		Profile: w.profile, PlanHash: w.planHash(), Total: time.Since(w.start),
		Warnings: t.warnings,
	}
	var all []exec.SegmentReport
	missing := map[string]bool{}
	for _, part := range w.parts {
		segments := part.runner.Report()
		all = append(all, segments...)
		r.Parts = append(r.Parts, PartReport{Part: part.name, Calls: part.calls, Time: part.spent, Plan: part.plan, Segments: segments, Backends: exec.Shares(segments)})
		for _, warning := range part.plan.Warnings {
			// A missing backend is missing for every part: say so once.
			i := slices.IndexFunc(part.plan.Backends, func(b partition.BackendSummary) bool {
				return b.Unavailable != "" && strings.HasPrefix(warning, "backend "+b.Name+" cannot be used here")
			})
			if i < 0 {
				r.Warnings = append(r.Warnings, part.name+": "+warning)
			} else if b := part.plan.Backends[i]; !missing[b.Name] {
				missing[b.Name] = true
				r.Warnings = append(r.Warnings, fmt.Sprintf("backend %s cannot be used here: %s; its operators run elsewhere", b.Name, b.Unavailable))
			}
		}
		for _, notice := range part.runner.Notices() {
			r.Warnings = append(r.Warnings, part.name+": "+notice)
		}
	}
	r.Verified = w.verify.Verification(all)
	return r
}

// planHash is over what decides the numbers: the kinds of backends and which
// operators each runs, in which segments.
func (p *Pipeline) planHash() string {
	h := sha256.New()
	for _, part := range p.parts {
		for _, s := range part.runner.Report() {
			fmt.Fprintf(h, "%s %s %v\n", part.name, s.Kind, s.Ops)
		}
	}
	return short(h)
}

// short is a hash as people compare them.
func short(h hash.Hash) string { return fmt.Sprintf("%x", h.Sum(nil))[:12] }

// Parameters is the text that programs for Stable Diffusion keep in a PNG under
// the keyword "parameters": the prompt, then one line of settings.
func (r *Result) Parameters() string {
	size := r.Image.Bounds().Size()
	settings := []string{
		"Steps: " + strconv.Itoa(r.Steps),
		"Sampler: Euler",
		"CFG scale: 1",
		"Seed: " + strconv.FormatUint(r.Seed, 10),
		fmt.Sprintf("Size: %dx%d", size.X, size.Y),
		"Model hash: " + r.BundleHash,
		"Model: " + quoteSetting(r.Bundle),
		"Profile: " + quoteSetting(r.Profile),
		"Plan: " + r.PlanHash,
	}
	return r.Prompt + "\n" + strings.Join(settings, ", ")
}

// quoteSetting keeps a name from ending its setting.
func quoteSetting(s string) string {
	if strings.ContainsAny(s, ",:\"\n") {
		return strconv.Quote(s)
	}
	return s
}

// WritePNG writes the picture with the prompt and all settings in it. The same
// prompt, seed, steps, bundle and plan give the same bytes.
func (r *Result) WritePNG(w io.Writer) error {
	return EncodePNG(w, r.Image, Text{"parameters", r.Parameters()}, Text{"Software", "nanoflux"})
}
