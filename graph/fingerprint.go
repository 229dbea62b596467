package graph

import (
	"crypto/sha256"
	"encoding/hex"
)

// Fingerprint identifies what a model computes and how it is written: the
// SHA-256, in hexadecimal, of the file that Write makes of it. Equal models
// have equal fingerprints wherever they came from; Name does not count. It
// reads all constant data once, so keep it.
//
// It is empty for a model that cannot be written at all (one with options of
// a type that the format does not have); none that Read or a Builder made is.
func (m *Model) Fingerprint() string {
	f, err := layOut(m, maxFlatbuffer)
	if err != nil {
		return ""
	}
	h := sha256.New()
	if err := f.write(h); err != nil {
		return "" // a hash takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}
