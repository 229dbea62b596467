package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// Key identifies a segment on a backend: 32 hexadecimal digits.
type Key string

// Backend is what a key says of a backend: another library, or other options,
// are another backend.
type Backend struct {
	Kind    string
	Options map[string]any
	Device  delegate.Device
}

// apart is the size from which a constant counts by its size alone: what crashes
// a compiler is a graph's form, and reading all weights of a large model takes
// seconds.
const apart = 4096

// KeyOf makes the key of a segment on a backend; empty for a model that cannot
// be written, of which nothing is remembered. The model's name does not count.
func KeyOf(segment *graph.Model, b Backend) Key {
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
	// fmt writes maps in the order of their keys.
	fmt.Fprintf(h, "%q %#v %q %q %q\n", b.Kind, b.Options, b.Device.Library, b.Device.Version, b.Device.Features)
	if info, err := os.Stat(b.Device.Library); b.Device.Library != "" && err == nil {
		fmt.Fprintf(h, "%d %d\n", info.Size(), info.ModTime().UnixNano())
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
