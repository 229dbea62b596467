//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// program builds the program itself, for what a call within the test's process
// cannot show; NANOFLUX_BINARY names it where there is no Go to build it with.
func program(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("NANOFLUX_BINARY"); path != "" {
		return path
	}
	path := filepath.Join(t.TempDir(), "nanoflux")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Skipf("no Go toolchain to build the program with: %v %s", err, out)
	}
	return path
}

func TestTheProgram(t *testing.T) {
	path := program(t)
	t.Run("stops on a signal", func(t *testing.T) {
		for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			dir := t.TempDir()
			var errs bytes.Buffer
			c := exec.Command(path, "generate", "a cat", "--steps", "1000", "-o", filepath.Join(dir, "cat.png"))
			c.Stderr = &errs
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond) // into the work, which takes many seconds
			if err := c.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			c.Wait()
			if code := c.ProcessState.ExitCode(); code != 130 || errs.String() != "nanoflux: interrupted; nothing was written\n" {
				t.Errorf("%v: code %d, %q", signal, code, errs.String())
			}
			if got := filesIn(t, dir); got != "" {
				t.Errorf("%v: %s was left behind", signal, got)
			}
		}
	})
	t.Run("says where it may not write or read", func(t *testing.T) {
		dir := t.TempDir()
		secret := filepath.Join(dir, "secret.tflite")
		if err := os.WriteFile(secret, model(t), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o555); err != nil {
			t.Fatal(err)
		}
		attributes := &syscall.SysProcAttr{}
		if os.Getuid() == 0 { // root may do anything: become nobody
			attributes.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
			for _, p := range []string{filepath.Dir(dir), filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
				if err := os.Chmod(p, 0o755); err != nil {
					t.Fatal(err)
				}
			}
		} else if err := os.Chmod(secret, 0); err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			args []string
			code int
			want string
		}{
			{[]string{"generate", "a cat", "-o", filepath.Join(dir, "cat.png")}, 4, "permission denied; write elsewhere"},
			{[]string{"inspect", secret}, 3, "permission denied; change the permissions"},
		} {
			var errs bytes.Buffer
			c := exec.Command(path, x.args...)
			c.Dir, c.Stderr, c.SysProcAttr = "/", &errs, attributes
			if err := c.Start(); err != nil {
				t.Skip("cannot become another user:", err)
			}
			c.Wait()
			if code := c.ProcessState.ExitCode(); code != x.code || !strings.Contains(errs.String(), x.want) || strings.Count(errs.String(), "\n") != 1 {
				t.Errorf("%v: code %d, %q", x.args, code, errs.String())
			}
		}
	})
}

// Opening a pipe waits for a writer, which may never come.
func TestAPipeIsRefusedAndNotWaitedFor(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.npy")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Skip("no pipes here:", err)
	}
	good := file(t, "good.tflite", model(t))
	for _, args := range [][]string{
		{"inspect", pipe}, {"plan", pipe}, {"run", pipe}, {"run", good, "--input", "x=" + pipe},
		{"bundle", "show", pipe}, {"profile", "check", pipe}, {"plan", good, "--profile", pipe},
	} {
		code, _, stderr := call(t, args...)
		if code != 3 || !strings.Contains(stderr, "pipe.npy") || advice(strings.TrimSpace(stderr)) == "" {
			t.Errorf("%v: code %d, %q", args, code, stderr)
		}
	}
}
