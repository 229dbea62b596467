package main

import (
	"github.com/urfave/cli/v2"

	"nanoflux/partition/exec"
)

// verifyFlag is the flag of commands that run segments.
func verifyFlag() cli.Flag {
	return &cli.BoolFlag{Name: "verify", Usage: "compare each segment's results with the Go kernels', and find the operator that is wrong; slow"}
}

// verifyOf is what the flag asks for; nil for nothing.
func verifyOf(c *cli.Context) (*exec.Verify, error) {
	if !c.Bool("verify") {
		return nil, nil
	}
	return exec.NewVerify("fallback")
}
