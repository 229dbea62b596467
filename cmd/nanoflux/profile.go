package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"nanoflux/cmd/nanoflux/internal/facts"
	"nanoflux/delegate"
	"nanoflux/partition"
	"nanoflux/profiles"
)

func profileCommand() *cli.Command {
	return &cli.Command{
		Name:  "profile",
		Usage: "list, show and check device profiles",
		Description: `Example:
  nanoflux profile check my-phone.yaml`,
		Subcommands: []*cli.Command{
			{
				Name:  "list",
				Usage: "list the profiles in the program",
				Description: `Example:
  nanoflux profile list`,
				Flags:  []cli.Flag{jsonFlag()},
				Action: listProfiles,
			},
			{
				Name:      "show",
				Usage:     "print a profile's text",
				ArgsUsage: "NAME|FILE",
				Description: `Example (to start a profile of your own):
  nanoflux profile show mixed-demo > my-phone.yaml`,
				Flags:  []cli.Flag{jsonFlag()},
				Action: showProfile,
			},
			{
				Name:      "check",
				Usage:     "check a profile, every mistake with line and column",
				ArgsUsage: "NAME|FILE",
				Description: `Also says which of its backends cannot be used here, and why.

Example:
  nanoflux profile check my-phone.yaml`,
				Flags:  []cli.Flag{jsonFlag()},
				Action: checkProfile,
			},
		},
	}
}

// profileFlag is the same for every command that plans.
func profileFlag() cli.Flag {
	return &cli.StringFlag{
		Name:        "profile",
		Aliases:     []string{"p"},
		Usage:       "where operators run: a profile's `NAME` or a .yaml file",
		Value:       defaultProfile,
		DefaultText: defaultProfile,
	}
}

// loadProfile reads a profile and checks that its backends are ones of this
// program, so that every mistake in it is reported in the same way.
func loadProfile(nameOrPath string) (*profiles.Profile, error) {
	p, err := profiles.Load(nameOrPath, partition.CheckBackend)
	return p, badInput(err)
}

// defaultProfile works in every build and needs no library.
const defaultProfile = "cpu-go"

type profileSummary struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Backends    []string `json:"backends"`
}

func listProfiles(c *cli.Context) error {
	if err := atMost(c, 0); err != nil {
		return err
	}
	list := []profileSummary{}
	for _, name := range profiles.Builtin() {
		p, err := profiles.Load(name)
		if err != nil {
			return err
		}
		s := profileSummary{Name: p.Name, Description: p.Description}
		for _, b := range p.Backends {
			s.Backends = append(s.Backends, b.Name)
		}
		list = append(list, s)
	}
	if c.Bool("json") {
		return printJSON(c, list)
	}
	table(c.App.Writer, func(add func(string, ...any)) {
		for _, p := range list {
			add("%s\t%s\t%s", p.Name, strings.Join(p.Backends, ", "), p.Description)
		}
	})
	return nil
}

func showProfile(c *cli.Context) error {
	name, err := one(c, "a profile's name or file")
	if err != nil {
		return err
	}
	text, _, err := profiles.Text(name)
	if err != nil {
		return badInput(err)
	}
	if c.Bool("json") {
		return printJSON(c, struct {
			Profile string `json:"profile"`
			YAML    string `json:"yaml"`
		}{name, string(text)})
	}
	_, err = c.App.Writer.Write(text)
	return notWritten(err)
}

func checkProfile(c *cli.Context) error {
	name, err := one(c, "a profile's name or file")
	if err != nil {
		return err
	}
	p, err := loadProfile(name)
	var backends map[string]delegate.Backend
	if err == nil {
		j := openJournal(c, p)
		defer warnJournal(c, j)
		backends, err = partition.OpenBackends(p, isolation(c, j))
		defer func() { _ = partition.CloseBackends(backends) }() // nothing ran there
	}
	var mistakes profiles.Errors
	if c.Bool("json") && (err == nil || errors.As(err, &mistakes)) {
		return checkedAsJSON(c, p, mistakes, backends)
	}
	if errors.As(err, &mistakes) && len(mistakes) > 1 {
		for _, m := range mistakes {
			fmt.Fprintln(c.App.Writer, oneLine(m.Error()))
		}
		return badInput(fmt.Errorf("%s: %s; correct what is wrong", mistakes[0].File, facts.Count(len(mistakes), "mistake")))
	}
	if err != nil {
		return badInput(err)
	}
	fmt.Fprintf(c.App.Writer, "%s: profile %s is valid, %s, %s\n", p.File, p.Name, facts.Count(len(p.Backends), "backend"), facts.Count(len(p.Rules), "rule"))
	for _, b := range p.Backends {
		if _, err := backends[b.Name].Probe(c.Context); err != nil {
			fmt.Fprintf(c.App.Writer, "backend %s cannot be used here: %s\n", b.Name, oneLine(delegate.WhyUnavailable(err)))
		}
	}
	return c.Context.Err()
}

// checkedAsJSON prints what a check found; mistakes are the exit code's matter
// too.
func checkedAsJSON(c *cli.Context, p *profiles.Profile, mistakes profiles.Errors, backends map[string]delegate.Backend) error {
	type problem struct {
		Backend string `json:"backend"`
		Problem string `json:"problem"`
	}
	found := struct {
		Valid    bool      `json:"valid"`
		Mistakes []string  `json:"mistakes,omitempty"`
		Missing  []problem `json:"missing,omitempty"`
	}{Valid: len(mistakes) == 0}
	for _, m := range mistakes {
		found.Mistakes = append(found.Mistakes, oneLine(m.Error()))
	}
	if found.Valid {
		for _, b := range p.Backends {
			if _, err := backends[b.Name].Probe(c.Context); err != nil {
				found.Missing = append(found.Missing, problem{b.Name, oneLine(delegate.WhyUnavailable(err))})
			}
		}
	}
	if err := printJSON(c, found); err != nil || found.Valid {
		return err
	}
	return badInput(fmt.Errorf("%s: %s; correct what is wrong", mistakes[0].File, facts.Count(len(mistakes), "mistake")))
}
