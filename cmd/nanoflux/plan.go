package main

import (
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/partition"
	"nanoflux/partition/exec"
	"nanoflux/profiles"
)

func planCommand() *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "show which operators of a model run where, and why",
		ArgsUsage: "MODEL.tflite|BUNDLE",
		Description: `BUNDLE is a folder, a .zip or pocket, the bundle in the program. Nothing is run. What is
planned is the model as the profile's rewrites write it; --explain says what each of them
won, for a backend that is not here by the table of its kind. What former runs learned of
a device counts, so this is the plan that run and generate use.

--ask asks each vendor's device that is here about every different operator of the model,
also those that its table refuses, in a process that is used for nothing else. The
answers are kept, and override the table in plan, run and generate.

Examples:
  nanoflux plan pocket --profile mixed-demo
  nanoflux plan pocket --profile my-phone.yaml --explain
  nanoflux plan pocket --profile my-phone.yaml --ask
  nanoflux plan model.tflite --profile my-phone.yaml --yaml > plan.yaml`,
		Flags: []cli.Flag{
			profileFlag(),
			&cli.BoolFlag{Name: "explain", Usage: "print first what each of the profile's rewrites won; as JSON, objects of rewrites and plan"},
			&cli.BoolFlag{Name: "ask", Usage: "ask the devices about each operator first, and print where they differ from their tables; as JSON, objects of asked and plan"},
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
	for _, more := range []string{"explain", "ask"} {
		if c.Bool("yaml") && c.Bool(more) {
			return usage(c, "--yaml prints plans only; leave out --%s, or take --json", more)
		}
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
	j := openJournal(c, profile)
	defer warnJournal(c, j)
	if c.Bool("ask") && j == nil {
		return usage(c, "--ask: %s", whyNoJournal(profile))
	}
	backends, err := partition.OpenBackends(profile, isolation(c, j))
	if err != nil {
		return badInput(err)
	}
	defer func() { _ = partition.CloseBackends(backends) }() // nothing ran there
	plans := make([]planned, len(models))
	for i, m := range models {
		if plans[i], err = writeOne(c, m, profile, backends); err != nil {
			return err
		}
	}
	// All answers before the first plan: parts have operators in common.
	for i := range plans {
		p := &plans[i]
		if p.plan, err = exec.Foresee(c.Context, p.model, 0, profile, backends); err != nil {
			return err
		}
	}
	return printPlans(c, plans)
}

// planned is a model's plan, and what led to it.
type planned struct {
	// model is what is planned: as the profile's rewrites write it.
	model *graph.Model
	plan  *partition.Plan
	// gains is nil without --explain, asked without --ask.
	gains partition.Gains
	asked []partition.Asked
}

// writeOne writes a model as the profile wants it, and asks about it.
func writeOne(c *cli.Context, m *graph.Model, profile *profiles.Profile, backends map[string]delegate.Backend) (p planned, err error) {
	if c.Bool("explain") {
		if p.gains, err = partition.Explain(c.Context, m, 0, profile, backends); err != nil {
			return p, err
		}
	}
	if p.model, _, err = partition.Rewritten(m, profile); err != nil {
		return p, err
	}
	if c.Bool("ask") {
		p.asked, err = partition.Ask(c.Context, p.model, 0, profile, backends)
	}
	return p, err
}

// explained is a plan as JSON with --explain or --ask.
type explained struct {
	Rewrites *partition.Gains  `json:"rewrites,omitempty"`
	Asked    []partition.Asked `json:"asked,omitempty"`
	Plan     json.RawMessage   `json:"plan"`
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
			if c.Bool("explain") || c.Bool("ask") {
				x := explained{Asked: p.asked, Plan: text}
				if c.Bool("explain") {
					gains := append(partition.Gains{}, p.gains...)
					x.Rewrites = &gains
				}
				list[i] = x
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
		for _, a := range p.asked {
			fmt.Fprintf(c.App.Writer, "%s: %s\n", p.model.Name, a)
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
