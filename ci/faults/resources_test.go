//go:build tflite

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"nanoflux/delegate/shared"
)

// What the table says of things left behind is worth as much as these tests:
// each leaves something behind, and that must be told.
func TestWhatARowLeavesBehindIsSeen(t *testing.T) {
	region := func(t *testing.T) *shared.Region {
		r, err := shared.New(1 << 20)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, c := range []struct {
		name, want string
		// leave leaves something behind; what it returns clears up.
		leave func(t *testing.T) func() error
	}{
		{"a region that is not closed", "shared memory is still mapped: 1048576 bytes, before 0", func(t *testing.T) func() error {
			return region(t).Close
		}},
		{"a mapping whose descriptor is closed", "shared memory is still mapped", func(t *testing.T) func() error {
			r := region(t)
			if err := r.File().Close(); err != nil {
				t.Fatal(err)
			}
			return func() error { _ = r.Close(); return nil } // its file is closed
		}},
		{"a descriptor whose mapping is gone", "shared memory is still open: 1 regions, before 0", func(t *testing.T) func() error {
			r := region(t)
			fd, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", r.File().Fd()))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			return fd.Close
		}},
		{"a file", "files are still open", func(t *testing.T) func() error {
			f, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			return f.Close
		}},
		{"a process that runs", "child processes are left", func(t *testing.T) func() error {
			c := exec.Command("sleep", "60")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			return func() error { _ = c.Process.Kill(); _ = c.Wait(); return nil }
		}},
		{"a process that has ended, without being waited for", "child processes are left", func(t *testing.T) func() error {
			c := exec.Command("true")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			waitForZombie(t, c.Process.Pid)
			return c.Wait
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, err := resources()
			if err != nil {
				t.Fatal(err)
			}
			clear := c.leave(t)
			after, err := resources()
			if err != nil {
				t.Fatal(err)
			}
			err = after.more(before)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v; it must say %q", err, c.want)
			}
			if err := clear(); err != nil {
				t.Fatal(err)
			}
			if err := left(before); err != nil {
				t.Errorf("after clearing up: %v", err)
			}
		})
	}
}

// waitForZombie returns when a child has ended and waits to be waited for.
func waitForZombie(t *testing.T, pid int) {
	for range 1000 {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the process does not end")
}

func TestTheMemoryOfAProcessIsMeasured(t *testing.T) {
	before, err := resident(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	region, err := shared.New(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer region.Close()
	for i := range region.Data {
		region.Data[i] = 1
	}
	after, err := resident(os.Getpid())
	if grown := int64(after) - int64(before); err != nil || grown < 60<<20 || grown > 80<<20 {
		t.Errorf("64 MiB are measured as %d bytes, %v", grown, err)
	}
}
