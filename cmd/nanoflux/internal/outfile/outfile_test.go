package outfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func put(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

// names lists a directory, so that tests see what was left behind.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func contents(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAFileIsMadeAndReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.png")
	for _, text := range []string{"one", "the second"} {
		if err := Write(path, put(text)); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, path); got != text {
			t.Errorf("holds %q, want %q", got, text)
		}
	}
	if got := names(t, dir); got != "a.png" {
		t.Errorf("the directory holds %s", got)
	}
}

func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.png")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("broke")
	err := Write(path, func(w io.Writer) error {
		if err := put(strings.Repeat("half", 1<<16))(w); err != nil {
			return err
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	if contents(t, path) != "old" || names(t, dir) != "a.png" {
		t.Errorf("%s is left, holding %.20q", names(t, dir), contents(t, path))
	}
}

func TestAFailedWriteNamesTheFileThatWasAskedFor(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.png")
	err := Write(path, func(io.Writer) error { // as the system says it of a full disk
		return &fs.PathError{Op: "write", Path: filepath.Join(dir, names(t, dir)), Err: syscall.ENOSPC}
	})
	if err == nil || !strings.HasPrefix(err.Error(), "write "+path+": ") || !strings.HasSuffix(err.Error(), "; free some space or write elsewhere") {
		t.Errorf("error %v", err)
	}
}

func TestALinkStaysALink(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(real, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	if err := Write(link, put("new")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Error("the link was replaced")
	}
	if got := contents(t, real); got != "new" {
		t.Errorf("holds %q", got)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	dir := t.TempDir()
	locked := filepath.Join(dir, "locked")
	if err := os.Mkdir(locked, 0o555); err != nil {
		t.Fatal(err)
	}
	blocking := filepath.Join(dir, "file")
	if err := os.WriteFile(blocking, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		path, want string
		needs      bool
	}{
		"no such directory": {filepath.Join(dir, "none", "a.png"), "; make the directory first", true},
		"a directory":       {dir, "; give a file name", true},
		"behind a file":     {filepath.Join(blocking, "a.png"), "; write elsewhere, as a part of the path is a file", runtime.GOOS != "windows"},
		"a long name":       {filepath.Join(dir, strings.Repeat("a", 300)), "; give a shorter name", runtime.GOOS == "linux"},
		"no real directory": {"/proc/a.png", "; write elsewhere", runtime.GOOS == "linux"},
		"read-only":         {filepath.Join(locked, "a.png"), "; write elsewhere or change the permissions", os.Getuid() > 0},
		"a full disk":       {"/dev/full", "; free some space", runtime.GOOS == "linux"},
	}
	for name, c := range cases {
		if !c.needs {
			continue
		}
		err := Write(c.path, put("text"))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: error %v, want one with %s and %q", name, err, c.path, c.want)
		}
		if err := Check(c.path); (err == nil) != (name == "a full disk") {
			t.Errorf("%s: Check says %v", name, err)
		}
	}
	if got := names(t, dir); got != "file locked" {
		t.Errorf("the directory holds %s", got)
	}
}

func TestCheckLeavesNoTrace(t *testing.T) {
	dir := t.TempDir()
	if err := Check(filepath.Join(dir, "a.png")); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); got != "" {
		t.Errorf("the directory holds %s", got)
	}
}

func TestADirectoryIsMadeWithAllThatLeadToIt(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b")
	if err := CheckDirectory(path); err != nil || names(t, dir) != "" {
		t.Errorf("CheckDirectory: %v, left %q", err, names(t, dir))
	}
	for range 2 {
		if err := MakeDirectory(path); err != nil || names(t, dir) != "a" || names(t, path) != "" {
			t.Errorf("MakeDirectory: %v", err)
		}
	}
}

func TestWhatCannotBeADirectorySaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	blocking := filepath.Join(dir, "file")
	if err := os.WriteFile(blocking, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path, want string
		needs      bool
	}{
		"a file":            {blocking, "; give a directory", true},
		"behind a file":     {filepath.Join(blocking, "a", "b"), "; give a directory", true},
		"a device":          {"/dev/full", "; give a directory", runtime.GOOS == "linux"},
		"no real directory": {"/proc/a/b", "; write elsewhere", runtime.GOOS == "linux"},
		"a long name":       {filepath.Join(dir, strings.Repeat("a", 300)), "; give a shorter name", runtime.GOOS == "linux"},
	} {
		if !c.needs {
			continue
		}
		for what, err := range map[string]error{"CheckDirectory": CheckDirectory(c.path), "MakeDirectory": MakeDirectory(c.path)} {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
				t.Errorf("%s: %s: %v, want %s and %q", name, what, err, c.path, c.want)
			}
		}
	}
	if names(t, dir) != "file" || contents(t, blocking) != "text" {
		t.Errorf("the directory holds %s", names(t, dir))
	}
}
