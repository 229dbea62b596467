package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"slices"

	"nanoflux/graph"
)

// Key identifies a segment on a backend: 32 hexadecimal digits.
type Key string

// apart is the size from which a constant counts by its size alone: what crashes
// a compiler is a graph's form, and reading all weights of a large model takes
// seconds.
const apart = 4096

// KeyOf makes the key of a segment on a kind of backend; empty for a model that
// cannot be written, of which nothing is remembered. The model's name does not
// count. Another library, which stands in the options, or other options are
// another key.
func KeyOf(segment *graph.Model, kind string, options map[string]any) Key {
	structure, err := graph.Structure(segment, func(i int) bool { return len(segment.Buffers[i]) >= apart })
	if err != nil {
		return ""
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%s", len(structure), structure)
	for i, data := range segment.Buffers {
		if len(data) >= apart {
			fmt.Fprintf(h, "%d %d\n", i, len(data))
		}
	}
	fmt.Fprintf(h, "%q\n", kind)
	for _, name := range slices.Sorted(maps.Keys(options)) {
		fmt.Fprintf(h, "%q %#v\n", name, options[name])
		path, ok := options[name].(string)
		if !ok || path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			fmt.Fprintf(h, "%d %d\n", info.Size(), info.ModTime().UnixNano())
		}
	}
	return Key(hex.EncodeToString(h.Sum(nil))[:keyDigits])
}

const keyDigits = 32

func (k Key) valid() bool {
	if len(k) != keyDigits {
		return false
	}
	for _, c := range k {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
