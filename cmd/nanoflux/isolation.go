package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"nanoflux/delegate/guarded"
	"nanoflux/delegate/journal"
	"nanoflux/partition"
)

// workerCommandLine starts a worker; nil for this program with the argument
// worker. Tests set it: a test program is started otherwise.
var workerCommandLine []string

// isolation is how commands keep vendors' backends apart. Unless the command is told
// to be quiet, it says on standard error what devices are asked for a plan.
func isolation(c *cli.Context, j *journal.Journal) partition.Isolation {
	i := partition.Isolation{Worker: workerCommandLine, Journal: j}
	if !c.Bool("quiet") {
		i.Asking = func(a guarded.Asking) { tellAsking(c, a) }
	}
	return i
}

// tellAsking prints a line before the first question and one after the last.
func tellAsking(c *cli.Context, a guarded.Asking) {
	questions := fmt.Sprintf("%d forms of operators", a.Of)
	if a.Of == 1 {
		questions = "1 form of operators"
	}
	device, _, _ := strings.Cut(a.Device, ",")
	switch a.Asked {
	case 0:
		fmt.Fprintf(c.App.ErrWriter, "nanoflux: asking %s (%s) about %s of %s that are new to it …\n", a.Kind, device, questions, a.Model)
	case a.Of:
		fmt.Fprintf(c.App.ErrWriter, "nanoflux: %s answered in %v; the answers are kept\n", a.Kind, a.Took.Round(100*time.Millisecond))
	}
}
