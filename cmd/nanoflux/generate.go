package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"nanoflux/cmd/nanoflux/internal/facts"
	"nanoflux/cmd/nanoflux/internal/outfile"
	"nanoflux/cmd/nanoflux/internal/progress"
	"nanoflux/models/pipeline"
	"nanoflux/profiles"
)

// defaultSeed is what other programs of this kind start with too.
const defaultSeed = "42"

func generateCommand() *cli.Command {
	return &cli.Command{
		Name:      "generate",
		Aliases:   []string{"g"},
		Usage:     "make a picture from a prompt",
		ArgsUsage: `"PROMPT"`,
		Description: `The same prompt, seed, steps, bundle and profile give the same file on every run of the same
version on the same kind of processor, as long as every operator runs where it ran before;
elsewhere pictures are nearly the same. The file holds the prompt and all settings, where
programs for Stable Diffusion keep them, and a hash of what ran where.

Examples:
  nanoflux generate "a red apple, 3d" -o apple.png
  nanoflux generate "flat picture of a rocket on blue" --seed random --steps 20`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write the picture to `FILE` (.png), or to standard output with -", Value: "nanoflux.png"},
			&cli.StringFlag{Name: "seed", Aliases: []string{"s"}, Usage: "`NUMBER` that chooses the noise, or random", Value: defaultSeed},
			&cli.StringFlag{Name: "steps", Usage: "`NUMBER` of denoiser runs, 1 to 1000", DefaultText: "what the bundle recommends"},
			profileFlag(),
			bundleFlag(),
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print nothing but warnings and errors"},
			verifyFlag(),
			jsonFlag(),
		},
		Action: generate,
	}
}

func generate(c *cli.Context) error {
	prompt, err := one(c, "the prompt (in quotes)")
	if err != nil {
		return err
	}
	request := pipeline.Request{Prompt: prompt}
	if request.Seed, err = parseSeed(c.String("seed")); err != nil {
		return usage(c, "%w", err)
	}
	if text := c.String("steps"); text != "" {
		request.Steps, err = strconv.Atoi(text)
		if err != nil || request.Steps < 1 || request.Steps > pipeline.MaxSteps {
			return usage(c, "--steps %s: takes a number from 1 to %d", text, pipeline.MaxSteps)
		}
	}
	output := c.String("output")
	if ext := strings.ToLower(filepath.Ext(output)); output == "" || ext != "" && ext != ".png" {
		return usage(c, "--output %q: the picture is a PNG; takes a name that ends in .png", output)
	}
	if output != "-" {
		// Not after the work: a wrong path is known now.
		if err := outfile.Check(output); err != nil {
			return notWritten(err)
		}
	}
	profile, err := loadProfile(c.String("profile"))
	if err != nil {
		return err
	}
	result, err := makePicture(c, profile, request)
	if err != nil {
		return err
	}
	warn(c, result.Warnings)
	if output == "-" {
		return notWritten(result.WritePNG(c.App.Writer))
	}
	if err := outfile.Write(output, result.WritePNG); err != nil {
		return notWritten(err)
	}
	switch {
	case c.Bool("json"):
		return printJSON(c, struct {
			File string `json:"file"`
			*pipeline.Result
		}{output, result})
	case !c.Bool("quiet"):
		printPicture(c.App.Writer, output, result)
	}
	return nil
}

// makePicture loads the bundle and runs the request, with a progress line.
func makePicture(c *cli.Context, profile *profiles.Profile, request pipeline.Request) (*pipeline.Result, error) {
	b, err := openBundle(c.String("bundle"))
	if err != nil {
		return nil, badInput(err)
	}
	defer b.Close()
	verify, err := verifyOf(c)
	if err != nil {
		return nil, err
	}
	j := openJournal(c, profile)
	defer warnJournal(c, j)
	p, err := pipeline.New(c.Context, b, pipeline.Options{Profile: profile, Verify: verify, Isolation: isolation(c, j)})
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if !c.Bool("quiet") {
		line := progress.New(c.App.ErrWriter)
		defer line.Clear()
		request.Progress = func(e pipeline.Event) { line.Show(stageName(e.Stage), e.Step, e.Of, e.Elapsed) }
	}
	return p.Generate(c.Context, request)
}

// parseSeed takes a number or the word random.
func parseSeed(text string) (uint64, error) {
	if text == "random" {
		return uint64(rand.Uint32()), nil // short enough to type again
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("--seed %s: takes a number from 0, or random", text)
	}
	return seed, nil
}

// printPicture says what was written, where it ran and how long it took.
func printPicture(w io.Writer, file string, r *pipeline.Result) {
	size := r.Image.Bounds().Size()
	fmt.Fprintf(w, "%s: %d×%d, seed %d, %s, %s\n", file, size.X, size.Y, r.Seed, facts.Count(r.Steps, "step"), seconds(r.Total))
	table(w, func(add func(string, ...any)) {
		for _, p := range r.Parts {
			var where []string
			for _, share := range p.Backends { // where it is now, which need not be the plan's
				where = append(where, oneLine(share.String()))
			}
			add("  %s\t%d ×\t%s\t%s", stageName(p.Part), p.Calls, seconds(p.Time), strings.Join(where, ", "))
		}
	})
	if r.Verified != nil {
		fmt.Fprintln(w, r.Verified)
	}
}

func stageName(part string) string { return strings.ReplaceAll(part, "_", " ") }

func seconds(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}
