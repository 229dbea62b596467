package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"nanoflux/cmd/nanoflux/internal/diagnosis"
	"nanoflux/profiles"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "say which backends work on this device, and why the others do not",
		Description: `Every backend that is here runs a few small models, and its results are compared with the
Go kernels'. Vendors' code runs in a process of its own. Exits with 1 when no backend works.

At the end it suggests a profile of what works, with the options that were tested. A
delegate plugin is tested, and suggested, with --plugin.

A segment that took a backend down is not tried again at the next start; --forget has
it tried.

Examples:
  nanoflux doctor
  nanoflux doctor --profile my-phone.yaml
  nanoflux doctor --plugin libQnnTFLiteDelegate.so --plugin-option backend_type=htp
  nanoflux doctor --forget`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "profile", Aliases: []string{"p"}, Usage: "test the backends of a profile, with its options: a `NAME` or a .yaml file"},
			&cli.StringSliceFlag{Name: "plugin", Usage: "test the delegate plugin `FILE` (.so) too; may be given again"},
			&cli.StringSliceFlag{Name: "plugin-option", Usage: "`KEY=VALUE` for the plugins, as in a profile's options; may be given again"},
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
			var profile *profiles.Profile
			var err error
			if name := c.String("profile"); name != "" {
				if profile, err = loadProfile(name); err != nil {
					return err
				}
			}
			if len(c.StringSlice("plugin-option")) > 0 && len(c.StringSlice("plugin")) == 0 {
				return usage(c, "--plugin-option needs a --plugin that it is for")
			}
			plugins, err := diagnosis.Plugins(c.StringSlice("plugin"), c.StringSlice("plugin-option"))
			if err != nil {
				return usage(c, "%w", err)
			}
			found := doctorReport{Build: buildVersion()}
			all := isolation(c, nil)
			all.All = true
			if found.Diagnosis, err = diagnosis.Examine(c.Context, profile, plugins, all); err != nil {
				return err
			}
			found.Suggested = string(found.Suggestion())
			if c.Bool("json") {
				err = printJSON(c, found)
			} else {
				printDiagnosis(c, found)
			}
			if err == nil && !found.Usable() {
				err = errors.New("no backend works here; see the reasons above")
			}
			return err
		},
	}
}

// doctorReport is what doctor prints.
type doctorReport struct {
	Build build `json:"build"`
	diagnosis.Diagnosis
	// Suggested is a profile, as YAML.
	Suggested string `json:"suggestion"`
}

func printDiagnosis(c *cli.Context, d doctorReport) {
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
				add("  %s\tno\t%s", b.Name, oneLine(b.Problem))
				continue
			}
			state := "yes"
			if !b.Works() {
				state = "WRONG"
			}
			about := append([]string{b.Device.Description, b.Device.Library, b.Device.Version}, b.Device.Features...)
			about = slices.DeleteFunc(about, func(s string) bool { return s == "" })
			add("  %s\t%s\t%s", b.Name, state, oneLine(strings.Join(about, ", ")))
			for _, line := range selfTestLines(b) {
				add("  \t\t%s", line)
			}
		}
	})
	if len(d.Profiles) > 0 { // none was given
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
	fmt.Fprintf(w, "\nA profile of what works here\n\n%s", d.Suggested)
}

// selfTestLines say what the self-test gave, as far as it is not plain.
func selfTestLines(b diagnosis.Backend) (lines []string) {
	if b.Test == nil {
		return nil
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
