package main

import (
	"github.com/urfave/cli/v2"

	"nanoflux/cmd/nanoflux/internal/facts"
	"nanoflux/graph"
)

func inspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "print a model's inputs, outputs, operators and weights",
		ArgsUsage: "MODEL.tflite",
		Description: `Example:
  nanoflux inspect person_detect.tflite`,
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			path, err := one(c, "a .tflite file")
			if err != nil {
				return err
			}
			m, err := graph.Open(path)
			if err != nil {
				return badInput(err)
			}
			defer m.Close()
			f := facts.Of(m)
			if c.Bool("json") {
				return printJSON(c, f)
			}
			f.Print(c.App.Writer)
			return nil
		},
	}
}
