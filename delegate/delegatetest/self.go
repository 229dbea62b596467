package delegatetest

import (
	"os"
	"strings"
	"testing"
)

// Self is the command that starts the running test program again, as a worker
// or to have a process that is gone. Where another machine is emulated without
// the kernel's knowledge, NANOFLUX_TEST_EMULATOR has the emulator.
func Self(t testing.TB) []string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append(strings.Fields(os.Getenv("NANOFLUX_TEST_EMULATOR")), program)
}
