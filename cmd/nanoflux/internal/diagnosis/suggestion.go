package diagnosis

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"

	"nanoflux/delegate"
	"nanoflux/profiles"
)

// Suggestion is a profile, as YAML, of the backends that work, with the options
// that they were tested with: those of a profile in its order, plugins before
// them; without a profile NPUs first, then what is fast on the CPU. What does not
// work stands in it as a comment, with the reason. A profile without a backend of
// the CPU gets the Go kernels at the end, for what the others leave.
func (d Diagnosis) Suggestion() []byte {
	var b bytes.Buffer
	name, policy := "suggested", profiles.Warn
	if p := d.profile; p != nil {
		name, policy = p.Name, p.Policy
		if len(p.Rules) > 0 || len(p.Rewrites) > 0 {
			fmt.Fprintf(&b, "# rules and rewrites of %s: to be copied, without what names a backend that is left out\n", comment(p.File))
		}
	}
	fmt.Fprintf(&b, "version: %d\nname: %s\nbackends:\n", profiles.FormatVersion, name)
	onCPU := false
	for _, found := range d.ordered() {
		onCPU = onCPU || !delegate.IsVendor(found.Kind)
		b.Write(found.lines())
	}
	if !onCPU {
		b.WriteString("  # for what the others leave or lose; not tested here, it works everywhere\n  - kind: fallback\n")
	}
	for _, found := range d.Backends {
		// What nobody asked for and is not here is no news.
		if why := cmp.Or(found.Why(), d.aside(found)); why != "" && (d.profile != nil || found.Device != nil || len(found.entry.Options) > 0) {
			fmt.Fprintf(&b, "  # left out: %s: %s\n", comment(found.Name), comment(why))
		}
	}
	if policy != profiles.Warn {
		fmt.Fprintf(&b, "policy: %s\n", policy)
	}
	return b.Bytes()
}

// ordered are the backends that work and belong into a profile, best first.
func (d Diagnosis) ordered() (list []Backend) {
	var cpu []Backend
	for _, found := range d.Backends {
		switch {
		case !found.Works(), d.aside(found) != "":
		case d.profile != nil || delegate.IsVendor(found.Kind):
			list = append(list, found)
		default:
			cpu = append(cpu, found)
		}
	}
	for _, kind := range []string{"xnnpack", "fallback"} {
		if i := slices.IndexFunc(cpu, func(b Backend) bool { return b.Kind == kind }); i >= 0 {
			list = append(list, cpu[i])
		}
	}
	return list
}

// aside says why a backend that works is not suggested; empty when it is. What a
// profile names is its author's choice.
func (d Diagnosis) aside(b Backend) string {
	switch {
	case d.profile != nil || b.Device == nil || len(b.entry.Options) > 0:
	case slices.Contains(b.Device.Features, delegate.FeatureSimulated):
		return "it works, and is a simulation, which is slow"
	case slices.Contains(b.Device.Features, delegate.FeatureCPU):
		return "it works, on the CPU only"
	}
	return ""
}

// Why says why a backend does not work, in one clause; empty when it does.
func (b Backend) Why() string {
	switch {
	case b.Works():
		return ""
	case b.Problem != "":
		return b.Problem
	case b.Test != nil && len(b.Test.Wrong) > 0:
		return "self-test: " + b.Test.Wrong[0].Model + ": " + b.Test.Wrong[0].Text
	case b.Test != nil && len(b.Test.Refused) > 0:
		return "self-test: it took none of the models; " + b.Test.Refused[0].Model + ": " + b.Test.Refused[0].Text
	}
	return "the self-test ran nothing"
}

// lines are the backend's entry in a profile.
func (b Backend) lines() []byte {
	entry := struct {
		Name     string         `yaml:"name,omitempty"`
		Kind     string         `yaml:"kind"`
		Options  map[string]any `yaml:"options,omitempty"`
		Trusted  bool           `yaml:"trusted,omitempty"`
		Deadline float64        `yaml:"deadline,omitempty"`
	}{b.entry.Name, b.entry.Kind, b.entry.Options, b.entry.Trusted, b.entry.Deadline}
	if entry.Name == entry.Kind {
		entry.Name = ""
	}
	var text bytes.Buffer
	e := yaml.NewEncoder(&text)
	e.SetIndent(2)
	if err := e.Encode([]any{entry}); err != nil { // what a profile holds can be written
		return []byte("  # " + comment(err.Error()) + "\n")
	}
	var out bytes.Buffer
	for line := range strings.Lines(text.String()) {
		out.WriteString("  " + line)
	}
	return out.Bytes()
}

// comment is text that cannot end a comment.
func comment(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
