package main

import (
	"github.com/urfave/cli/v2"

	"nanoflux/delegate/isolate"
)

func workerCommand() *cli.Command {
	return &cli.Command{
		Name:   "worker",
		Usage:  "run a backend for another nanoflux process; it starts this itself",
		Hidden: true,
		Description: `Backends that run a vendor's code run in a worker, so that a crash there costs
one segment. A worker by hand has no socket to its parent, and ends with an error.

Example:
  nanoflux worker`,
		Action: func(c *cli.Context) error {
			if err := atMost(c, 0); err != nil {
				return err
			}
			return isolate.Serve()
		},
	}
}
