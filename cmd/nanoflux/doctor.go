package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"nanoflux/delegate"
	"nanoflux/profiles"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "say which backends work on this device, and why the others do not",
		Description: `It only looks; nothing is changed. Exits with 1 when no backend works.

Example:
  nanoflux doctor`,
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := atMost(c, 0); err != nil {
				return err
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
}

type profileFinding struct {
	Name string `json:"name"`
	// Missing are the backends that the profile names and that do not work.
	Missing []string `json:"missing,omitempty"`
}

func (d diagnosis) usable() bool {
	for _, b := range d.Backends {
		if b.Device != nil {
			return true
		}
	}
	return false
}

func examine(ctx context.Context) (diagnosis, error) {
	d := diagnosis{Build: buildVersion(), Device: profiles.DetectSoC(ctx)}
	works := map[string]bool{}
	for _, kind := range delegate.Kinds() {
		f := backendFinding{Kind: kind.Name, Summary: kind.Summary}
		backend, err := delegate.Open(kind.Name, nil)
		if err == nil {
			var device delegate.Device
			if device, err = backend.Probe(ctx); err == nil {
				f.Device, works[kind.Name] = &device, true
			}
		}
		if ctx.Err() != nil {
			return d, ctx.Err()
		}
		if err != nil {
			f.Problem = oneLine(delegate.WhyUnavailable(err))
		}
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
			add("  %s\tyes\t%s", b.Kind, oneLine(strings.Join(append([]string{b.Device.Description}, b.Device.Features...), ", ")))
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
}
