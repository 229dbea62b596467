package graph

import (
	"os"
	"path/filepath"
	"testing"
)

// conformanceModels lists the third-party models, or skips the test.
func conformanceModels(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("NANOFLUX_CONFORMANCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data", "conformance")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.tflite"))
	if err != nil || len(files) == 0 {
		t.Skipf("no third-party models in %s; set NANOFLUX_CONFORMANCE to their folder", dir)
	}
	return files
}
