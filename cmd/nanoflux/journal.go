package main

import (
	"github.com/urfave/cli/v2"

	"nanoflux/delegate/journal"
)

// openJournal is the user's journal of what took backends down. Without one
// everything runs, and nothing is remembered: that is a warning.
func openJournal(c *cli.Context) *journal.Journal {
	j, err := journal.Default()
	if err != nil {
		warn(c, []string{err.Error()})
	}
	return j
}

// warnJournal tells what kept the journal from remembering; nothing else fails
// for that.
func warnJournal(c *cli.Context, j *journal.Journal) {
	if err := j.Err(); err != nil {
		warn(c, []string{err.Error()})
	}
}
