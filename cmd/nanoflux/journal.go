package main

import (
	"slices"

	"github.com/urfave/cli/v2"

	"nanoflux/delegate"
	"nanoflux/delegate/journal"
	"nanoflux/profiles"
)

// openJournal is the user's journal of what took backends down. Without one
// everything runs, and nothing is remembered: that is a warning.
func openJournal(c *cli.Context, p *profiles.Profile) *journal.Journal {
	if p != nil && !slices.ContainsFunc(p.Backends, func(b profiles.Backend) bool { return delegate.IsVendor(b.Kind) }) {
		return nil // nothing in it can be taken down
	}
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
