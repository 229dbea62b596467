package main

import (
	"github.com/urfave/cli/v2"

	"nanoflux/models/compile"
)

func precompileCommand() *cli.Command {
	return &cli.Command{
		Name:   "precompile",
		Usage:  "compile one segment for nanoflux compile, which starts this itself",
		Hidden: true,
		Description: `A vendor's compiler may crash or hang, so each segment is compiled in a process of its own.
It reads a request from standard input; by hand there is none.

Example:
  nanoflux precompile`,
		Action: func(c *cli.Context) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			return compile.Serve(c.Context, c.App.Reader, c.App.Writer)
		},
	}
}
