package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"nanoflux/cmd/nanoflux/internal/outfile"
	"nanoflux/cmd/nanoflux/internal/progress"
	"nanoflux/models/bundle"
	"nanoflux/models/calibrate"
)

// calibrationPrompts is how many are drawn when none are given.
const calibrationPrompts = 8

func calibrateCommand() *cli.Command {
	return &cli.Command{
		Name:      "calibrate",
		Usage:     "note in a bundle between which values its tensors lie",
		ArgsUsage: "BUNDLE",
		Description: `Backends that compute with integers read these ranges. Prompts are drawn with the Go kernels;
without --prompts they are made of the words that the bundle knows. The new bundle draws the
same pictures on backends that compute with floats.

Example:
  nanoflux calibrate pocket --prompts prompts.txt -o pocket-calibrated.zip`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the bundle to `FILE` (.zip)"},
			&cli.StringFlag{Name: "prompts", Usage: "draw the prompts in `FILE`, one a line"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing but warnings and errors"},
		},
		Action: calibrateBundle,
	}
}

func calibrateBundle(c *cli.Context) error {
	name, err := one(c, "a bundle")
	if err != nil {
		return err
	}
	output := c.String("output")
	if output == "" {
		return usage(c, "--output is missing")
	}
	if !strings.HasSuffix(strings.ToLower(output), ".zip") {
		return usage(c, "--output %q: the bundle is a zip; takes a name that ends in .zip", output)
	}
	if err := outfile.Check(output); err != nil {
		return notWritten(err)
	}
	b, err := openBundle(name)
	if err != nil {
		return badInput(err)
	}
	defer b.Close()
	prompts := calibrate.Prompts(b.Manifest().Knows, calibrationPrompts)
	if file := c.String("prompts"); file != "" {
		if prompts, err = readPrompts(file); err != nil {
			return badInput(err)
		}
	}
	if len(prompts) == 0 {
		return usage(c, "%s does not say what it knows; give the prompts to draw with --prompts FILE", b.Name())
	}
	line, start := progress.New(c.App.ErrWriter), time.Now()
	m, files, err := calibrate.Bundle(c.Context, b, prompts, func(done, of int) {
		if !c.Bool("quiet") {
			line.Show("drawing", done, of, time.Since(start))
		}
	})
	line.Clear()
	if err != nil {
		return err
	}
	if err := bundle.WriteFile(output, m, files); err != nil {
		return notWritten(err)
	}
	if err := warnOverflows(c, output); err != nil {
		return err
	}
	if !c.Bool("quiet") {
		fmt.Fprintf(c.App.Writer, "%s: %s, prompts that gave its ranges: %d\n", output, m.Name, len(prompts))
	}
	return nil
}

// warnOverflows names the operators of a calibrated bundle that float16 does not
// hold.
func warnOverflows(c *cli.Context, path string) error {
	models, closeAll, err := openModels(path)
	if err != nil {
		return err
	}
	defer closeAll()
	for _, m := range models {
		if list := calibrate.Overflows(m); len(list) > 0 {
			warn(c, []string{fmt.Sprintf("in float16 %s overflows (%d operators): %v; the rewrite scale-norms helps norms", m.Name, len(list), list[0])})
		}
	}
	return nil
}

// readPrompts reads a file of prompts, one a line; empty lines do not count.
func readPrompts(path string) (prompts []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if text := strings.TrimSpace(lines.Text()); text != "" {
			prompts = append(prompts, text)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(prompts) == 0 {
		return nil, fmt.Errorf("%s holds no prompt; put one on each line", path)
	}
	return prompts, nil
}
