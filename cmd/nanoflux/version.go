package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/urfave/cli/v2"

	"nanoflux/delegate"
)

func versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version, how it was built, and the backends in it",
		Description: `Example:
  nanoflux version --json`,
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			v := buildVersion()
			if c.Bool("json") {
				return printJSON(c, v)
			}
			fmt.Fprintf(c.App.Writer, "nanoflux %s, %s, %s", v.Version, v.Go, v.Platform)
			if v.Tags != "" {
				fmt.Fprintf(c.App.Writer, ", tags %s", v.Tags)
			}
			fmt.Fprintf(c.App.Writer, "\nbackends: %s\n", strings.Join(v.Backends, ", "))
			if len(v.Missing) > 0 {
				fmt.Fprintf(c.App.Writer, "not in this build: %s\n", strings.Join(v.Missing, ", "))
			}
			return nil
		},
	}
}

// build is what a program says about itself.
type build struct {
	Version  string   `json:"version"`
	Revision string   `json:"revision,omitempty"`
	Modified bool     `json:"modified,omitempty"`
	Go       string   `json:"go"`
	Platform string   `json:"platform"`
	Cgo      bool     `json:"cgo"`
	Tags     string   `json:"tags,omitempty"`
	Backends []string `json:"backends"`
	Missing  []string `json:"missing,omitempty"`
}

func buildVersion() build {
	v := build{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" {
			v.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Revision = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			case "CGO_ENABLED":
				v.Cgo = s.Value == "1"
			case "-tags":
				v.Tags = s.Value
			}
		}
	}
	for _, kind := range delegate.Kinds() {
		if kind.Open != nil {
			v.Backends = append(v.Backends, kind.Name)
		} else {
			v.Missing = append(v.Missing, kind.Name)
		}
	}
	return v
}
