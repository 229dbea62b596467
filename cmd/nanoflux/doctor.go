package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"nanoflux/delegate"
	"nanoflux/delegate/selftest"
	"nanoflux/partition"
	"nanoflux/profiles"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "say which backends work on this device, and why the others do not",
		Description: `Every backend that is here runs a few small models, and its results are compared with the
Go kernels'. Vendors' code runs in a process of its own. Exits with 1 when no backend works.

A segment that took a backend down is not tried again at the next start; --forget has
it tried.

Examples:
  nanoflux doctor
  nanoflux doctor --forget`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "forget", Usage: "forget which segments took a backend down"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			if c.Bool("forget") {
				return forget(c)
			}
			found, err := examine(c.Context)
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = printJSON(c, found)
			} else {
				printDiagnosis(c, found)
			}
			if err == nil && !found.usable() {
				err = errors.New("no backend works here; see the reasons above")
			}
			return err
		},
	}
}

// forget has every segment tried again.
func forget(c *cli.Context) error {
	j := openJournal(c)
	n, err := j.Forget()
	if err != nil {
		return notWritten(err)
	}
	fmt.Fprintf(c.App.Writer, "segments that took a backend down and are tried again: %d\n", n)
	return nil
}

// diagnosis is what doctor finds.
type diagnosis struct {
	Build    build            `json:"build"`
	Device   profiles.SoC     `json:"device"`
	Backends []backendFinding `json:"backends"`
	Profiles []profileFinding `json:"profiles"`
}

type backendFinding struct {
	Kind    string           `json:"kind"`
	Summary string           `json:"summary"`
	Device  *delegate.Device `json:"device,omitempty"`
	Problem string           `json:"problem,omitempty"`
	// Test is what the self-test gave; nil for a backend that is not here.
	Test *selftest.Result `json:"self_test,omitempty"`
}

// works says whether the backend is here and computes right.
func (f backendFinding) works() bool { return f.Device != nil && f.Test != nil && f.Test.Usable() }

type profileFinding struct {
	Name string `json:"name"`
	// Missing are the backends that the profile names and that do not work.
	Missing []string `json:"missing,omitempty"`
}

func (d diagnosis) usable() bool {
	for _, b := range d.Backends {
		if b.works() {
			return true
		}
	}
	return false
}

// suggestion is the backends of a profile for this device: NPUs first, then
// what is fast on the CPU.
func (d diagnosis) suggestion() (kinds []string) {
	var cpu []string
	for _, b := range d.Backends {
		switch {
		case !b.works():
		case delegate.IsVendor(b.Kind):
			kinds = append(kinds, b.Kind)
		default:
			cpu = append(cpu, b.Kind)
		}
	}
	for _, kind := range []string{"xnnpack", "fallback"} {
		if slices.Contains(cpu, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

// test opens a kind of backend with its defaults, isolated if it is a vendor's,
// and runs the self-test.
func (f *backendFinding) test(ctx context.Context) error {
	p := &profiles.Profile{File: "doctor", Name: "doctor", Backends: []profiles.Backend{{Name: f.Kind, Kind: f.Kind}}}
	backends, err := partition.OpenBackends(p, partition.Isolation{})
	if err != nil {
		return err
	}
	defer func() { _ = partition.CloseBackends(backends) }() // what it said is known
	device, err := backends[f.Kind].Probe(ctx)
	if err != nil {
		return err
	}
	f.Device = &device
	reference, err := delegate.Open("fallback", nil)
	if err != nil {
		return err
	}
	result, err := selftest.Run(ctx, backends[f.Kind], reference)
	f.Test = &result
	return err
}

func examine(ctx context.Context) (diagnosis, error) {
	d := diagnosis{Build: buildVersion(), Device: profiles.DetectSoC(ctx)}
	works := map[string]bool{}
	for _, kind := range delegate.Kinds() {
		f := backendFinding{Kind: kind.Name, Summary: kind.Summary}
		err := f.test(ctx)
		if ctx.Err() != nil {
			return d, ctx.Err()
		}
		if err != nil {
			f.Problem = oneLine(delegate.WhyUnavailable(err))
		}
		works[kind.Name] = f.works()
		d.Backends = append(d.Backends, f)
	}
	for _, name := range profiles.Builtin() {
		p, err := profiles.Load(name)
		if err != nil {
			return d, err
		}
		f := profileFinding{Name: name}
		for _, b := range p.Backends {
			if !works[b.Kind] {
				f.Missing = append(f.Missing, b.Name)
			}
		}
		d.Profiles = append(d.Profiles, f)
	}
	return d, nil
}

func printDiagnosis(c *cli.Context, d diagnosis) {
	w := c.App.Writer
	fmt.Fprintf(w, "nanoflux %s, %s, %s\n\nDevice\n", d.Build.Version, d.Build.Go, d.Device.Platform)
	table(w, func(add func(string, ...any)) {
		for _, f := range d.Device.Facts {
			add("  %s\t%s\t(%s)", f.Name, oneLine(f.Value), f.Source)
		}
		for _, cores := range d.Device.Cores {
			add("  cores\t%d × %s", cores.Count, oneLine(cores.Name))
		}
	})
	fmt.Fprintln(w, "\nBackends")
	table(w, func(add func(string, ...any)) {
		for _, b := range d.Backends {
			if b.Device == nil {
				add("  %s\tno\t%s", b.Kind, b.Problem)
				continue
			}
			state := "yes"
			if !b.works() {
				state = "WRONG"
			}
			add("  %s\t%s\t%s", b.Kind, state, oneLine(strings.Join(append([]string{b.Device.Description, b.Device.Library}, b.Device.Features...), ", ")))
			for _, line := range selfTestLines(b) {
				add("  \t\t%s", line)
			}
		}
	})
	fmt.Fprintln(w, "\nProfiles")
	table(w, func(add func(string, ...any)) {
		for _, p := range d.Profiles {
			if len(p.Missing) == 0 {
				add("  %s\tcomplete", p.Name)
			} else {
				add("  %s\twithout %s", p.Name, strings.Join(p.Missing, ", "))
			}
		}
	})
	if kinds := d.suggestion(); len(kinds) > 0 {
		fmt.Fprintln(w, "\nFor a profile of this device")
		fmt.Fprintln(w, "  backends:")
		for _, kind := range kinds {
			fmt.Fprintf(w, "    - kind: %s\n", kind)
		}
	}
}

// selfTestLines say what the self-test gave, as far as it is not plain.
func selfTestLines(b backendFinding) (lines []string) {
	if b.Problem != "" {
		lines = append(lines, b.Problem)
	}
	if b.Test == nil {
		return lines
	}
	lines = append(lines, fmt.Sprintf("self-test: %d of %d models right", len(b.Test.Passed), len(b.Test.Passed)+len(b.Test.Refused)+len(b.Test.Wrong)))
	for _, r := range b.Test.Wrong {
		lines = append(lines, "wrong: "+r.Model+": "+oneLine(r.Text))
	}
	for _, r := range b.Test.Refused {
		lines = append(lines, "not taken: "+r.Model+": "+oneLine(r.Text))
	}
	for _, r := range b.Test.Left {
		lines = append(lines, "partly: "+r.Model+": "+oneLine(r.Text))
	}
	return lines
}
