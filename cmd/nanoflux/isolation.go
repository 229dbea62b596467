package main

import (
	"nanoflux/delegate/journal"
	"nanoflux/partition"
)

// workerCommandLine starts a worker; nil for this program with the argument
// worker. Tests set it: a test program is started otherwise.
var workerCommandLine []string

// isolation is how commands keep vendors' backends apart.
func isolation(j *journal.Journal) partition.Isolation {
	return partition.Isolation{Worker: workerCommandLine, Journal: j}
}
