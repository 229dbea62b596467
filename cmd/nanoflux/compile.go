package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"nanoflux/cmd/nanoflux/internal/facts"
	"nanoflux/cmd/nanoflux/internal/outfile"
	"nanoflux/cmd/nanoflux/internal/progress"
	"nanoflux/models/bundle"
	"nanoflux/models/compile"
	"nanoflux/profiles"
)

// compilerCommandLine starts a process for one segment; nil for this program with
// the argument precompile. Tests set it.
var compilerCommandLine []string

func compileCommand() *cli.Command {
	return &cli.Command{
		Name:      "compile",
		Usage:     "make a bundle ready for the NPUs of some chips, ahead of time",
		ArgsUsage: "BUNDLE",
		Description: `The profile's first backend with option soc compiles (qnn by default: Qualcomm's own compiler,
see ci/setup qnn), for each chip in turn; neither chip nor phone is needed. The code becomes
files of the new bundle, which run with the same profile on these chips start with.

Examples:
  nanoflux compile pocket --soc SM8750 -o pocket-sm8750.zip
  nanoflux compile pocket --soc SM8750,SM8650 --profile my-phone.yaml -o pocket-phones.zip --json`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "soc", Usage: "the chips' `MODELS`, with commas between"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the bundle to `FILE` (.zip)"},
			&cli.StringFlag{Name: "profile", Aliases: []string{"p"}, Usage: "the profile that the bundle will run with: a `NAME` or a .yaml file", Value: "qnn"},
			&cli.DurationFlag{Name: "deadline", Usage: "`TIME` that the compiler may take for one segment", Value: 10 * time.Minute},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing but warnings and errors"},
			jsonFlag(),
		},
		Action: compileBundle,
	}
}

func compileBundle(c *cli.Context) error {
	name, err := one(c, "a bundle")
	if err != nil {
		return err
	}
	socs := strings.FieldsFunc(c.String("soc"), func(r rune) bool { return r == ',' || r == ' ' })
	if len(socs) == 0 {
		return usage(c, "--soc is missing; give the chips' models, such as SM8750,SM8650")
	}
	for i, soc := range socs {
		socs[i] = strings.ToUpper(soc)
	}
	slices.Sort(socs)
	socs = slices.Compact(socs)
	output := c.String("output")
	if !strings.HasSuffix(strings.ToLower(output), ".zip") {
		return usage(c, "--output %q: the bundle is a zip; takes a name that ends in .zip", output)
	}
	if err := outfile.Check(output); err != nil {
		return notWritten(err)
	}
	profile, err := loadProfile(c.String("profile"))
	if err != nil {
		return err
	}
	if err := checkChips(profile, socs); err != nil {
		return badInput(err)
	}
	b, err := openBundle(name)
	if err != nil {
		return badInput(err)
	}
	defer b.Close()
	command := compilerCommandLine
	if command == nil {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		command = []string{self, "precompile"}
	}
	line, begin := progress.New(c.App.ErrWriter), time.Now()
	m, files, report, err := compile.Bundle(c.Context, b, compile.Options{
		Profile: profile, SoCs: socs, Command: command, Deadline: c.Duration("deadline"),
		Progress: func(soc, part string, segment, of int) {
			if !c.Bool("quiet") {
				line.Show(soc+" "+stageName(part), segment, of, time.Since(begin))
			}
		},
	})
	line.Clear()
	if err != nil {
		return err
	}
	for _, s := range report.Segments {
		if s.Problem != "" {
			warn(c, []string{fmt.Sprintf("%s, %s, segment %d is not compiled: %s", s.SoC, s.Part, s.Segment, s.Problem)})
		}
	}
	if report.Compiled() == 0 {
		return fmt.Errorf("nothing was compiled for %s; see nanoflux plan --explain for what the NPU takes", strings.Join(socs, ", "))
	}
	if err := bundle.WriteFile(output, m, files); err != nil {
		return notWritten(err)
	}
	switch {
	case c.Bool("json"):
		return printJSON(c, struct {
			File string `json:"file"`
			*compile.Report
			Took time.Duration `json:"took_ns"`
		}{output, report, time.Since(begin)})
	case !c.Bool("quiet"):
		printCompiled(c, output, report, time.Since(begin))
	}
	return nil
}

// checkChips finds chips that the backend does not know, before any work.
func checkChips(p *profiles.Profile, socs []string) error {
	for _, soc := range socs {
		if err := compile.CheckSoC(p, soc); err != nil {
			return fmt.Errorf("--soc %s: %w", soc, err)
		}
	}
	return nil
}

func printCompiled(c *cli.Context, file string, r *compile.Report, took time.Duration) {
	w := c.App.Writer
	fmt.Fprintf(w, "%s: compiled for %s in %s\n\n", file, r.Kind, seconds(took))
	table(w, func(add func(string, ...any)) {
		add("chip\tpart\tsegment\tops\trefused\tcode\ttime\tmemory\tcompiler")
		for _, s := range r.Segments {
			code := facts.Size(s.Size)
			if s.Problem != "" {
				code = "none"
			}
			memory := "–"
			if s.PeakMemory > 0 {
				memory = facts.Size(int(s.PeakMemory))
			}
			add("%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s", s.SoC, stageName(s.Part), s.Segment, s.Operators, len(s.Refused), code, seconds(s.Took), memory, oneLine(s.Library))
		}
	})
	for _, s := range r.Segments {
		for _, refused := range s.Refused {
			fmt.Fprintf(w, "%s, %s: refused %s: %s\n", s.SoC, stageName(s.Part), refused.Op, oneLine(refused.Reason))
		}
	}
	for _, e := range r.Elsewhere {
		fmt.Fprintf(w, "%s, %s: %s runs on %s: %s\n", e.SoC, stageName(e.Part), e.Op, e.Backend, oneLine(e.Reason))
	}
}

