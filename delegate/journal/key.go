package journal

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"nanoflux/graph"
)

// Key identifies what is tried on a backend: 32 hexadecimal digits, or nothing
// for what cannot be told apart; of that nothing is remembered.
type Key string

// apart is the size from which a constant counts by its size alone: what crashes
// a compiler is a graph's form, and reading all weights of a large model takes
// seconds.
const apart = 4096

// KeyOf makes the key of a segment on a backend (Backend.Identity); empty for a
// model that cannot be written. The model's name does not count.
func KeyOf(segment *graph.Model, identity string) Key {
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
	h.Write([]byte(identity))
	return Key(hex.EncodeToString(h.Sum(nil))[:keyDigits])
}

// ProbeKey is the key of looking for a backend's device, without a segment.
func ProbeKey(identity string) Key { return textKey("probe", identity) }

// OperatorKey is the key of a question about one operator (delegate.Signature).
func OperatorKey(signature, identity string) Key { return textKey("operator "+signature, identity) }

func textKey(what, identity string) Key {
	sum := sha256.Sum256([]byte(what + "\n" + identity))
	return Key(hex.EncodeToString(sum[:])[:keyDigits])
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
