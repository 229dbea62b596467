//go:build tflite

package xnnpack

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/delegate"
)

func TestWithoutAListOfProcessorsItIsNotTried(t *testing.T) {
	possible, present := filepath.Join(t.TempDir(), "possible"), filepath.Join(t.TempDir(), "present")
	for name, text := range map[string]string{"there is none": "none", "it is empty": ""} {
		if text != "none" {
			if err := os.WriteFile(possible, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := readable([]string{possible, present})
		if !errors.Is(err, delegate.ErrUnavailable) || !strings.Contains(err.Error(), possible) || !strings.Contains(err.Error(), "; give the program a readable /sys") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(present, []byte("0-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := readable([]string{possible, present}); err != nil {
		t.Errorf("one of both is there: %v", err)
	}
}
