package main

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"nanoflux/delegate"
	"nanoflux/delegate/journal"
	"nanoflux/profiles"
)

// openJournal is the user's journal of what took backends down. Without one
// everything runs, and nothing is remembered: that is a warning.
func openJournal(c *cli.Context, p *profiles.Profile) *journal.Journal {
	if p != nil && !runsVendorsCode(p) {
		return nil // nothing in it can be taken down
	}
	j, err := journal.Default()
	if err != nil {
		warn(c, []string{err.Error()})
	}
	return j
}

// runsVendorsCode says whether a profile has a backend that can be taken down.
func runsVendorsCode(p *profiles.Profile) bool {
	return slices.ContainsFunc(p.Backends, func(b profiles.Backend) bool { return delegate.IsVendor(b.Kind) })
}

// whyNoJournal says why openJournal gave none, and what to do.
func whyNoJournal(p *profiles.Profile) string {
	if !runsVendorsCode(p) {
		return fmt.Sprintf("profile %s has no backend with a device to ask; choose one that has", p.Name)
	}
	return fmt.Sprintf("the journal is off, so answers would be forgotten; change %s to a file", journal.Variable)
}

// warnJournal tells what kept the journal from remembering; nothing else fails
// for that.
func warnJournal(c *cli.Context, j *journal.Journal) {
	if err := j.Err(); err != nil {
		warn(c, []string{err.Error()})
	}
}

// forget empties the journal, so that everything is tried again.
func forget(c *cli.Context) error {
	j := openJournal(c, nil)
	if j == nil {
		return fmt.Errorf("nothing was forgotten: there is no journal (%s says off, or there is no folder for caches); give %s the path of one", journal.Variable, journal.Variable)
	}
	n, err := j.Forget()
	if err != nil {
		return notWritten(err)
	}
	fmt.Fprintf(c.App.Writer, "%s: crashes forgotten, of what is tried again: %d; so are the devices' answers\n", j.Path(), n)
	return nil
}
