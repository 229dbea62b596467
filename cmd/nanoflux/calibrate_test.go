package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"nanoflux/models/bundle"
)

func TestACalibratedBundleIsWrittenAndOpens(t *testing.T) {
	if testing.Short() {
		t.Skip("under an emulator drawing with an observer takes a minute")
	}
	dir := t.TempDir()
	prompts, out := filepath.Join(dir, "prompts.txt"), filepath.Join(dir, "calibrated.zip")
	if err := os.WriteFile(prompts, []byte("a red apple, 3d\n\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t, "calibrate", "pocket", "--prompts", prompts, "-o", out)
	if code != 0 || stderr != "" || !strings.Contains(stdout, "prompts that gave its ranges: 1") {
		t.Fatalf("code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	b, err := bundle.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	m, err := b.Model("denoiser")
	if err != nil {
		t.Fatal(err)
	}
	if q := m.Subgraphs[0].Tensors[m.Subgraphs[0].Outputs[0]].Quantization; q == nil || len(q.Min) != 1 || q.Min[0] >= q.Max[0] {
		t.Errorf("the denoiser's output carries %+v", q)
	}
}
