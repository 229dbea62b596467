package main

import (
	"fmt"
	"os"
	"testing"

	"nanoflux/delegate/isolate"
	"nanoflux/delegate/journal"
)

// The test program is its own worker, and leaves the user's journal alone.
func TestMain(m *testing.M) {
	if os.Getenv(isolate.WorkerEnvironment) != "" {
		if err := isolate.Serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	self, err := os.Executable()
	if err == nil {
		err = os.Setenv(journal.Variable, "off")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	workerCommandLine = []string{self}
	os.Exit(m.Run())
}
