package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"nanoflux/cmd/nanoflux/internal/facts"
	"nanoflux/cmd/nanoflux/internal/outfile"
	"nanoflux/cmd/nanoflux/internal/progress"
	"nanoflux/delegate/guarded"
	"nanoflux/graph"
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
		ArgsUsage: "BUNDLE|MODEL.tflite",
		Description: `The profile's first backend with option soc compiles (qnn by default: Qualcomm's own compiler,
see ci/setup qnn), for each chip in turn; neither chip nor phone is needed. The code becomes
files of the new bundle, which generate takes where they fit. That of a single model goes
into a directory, for ONNX Runtime or LiteRT.

Examples:
  nanoflux compile pocket --soc SM8750 -o pocket-sm8750.zip
  nanoflux compile pocket --soc SM8750,SM8650 --profile my-phone.yaml -o pocket-phones.zip --json
  nanoflux compile model.tflite --soc SM8750 -o model-sm8750/`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "soc", Usage: "the chips' `MODELS`, with commas between"},
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the bundle to `FILE` (.zip), or a model's code into a directory"},
			&cli.StringFlag{Name: "profile", Aliases: []string{"p"}, Usage: "the profile that the bundle will run with: a `NAME` or a .yaml file", Value: "qnn"},
			&cli.DurationFlag{Name: "deadline", Usage: "`TIME` that the compiler may take for one segment", Value: 10 * time.Minute},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing but warnings and errors"},
			jsonFlag(),
		},
		Action: compileBundle,
	}
}

func compileBundle(c *cli.Context) error {
	name, err := one(c, "a bundle or a .tflite file")
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
	if err := checkCompiledOutput(c, name, output); err != nil {
		return err
	}
	profile, err := loadProfile(c.String("profile"))
	if err != nil {
		return err
	}
	if err := checkChips(profile, socs); err != nil {
		return badInput(err)
	}
	options, done, err := compileOptions(c, profile, socs)
	if err != nil {
		return err
	}
	begin := time.Now()
	report, write, err := compileAll(c, name, output, options)
	done()
	if err != nil {
		return err
	}
	for _, s := range report.Segments {
		if s.Problem != "" {
			warn(c, []string{fmt.Sprintf("%s, %s, segment %d is not compiled: %s", s.SoC, s.Part, s.Segment, s.Problem)})
		}
	}
	if report.Compiled() == 0 {
		warn(c, elsewhere(report))
		return fmt.Errorf("nothing was compiled for %s; see nanoflux plan --explain for what the NPU takes", strings.Join(socs, ", "))
	}
	if err := write(); err != nil {
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

// checkCompiledOutput finds what is wrong with where the result goes, before any
// work.
func checkCompiledOutput(c *cli.Context, name, output string) error {
	if isModel(name) {
		if output == "" {
			return usage(c, "--output is missing; give a directory for the code")
		}
		return notWritten(outfile.CheckDirectory(output))
	}
	if !strings.HasSuffix(strings.ToLower(output), ".zip") {
		return usage(c, "--output %q: the bundle is a zip; takes a name that ends in .zip", output)
	}
	return notWritten(outfile.Check(output))
}

// isModel tells a model from a bundle by its name.
func isModel(name string) bool { return strings.HasSuffix(strings.ToLower(name), ".tflite") }

// compileOptions are for package compile; done takes the progress line away.
func compileOptions(c *cli.Context, profile *profiles.Profile, socs []string) (o compile.Options, done func(), err error) {
	command := compilerCommandLine
	if command == nil {
		self, err := os.Executable()
		if err != nil {
			return o, nil, err
		}
		command = []string{self, "precompile"}
	}
	line, begin := progress.New(c.App.ErrWriter), time.Now()
	isolation := isolation(c, openJournal(c, profile))
	if tell := isolation.Asking; tell != nil {
		isolation.Asking = func(a guarded.Asking) {
			line.Clear()
			tell(a)
		}
	}
	return compile.Options{
		Profile: profile, SoCs: socs, Isolation: isolation, Command: command, Deadline: c.Duration("deadline"),
		Progress: func(soc, part string, segment, of int) {
			if !c.Bool("quiet") {
				line.Show(soc+" "+part, segment, of, time.Since(begin))
			}
		},
	}, line.Clear, nil
}

// compileAll compiles a model or a bundle; write writes what came of it.
func compileAll(c *cli.Context, name, output string, o compile.Options) (report *compile.Report, write func() error, err error) {
	if isModel(name) {
		m, err := graph.Open(name)
		if err != nil {
			return nil, nil, badInput(err)
		}
		defer m.Close()
		files, report, err := compile.Model(c.Context, m, o)
		return report, func() error { return writeInto(output, files) }, err
	}
	b, err := openBundle(name)
	if err != nil {
		return nil, nil, badInput(err)
	}
	m, files, report, err := compile.Bundle(c.Context, b, o)
	if err != nil {
		b.Close()
		return nil, nil, err
	}
	return report, func() error {
		defer b.Close() // files are in it
		return bundle.WriteFile(output, m, files)
	}, nil
}

// writeInto writes files into a directory, which it makes.
func writeInto(dir string, files map[string][]byte) error {
	if err := outfile.MakeDirectory(dir); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err := outfile.Write(filepath.Join(dir, name), func(w io.Writer) error {
			_, err := w.Write(files[name])
			return err
		})
		if err != nil {
			return err
		}
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
			add("%s\t%s\t%d\t%d\t%d\t%s\t%s\t%s\t%s", s.SoC, s.Part, s.Segment, s.Operators, len(s.Refused), code, seconds(s.Took), memory, oneLine(s.Library))
		}
	})
	for _, s := range r.Segments {
		for _, refused := range s.Refused {
			fmt.Fprintf(w, "%s, %s: refused %s: %s\n", s.SoC, s.Part, refused.Op, oneLine(refused.Reason))
		}
	}
	for _, line := range elsewhere(r) {
		fmt.Fprintln(w, oneLine(line))
	}
}

// constantOf is what a reason says of which operator makes a constant, in which
// reasons differ that are the same.
var constantOf = regexp.MustCompile(`its constant input from op \d+ \(\w+\): `)

// elsewhere says what the plan gave to other backends, a line for each reason.
func elsewhere(r *compile.Report) (lines []string) {
	type group struct{ soc, part, backend, reason string }
	count := map[group]int{}
	first := map[group]string{}
	var order []group
	for _, e := range r.Elsewhere {
		g := group{e.SoC, e.Part, e.Backend, constantOf.ReplaceAllString(e.Reason, "")}
		if count[g]++; count[g] == 1 {
			order, first[g] = append(order, g), e.Op
		}
	}
	for _, g := range order {
		line := fmt.Sprintf("%s, %s: %s", g.soc, g.part, first[g])
		if n := count[g] - 1; n > 0 {
			line += fmt.Sprintf(" (and %d more)", n)
		}
		lines = append(lines, fmt.Sprintf("%s: on %s: %s", line, g.backend, g.reason))
	}
	return lines
}
