package journal

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"nanoflux/delegate"
)

// Backend is what tells one backend from another: with another library, other
// options or another driver, what is known of it does not hold.
type Backend struct {
	Kind    string
	Options map[string]any
	// Device is what Probe found; empty before.
	Device delegate.Device
	// Deadline is how long a run may take until it counts as hung; 0 where that
	// does not matter.
	Deadline time.Duration
}

// smallFile is the size in bytes up to which a file counts by what is in it, and
// not by its size and time.
const smallFile = 64 << 10

// written begin or end the names of options whose file a library writes: that
// such a file changes says nothing.
var written = []string{"log", "cache", "dump", "profile", "trace", "output"}

// Identity is a text that is the same for the same backend: kind, options,
// device, and the files that the options and the device name. Files that cannot
// be read count by their name.
func (b Backend) Identity() string {
	var s strings.Builder
	// fmt writes maps in the order of their keys.
	fmt.Fprintf(&s, "%q %#v %v %q %q %q\n", b.Kind, b.Options, b.Deadline, b.Device.Library, b.Device.Version, b.Device.Features)
	var names []string
	for name := range b.Options {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		path, isText := b.Options[name].(string)
		if isText && path != "" && !slices.ContainsFunc(written, func(w string) bool { return strings.Contains(name, w) }) {
			fmt.Fprintf(&s, "%s %s\n", name, stamp(path))
		}
	}
	if b.Device.Library != "" {
		fmt.Fprintf(&s, "%s\n", stamp(b.Device.Library))
	}
	sum := sha256.Sum256([]byte(s.String()))
	return fmt.Sprintf("%x", sum)
}

// stamp tells versions of a file apart; empty for what is no regular file.
func stamp(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	if info.Size() <= smallFile {
		if f, err := os.Open(path); err == nil {
			data, err := io.ReadAll(io.LimitReader(f, smallFile))
			_ = f.Close() // only read
			if err == nil {
				return fmt.Sprintf("%x", sha256.Sum256(data))
			}
		}
	}
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}
