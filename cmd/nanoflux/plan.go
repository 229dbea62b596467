package main

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/partition"
	"nanoflux/profiles"
)

func planCommand() *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "show which operators of a model run where, and why",
		ArgsUsage: "MODEL.tflite|BUNDLE",
		Description: `BUNDLE is a folder, a .zip or pocket, the bundle in the program. Nothing is run. What is
planned is the model as the profile's rewrites write it; --explain says what each of them
won, for a backend that is not here by the table of its kind.

Examples:
  nanoflux plan pocket --profile mixed-demo
  nanoflux plan pocket --profile my-phone.yaml --explain
  nanoflux plan model.tflite --profile my-phone.yaml --yaml > plan.yaml`,
		Flags: []cli.Flag{
			profileFlag(),
			&cli.BoolFlag{Name: "explain", Usage: "print first what each of the profile's rewrites won; as JSON, objects of rewrites and plan"},
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
	if c.Bool("yaml") && c.Bool("explain") {
		return usage(c, "--yaml prints plans only; leave out --explain, or take --json")
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
	backends, err := partition.OpenBackends(profile, isolation(nil))
	if err != nil {
		return badInput(err)
	}
	defer func() { _ = partition.CloseBackends(backends) }() // nothing ran there
	plans := make([]planned, len(models))
	for i, m := range models {
		if plans[i], err = planOne(c, m, profile, backends); err != nil {
			return err
		}
	}
	return printPlans(c, plans)
}

// planned is a model's plan, and what led to it.
type planned struct {
	plan *partition.Plan
	// gains is nil without --explain.
	gains partition.Gains
}

func planOne(c *cli.Context, m *graph.Model, profile *profiles.Profile, backends map[string]delegate.Backend) (p planned, err error) {
	if c.Bool("explain") {
		if p.gains, err = partition.Explain(c.Context, m, 0, profile, backends); err != nil {
			return p, err
		}
	}
	written, _, err := partition.Rewritten(m, profile)
	if err != nil {
		return p, err
	}
	p.plan, err = partition.New(c.Context, written, 0, profile, backends)
	return p, err
}

// explained is a plan as JSON with --explain.
type explained struct {
	Rewrites partition.Gains `json:"rewrites"`
	Plan     json.RawMessage `json:"plan"`
}

func printPlans(c *cli.Context, plans []planned) error {
	if c.Bool("json") {
		list := make([]any, len(plans))
		for i, p := range plans {
			text, err := p.plan.JSON()
			if err != nil {
				return err
			}
			list[i] = json.RawMessage(text)
			if c.Bool("explain") {
				list[i] = explained{append(partition.Gains{}, p.gains...), text}
			}
		}
		return printJSON(c, list)
	}
	for i, p := range plans {
		if c.Bool("yaml") {
			text, err := p.plan.YAML()
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
		if c.Bool("explain") {
			explain(c, p)
		}
		fmt.Fprint(c.App.Writer, p.plan)
	}
	return nil
}

// explain prints what the rewrites won, before the plan.
func explain(c *cli.Context, p planned) {
	if len(p.gains) == 0 {
		fmt.Fprintf(c.App.Writer, "%s: profile %s asks for no rewrites\n\n", p.plan.Model, p.plan.Profile)
		return
	}
	fmt.Fprintf(c.App.Writer, "%s: %s\n", p.plan.Model, p.gains)
}
