package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"nanoflux/cmd/nanoflux/internal/facts"
	"nanoflux/graph"
	"nanoflux/models/bundle"
	"nanoflux/models/bundle/pocket"
	"nanoflux/models/pipeline"
)

func bundleCommand() *cli.Command {
	return &cli.Command{
		Name:  "bundle",
		Usage: "show what a bundle can draw",
		Description: `Example:
  nanoflux bundle show`,
		Subcommands: []*cli.Command{{
			Name:      "show",
			Usage:     "print a bundle's objects, styles, backgrounds, sizes, steps and licences",
			ArgsUsage: "[BUNDLE]",
			Description: `BUNDLE is a folder, a .zip or pocket, the bundle in the program, which is also the default.
The hashes of all files are checked.

Example:
  nanoflux bundle show my-model.zip`,
			Flags:  []cli.Flag{jsonFlag()},
			Action: showBundle,
		}},
	}
}

func bundleFlag() cli.Flag {
	return &cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "the model: a `BUNDLE` folder or .zip, or pocket, the one in the program", Value: pocket.Name}
}

// openBundle opens the bundle in the program by its name, others by their path.
func openBundle(name string) (*bundle.Bundle, error) {
	if name == pocket.Name {
		return pocket.Open()
	}
	return bundle.Open(name)
}

// openModels opens a .tflite file, or every part of a bundle.
func openModels(path string) (models []*graph.Model, closeAll func() error, err error) {
	info, err := os.Stat(path)
	if path != pocket.Name && strings.ToLower(filepath.Ext(path)) != ".zip" && !(err == nil && info.IsDir()) {
		m, err := graph.Open(path)
		if err != nil {
			return nil, nil, err
		}
		return []*graph.Model{m}, m.Close, nil
	}
	b, err := openBundle(path)
	if err != nil {
		return nil, nil, err
	}
	for _, part := range pipeline.PartNames() {
		m, err := b.Model(part)
		if err != nil {
			b.Close()
			return nil, nil, err
		}
		models = append(models, m)
	}
	return models, b.Close, nil
}

func showBundle(c *cli.Context) error {
	if err := atMost(c, 1); err != nil {
		return err
	}
	name := pocket.Name
	if c.NArg() == 1 {
		name = c.Args().First()
	}
	b, err := openBundle(name)
	if err != nil {
		return badInput(err)
	}
	defer b.Close()
	if err := b.Verify(c.Context); err != nil {
		return badInput(err)
	}
	if c.Bool("json") {
		return printJSON(c, b.Manifest())
	}
	printManifest(c, b.Manifest())
	return nil
}

func printManifest(c *cli.Context, m *bundle.Manifest) {
	w := c.App.Writer
	line := func(format string, args ...any) { fmt.Fprintln(w, oneLine(fmt.Sprintf(format, args...))) }
	line("%s: %s", m.Name, m.Description)
	line("pictures of %d×%d, %s, prompts of up to %s", m.Image.Width, m.Image.Height, facts.Count(m.Schedule.Steps, "step"), facts.Count(m.Tokenizer.Tokens-1, "token"))
	list := func(what string, names []string) {
		if len(names) > 0 {
			fmt.Fprintln(w)
			line("%s: %s", what, strings.Join(names, ", "))
		}
	}
	var objects []string
	for _, o := range m.Knows.Objects {
		name := o.Name
		if len(o.Also) > 0 {
			name += " (or " + strings.Join(o.Also, ", ") + ")"
		}
		objects = append(objects, name)
	}
	list("objects", objects)
	list("styles (the first unless said)", m.Knows.Styles)
	list("backgrounds (the first unless said)", m.Knows.Backgrounds)
	lines := func(what string, texts []string) {
		if len(texts) > 0 {
			fmt.Fprintf(w, "\n%s:\n", what)
		}
		for _, text := range texts {
			line("  - %s", text)
		}
	}
	lines("limits", m.Limits)
	lines("licences", m.Licences)
	fmt.Fprintln(w)
	table(w, func(add func(string, ...any)) {
		for _, name := range pipeline.PartNames() {
			p := m.Parts[name]
			add("%s\t%s\t%s\t%s → %s", oneLine(name), oneLine(p.File), facts.Size(int(m.Files[p.File].Size)), oneLine(strings.Join(p.Inputs, ", ")), oneLine(strings.Join(p.Outputs, ", ")))
		}
	})
}
