//go:build tflite

package litert

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestCacheForgetsWhatWasNotUsedForLongest(t *testing.T) {
	c := openCache(t.TempDir())
	const over = 3
	old := time.Now().Add(-time.Hour)
	for i := range mostCached + over {
		path := c.path(fmt.Sprintf("%04d", i))
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	c.put("new", []byte("code"))
	if got := c.get("new"); !bytes.Equal(got, []byte("code")) {
		t.Errorf("kept %q", got)
	}
	files, err := filepath.Glob(filepath.Join(c.folder, "*"))
	if err != nil || len(files) != mostCached {
		t.Errorf("%d files, %v", len(files), err)
	}
	for i, want := range map[int]bool{over: false, over + 1: true, mostCached: true} {
		if _, err := os.Stat(c.path(fmt.Sprintf("%04d", i))); (err == nil) != want {
			t.Errorf("file %d: %v", i, err)
		}
	}
}

func TestCacheGivesNothingThatIsBroken(t *testing.T) {
	c := openCache(t.TempDir())
	c.put("k", []byte("some code"))
	whole, err := os.ReadFile(c.path("k"))
	if err != nil {
		t.Fatal(err)
	}
	if c.get("k") == nil {
		t.Error("it is not kept")
	}
	for i := range whole {
		for _, broken := range [][]byte{whole[:i], append(append([]byte{}, whole[:i]...), append([]byte{whole[i] ^ 1}, whole[i+1:]...)...)} {
			if err := os.WriteFile(c.path("k"), broken, 0o600); err != nil {
				t.Fatal(err)
			}
			if got := c.get("k"); got != nil {
				t.Fatalf("byte %d: %q", i, got)
			}
		}
	}
	if got := c.get("never"); got != nil {
		t.Errorf("%q", got)
	}
}

func TestPrintedIsWhatWentToStandardError(t *testing.T) {
	got := printed(func() { _, _ = os.Stderr.WriteString("why it failed\n") })
	if got != "why it failed\n" {
		t.Errorf("%q", got)
	}
	if got := printed(func() {}); got != "" {
		t.Errorf("%q", got)
	}
}
