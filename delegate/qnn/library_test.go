//go:build tflite

package qnn

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/delegate"
)

// place makes empty files in a folder.
func place(t *testing.T, folder string, files ...string) {
	t.Helper()
	for _, f := range files {
		path := filepath.Join(folder, f)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLibrariesLieAsThePackagesHaveThemOrInOneFolder(t *testing.T) {
	packaged, flat := t.TempDir(), t.TempDir()
	place(t, packaged, "onnxruntime/capi/libonnxruntime.so.1.29.0", "onnxruntime_qnn/"+providerFile, "onnxruntime_qnn/"+backendFile)
	place(t, flat, "libonnxruntime.so", providerFile, backendFile)
	for _, folder := range []string{packaged, flat} {
		l, err := locate(folder)
		if err != nil || !strings.HasPrefix(l.runtime, folder) || !strings.HasPrefix(l.provider, folder) || !strings.HasPrefix(l.backend, folder) {
			t.Errorf("%+v, %v", l, err)
		}
	}
	t.Setenv("NANOFLUX_QNN", packaged)
	if l, err := locate(""); err != nil || !strings.HasPrefix(l.runtime, packaged) {
		t.Errorf("NANOFLUX_QNN: %+v, %v", l, err)
	}
}

func TestLibrariesThatAreNotThereAreAskedFor(t *testing.T) {
	part := t.TempDir()
	place(t, part, "libonnxruntime.so", backendFile)
	for _, folder := range []string{filepath.Join(part, "nowhere"), part} {
		b, err := delegate.Open("qnn", map[string]any{"libraries": folder})
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Probe(t.Context())
		if !errors.Is(err, delegate.ErrUnavailable) || !strings.Contains(err.Error(), "ci/setup qnn") || !strings.Contains(err.Error(), folder) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", folder, err)
		}
		if _, err := b.Compile(t.Context(), layers(t)); !errors.Is(err, delegate.ErrUnavailable) {
			t.Errorf("%s: %v", folder, err)
		}
	}
	b, err := delegate.Open("qnn", map[string]any{"libraries": part})
	if err != nil {
		t.Fatal(err)
	}
	place(t, part, providerFile)
	// Not by load, which remembers a failure for the whole process.
	if err := startLog(filepath.Join(part, "libonnxruntime.so")); !errors.Is(err, delegate.ErrUnavailable) || !strings.Contains(err.Error(), "ci/setup qnn") {
		t.Errorf("%s: a file that is no library: %v", b.Name(), err)
	}
}
