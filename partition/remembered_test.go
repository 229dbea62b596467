//go:build tflite && unix

package partition

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/delegate"
	_ "nanoflux/delegate/all"
	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/emulated"
	"nanoflux/delegate/guarded"
	"nanoflux/delegate/isolate"
	"nanoflux/delegate/journal"
	"nanoflux/profiles"
)

// probing, in the environment, has the test program look for the device of the
// profile with that name, and end.
const probing = "NANOFLUX_TEST_PROBE"

// The test program is its own worker.
func TestMain(m *testing.M) {
	var err error
	switch {
	case os.Getenv(isolate.WorkerEnvironment) != "":
		err = isolate.Serve()
	case os.Getenv(probing) != "":
		_, err = probed(os.Getenv(probing), nil)
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// probed looks for the device of a profile's backend npu, with the journal
// beside the profile.
func probed(profile string, worker []string) (device delegate.Device, err error) {
	p, err := profiles.Load(profile, CheckBackend)
	if err != nil {
		return device, err
	}
	backends, err := OpenBackends(p, Isolation{Worker: worker, Journal: journal.Open(filepath.Join(filepath.Dir(profile), "journal"))})
	if err != nil {
		return device, err
	}
	device, err = backends["npu"].Probe(context.Background())
	return device, errors.Join(err, CloseBackends(backends))
}

// npu writes a profile whose backend npu is the emulated one; options are more
// lines of its options.
func npu(t *testing.T, trusted bool, options ...string) (path string) {
	t.Helper()
	library, ok := emulated.Library(emulated.Plugin)
	if !ok {
		t.Skip("the emulated NPU is not built (ci/emunpu)")
	}
	path = filepath.Join(t.TempDir(), "npu.yaml")
	options = append(options, fmt.Sprintf("library: %q", library), fmt.Sprintf("log: %q", filepath.Join(filepath.Dir(path), "log")))
	text := fmt.Sprintf("version: 1\nname: npu\nbackends:\n  - name: npu\n    kind: external\n    trusted: %v\n    deadline: 20\n    options:\n      %s\n", trusted, strings.Join(options, "\n      "))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// crashes is how often the emulated NPU was about to crash.
func crashes(t *testing.T, profile string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(profile), "log"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(text), "misbehaves while it is made")
}

func TestADelegateThatCrashesWhenItIsMadeIsNotMadeAtTheNextStart(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		t.Run(fmt.Sprintf("trusted %v", trusted), func(t *testing.T) {
			profile, self := npu(t, trusted, "fault: segv", "fault_at: create"), delegatetest.Self(t)
			start := func() {
				t.Helper()
				if !trusted {
					if _, err := probed(profile, self); !errors.Is(err, delegate.ErrLost) {
						t.Fatalf("got %v", err)
					}
					return
				}
				c := exec.Command(self[0], self[1:]...)
				c.Env = append(os.Environ(), probing+"="+profile)
				out, err := c.CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() == 1 { // with 1 it ends by itself
					t.Fatalf("the program goes on: %v, %s", err, out)
				}
			}
			start()
			for range 2 {
				_, err := probed(profile, self)
				if !errors.Is(err, delegate.ErrUnavailable) || !errors.Is(err, guarded.ErrRemembered) || !strings.Contains(err.Error(), "nanoflux doctor --forget") {
					t.Errorf("the next start: %v", err)
				}
			}
			if n := crashes(t, profile); n != 1 {
				t.Errorf("it was made %d times", n)
			}
			if n, err := journal.Open(filepath.Join(filepath.Dir(profile), "journal")).Forget(); n != 1 || err != nil {
				t.Errorf("forgot %d, %v", n, err)
			}
			if start(); crashes(t, profile) != 2 {
				t.Error("it is not tried again")
			}
		})
	}
}

// A name without a slash is looked for by the loader, so what was opened is only
// known afterwards.
func TestProbeTellsWhichLibraryWasOpened(t *testing.T) {
	library, ok := emulated.Library(emulated.Plugin)
	if !ok {
		t.Skip("the emulated NPU is not built (ci/emunpu)")
	}
	data, err := os.ReadFile(library)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "libnpu.so.2"), data, 0o700), os.Symlink("libnpu.so.2", filepath.Join(dir, "libnpu.so"))); err != nil {
		t.Fatal(err)
	}
	profile := filepath.Join(dir, "npu.yaml")
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(profile, []byte("version: 1\nname: npu\nbackends:\n  - {name: npu, kind: external, options: {library: "+name+"}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("LD_LIBRARY_PATH", dir+":"+os.Getenv("LD_LIBRARY_PATH"))
	write("libnpu.so")
	device, err := probed(profile, delegatetest.Self(t))
	if err != nil || device.Library != filepath.Join(dir, "libnpu.so.2") || !strings.HasSuffix(device.Version, ", run by TensorFlow Lite 2.17.1") {
		t.Errorf("%+v, %v", device, err)
	}
	write("libnowhere.so")
	_, err = probed(profile, delegatetest.Self(t))
	for _, want := range []string{"libnowhere.so", "looked for in LD_LIBRARY_PATH, which is " + dir, "; give option library a path with a slash"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}
