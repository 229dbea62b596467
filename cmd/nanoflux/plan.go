package main

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"nanoflux/partition"
)

func planCommand() *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "show which operators of a model run where, and why",
		ArgsUsage: "MODEL.tflite|BUNDLE",
		Description: `BUNDLE is a folder, a .zip or pocket, the bundle in the program. Nothing is run.

Examples:
  nanoflux plan pocket --profile mixed-demo
  nanoflux plan model.tflite --profile my-phone.yaml --yaml > plan.yaml`,
		Flags: []cli.Flag{
			profileFlag(),
			&cli.BoolFlag{Name: "yaml", Usage: "print YAML, one document a part"},
			jsonFlag(),
		},
		Action: plan,
	}
}

func plan(c *cli.Context) error {
	path, err := one(c, "a .tflite file or a bundle")
	if err != nil {
		return err
	}
	if c.Bool("yaml") && c.Bool("json") {
		return usage(c, "--yaml and --json exclude each other")
	}
	profile, err := loadProfile(c.String("profile"))
	if err != nil {
		return err
	}
	models, closeAll, err := openModels(path)
	if err != nil {
		return badInput(err)
	}
	defer closeAll()
	backends, err := partition.OpenBackends(profile, partition.Isolation{})
	if err != nil {
		return badInput(err)
	}
	defer func() { _ = partition.CloseBackends(backends) }() // nothing ran there
	var plans []*partition.Plan
	for _, m := range models {
		p, err := partition.New(c.Context, m, 0, profile, backends)
		if err != nil {
			return err
		}
		plans = append(plans, p)
	}
	return printPlans(c, plans)
}

func printPlans(c *cli.Context, plans []*partition.Plan) error {
	if c.Bool("json") {
		list := make([]json.RawMessage, len(plans))
		for i, p := range plans {
			text, err := p.JSON()
			if err != nil {
				return err
			}
			list[i] = text
		}
		return printJSON(c, list)
	}
	for i, p := range plans {
		if c.Bool("yaml") {
			text, err := p.YAML()
			if err != nil {
				return err
			}
			if i > 0 {
				fmt.Fprintln(c.App.Writer, "---")
			}
			fmt.Fprintf(c.App.Writer, "%s", text)
			continue
		}
		if i > 0 {
			fmt.Fprintln(c.App.Writer)
		}
		fmt.Fprint(c.App.Writer, p)
	}
	return nil
}
