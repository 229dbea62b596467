//go:build tflite

package qnn

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/delegate"
)

// oldRuntime is a double of an older ONNX Runtime: it tells its version, and has no
// interface for callers of a newer one.
const oldRuntime = `
typedef struct { const void* (*get_api)(unsigned); const char* (*version)(void); } base;
static const void* get_api(unsigned v) { return v <= 22 ? (const void*)&get_api : 0; }
static const char* version(void) { return "1.22.1"; }
static const base it = {get_api, version};
const base* OrtGetApiBase(void) { return &it; }
`

func TestAnOldRuntimeIsNamedWithItsVersion(t *testing.T) {
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	if _, err := exec.LookPath(strings.Fields(cc)[0]); err != nil {
		t.Skipf("no C compiler for the double: %v", err)
	}
	folder := t.TempDir()
	source, library := filepath.Join(folder, "old.c"), filepath.Join(folder, "libonnxruntime.so")
	if err := os.WriteFile(source, []byte(oldRuntime), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(strings.Fields(cc)[0], "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// Not by load, which remembers a failure for the whole process.
	err := startLog(library)
	if want := library + " is ONNX Runtime 1.22.1, which is too old; for 1.29 run ci/setup qnn"; !errors.Is(err, delegate.ErrUnavailable) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}

func TestVersionsOfTheRuntime(t *testing.T) {
	for version, want := range map[string]bool{
		"1.29.0": true, "1.30.1": true, "2.0.0": true, "1.29": true,
		"1.28.9": false, "0.99.0": false, "1": false, "of an unknown version": false, "": false,
	} {
		if got := newEnough(version); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestAProviderThatDoesNotStartSaysWhy(t *testing.T) {
	err := errors.New("Error creating C session: /src/ep.cc:70 CreateProvider() Error creating execution provider: bad version=0")
	if got := startFailure(err, "first\nInvalid HTP architecture: 79\n"); got != "Invalid HTP architecture: 79" {
		t.Error(got)
	}
	if got := startFailure(err, "File mapped weights feature is off\n"); got != "Error creating execution provider: bad version=0" {
		t.Error(got)
	}
}
