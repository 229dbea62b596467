//go:build tflite

package litert

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"nanoflux/delegate/litert/compiler"
	"nanoflux/delegate/litert/installed"
	"nanoflux/graph"
)

// mostCached and mostBytes bound what is kept: a mixed plan has a hundred
// segments. The ones not used for longest go.
const (
	mostCached = 1000
	mostBytes  = 4 << 30
)

// cache keeps what was compiled, in files of the user's cache. Trouble with it
// only costs time, so it gives no errors.
type cache struct{ folder string }

func openCache(folder string) cache {
	if folder != "" {
		return cache{folder}
	}
	folder, err := os.UserCacheDir()
	if err != nil {
		return cache{}
	}
	return cache{filepath.Join(folder, "nanoflux", "litert-compiled")}
}

// key is the name of a segment compiled for a chip by the compiler that is there
// now, with these flags.
func (cache) key(segment *graph.Model, target compiler.Target, flags []string, here installed.Package) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s\n%s\n%q\n%s\n", segment.Fingerprint(), target, flags, here.Version())
	files := []string{here.Tool()}
	if v, ok := installed.VendorNamed(target.Manufacturer); ok {
		for _, folder := range append(here.LibraryFolders(v), here.Compiler(v)) {
			list, _ := filepath.Glob(filepath.Join(folder, "*.so*")) // the pattern is right
			files = append(files, list...)
		}
	}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			fmt.Fprintf(&s, "%s %d %d\n", f, info.Size(), info.ModTime().UnixNano())
		}
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(s.String())))
}

func (c cache) path(key string) string { return filepath.Join(c.folder, key+".compiled") }

// get is what is kept under a key, or nil.
func (c cache) get(key string) []byte {
	if c.folder == "" {
		return nil
	}
	data, err := os.ReadFile(c.path(key))
	if err != nil {
		return nil
	}
	end := len(data) - sha256.Size
	if end < 0 || sha256.Sum256(data[:end]) != [sha256.Size]byte(data[end:]) {
		return nil // broken
	}
	now := time.Now()
	_ = os.Chtimes(c.path(key), now, now) // it was used
	return data[:end:end]
}

// put keeps data under a key. Its hash stands behind it: vendors' libraries crash
// on code that is cut off.
func (c cache) put(key string, data []byte) {
	if c.folder == "" || os.MkdirAll(c.folder, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(c.folder, ".new-*")
	if err != nil {
		return
	}
	sum := sha256.Sum256(data)
	_, err = f.Write(append(slices.Clip(data), sum[:]...))
	if closed := f.Close(); err != nil || closed != nil || os.Rename(f.Name(), c.path(key)) != nil {
		_ = os.Remove(f.Name()) // it is no use
		return
	}
	c.prune()
}

// prune removes the files that were not used for longest.
func (c cache) prune() {
	type kept struct {
		path string
		size int64
		used time.Time
	}
	var list []kept
	files, _ := filepath.Glob(filepath.Join(c.folder, "*.compiled")) // the pattern is right
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			list = append(list, kept{f, info.Size(), info.ModTime()})
		}
	}
	slices.SortFunc(list, func(a, b kept) int { return b.used.Compare(a.used) })
	var total int64
	for i, f := range list {
		total += f.size
		if i >= mostCached || total > mostBytes {
			_ = os.Remove(f.path) // another process may have done it
		}
	}
}
