//go:build unix

package shared

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWhatOneSideWritesTheOtherReads(t *testing.T) {
	r, err := New(10_000)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fd, err := unix.Dup(int(r.File().Fd()))
	if err != nil {
		t.Fatal(err)
	}
	other, err := Map(os.NewFile(uintptr(fd), "other"), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r.Data[9_999] = 42
	if other.Data[9_999] != 42 {
		t.Error("the other mapping does not see it")
	}
}

func TestRegionsAreFoundByAnyPartOfThem(t *testing.T) {
	var all []*Region
	for range 5 {
		r, err := New(8192)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		all = append(all, r)
	}
	for _, r := range all {
		if got, at, ok := Find(r.Data[100:200]); !ok || got != r || at != 100 {
			t.Errorf("found %v at %d, %v", got, at, ok)
		}
		if got, at, ok := Find(r.Data); !ok || got != r || at != 0 {
			t.Errorf("whole: found %v at %d, %v", got, at, ok)
		}
		if _, at, ok := Find(r.Data[8191:]); !ok || at != 8191 {
			t.Errorf("the last byte: at %d, %v", at, ok)
		}
	}
	if _, _, ok := Find(make([]byte, 10)); ok {
		t.Error("memory of the heap was found")
	}
	part := all[2].Data[1:2]
	if err := all[2].Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := Find(part); ok {
		t.Error("a closed region was found")
	}
}

func TestNothingIsLeftInTheFileSystem(t *testing.T) {
	f, err := unlinkedFile(4096)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := os.Stat(f.Name()); !os.IsNotExist(err) {
		t.Errorf("%s is there: %v", f.Name(), err)
	}
}

func TestMapRefusesASmallerFile(t *testing.T) {
	f, err := unlinkedFile(4096)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Map(f, 4097); err == nil {
		t.Error("mapped beyond the end of the file")
	}
}

func TestTooManyOpenFilesAreTheError(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 3 // standard input, output and error
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Skip(err)
	}
	_, err := New(4096)
	if restore := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); restore != nil {
		t.Fatal(restore)
	}
	if !errors.Is(err, unix.EMFILE) || !strings.Contains(err.Error(), "ulimit -n") {
		t.Errorf("got %v", err)
	}
}
