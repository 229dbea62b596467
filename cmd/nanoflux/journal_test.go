package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/delegate/journal"
)

func TestForgetSaysWhatItForgot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	line := "START 0123456789abcdef0123456789abcdef 0 2026-11-23T11:42:09Z \"npu\"\n"
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(journal.Variable, path)
	if text := ok(t, "doctor", "--forget"); !strings.Contains(text, path) || !strings.Contains(text, "tried again: 1") {
		t.Error(text)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Errorf("files stay: %v, %v", left, err)
	}
	t.Setenv(journal.Variable, "off")
	code, stdout, stderr := call(t, "doctor", "--forget")
	if code != exitFailure || stdout != "" || !strings.Contains(stderr, "nothing was forgotten") || advice(strings.TrimSpace(stderr)) == "" {
		t.Errorf("without a journal: code %d, %q, %q", code, stdout, stderr)
	}
}

func TestWhereNobodyRemembersNobodyIsAsked(t *testing.T) {
	path := file(t, "model.tflite", model(t))
	vendor := file(t, "far.yaml", []byte(rewriting))
	for profile, want := range map[string]string{"cpu-go": "no backend with a device to ask", vendor: "the journal is off"} {
		code, _, stderr := call(t, "plan", path, "--profile", profile, "--ask")
		if code != exitUsage || !strings.Contains(stderr, want) || advice(strings.TrimSpace(stderr)) == "" {
			t.Errorf("%s: code %d, %q", profile, code, stderr)
		}
	}
}
