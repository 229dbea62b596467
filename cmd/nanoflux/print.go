package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
)

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON"}
}

func printJSON(c *cli.Context, v any) error {
	e := json.NewEncoder(c.App.Writer)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return notWritten(e.Encode(v))
}

// table prints rows in columns; a row is its cells with tabs between.
func table(w io.Writer, rows func(add func(format string, args ...any))) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows(func(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) })
	t.Flush()
}

// atMost refuses more arguments than a command takes.
func atMost(c *cli.Context, n int) error {
	if c.NArg() > n {
		return usage(c, "%q is an argument too many", c.Args().Get(n))
	}
	return nil
}

// one returns the argument of a command that takes exactly one.
func one(c *cli.Context, what string) (string, error) {
	if c.NArg() == 0 {
		return "", usage(c, "%s is missing", what)
	}
	return c.Args().First(), atMost(c, 1)
}

// warn prints warnings on stderr, one line each.
func warn(c *cli.Context, warnings []string) {
	for _, text := range warnings {
		fmt.Fprintf(c.App.ErrWriter, "nanoflux: warning: %s\n", oneLine(text))
	}
}
