// Package config reads the JSON configurations that the reference libraries
// write beside their weights, strictly: a key that is missing, has the wrong
// type or is not known is an error that names it. A setting that is read over
// silently is a model that is wrong silently.
//
// It knows JSON and nothing of any architecture.
package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ErrConfig is wrapped by every error of this package, and by the errors of the
// packages that check what they read with it.
var ErrConfig = errors.New("model configuration")

// Fields are the keys of one JSON object. The first error is kept; the values
// read after it are zero.
type Fields struct {
	where string
	raw   map[string]json.RawMessage
	seen  map[string]bool
	err   error
}

// Parse reads one JSON object. where names it in errors ("denoiser.config.json").
func Parse(data []byte, where string) (*Fields, error) {
	f := &Fields{where: where, seen: map[string]bool{}}
	if err := json.Unmarshal(data, &f.raw); err != nil {
		return nil, fmt.Errorf("%w %s: not a JSON object: %w", ErrConfig, where, err)
	}
	if f.raw == nil {
		return nil, fmt.Errorf("%w %s: null, not a JSON object", ErrConfig, where)
	}
	return f, nil
}

// Fail keeps an error about the object unless there is one already.
func (f *Fields) Fail(format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("%w %s: "+format, append([]any{ErrConfig, f.where}, args...)...)
	}
}

// Has reports whether the key is there and not null.
func (f *Fields) Has(key string) bool {
	v, ok := f.raw[key]
	return ok && !bytes.Equal(bytes.TrimSpace(v), []byte("null"))
}

// Ignore marks keys as known that nothing depends on.
func (f *Fields) Ignore(keys ...string) {
	for _, k := range keys {
		f.seen[k] = true
	}
}

// Done returns the first error; without one, keys that nobody read are an
// error. Keys that begin with "_" are the libraries' own notes and ignored.
func (f *Fields) Done() error {
	if f.err != nil {
		return f.err
	}
	var unknown []string
	for k := range f.raw {
		if !f.seen[k] && !strings.HasPrefix(k, "_") {
			unknown = append(unknown, k)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		f.Fail("unknown key %s", quoteSome(unknown))
	}
	return f.err
}

func quoteSome(names []string) string {
	const most = 4
	rest := ""
	if len(names) > most {
		rest = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(quoted, ", ") + rest
}

// read decodes a key; ok is false when it is absent, null or malformed.
func (f *Fields) read(key string, required bool, into any, want string) (ok bool) {
	f.seen[key] = true
	if !f.Has(key) {
		if required {
			f.Fail("key %q is missing", key)
		}
		return false
	}
	if err := json.Unmarshal(f.raw[key], into); err != nil {
		f.Fail("key %q is %s, not %s", key, shorten(f.raw[key]), want)
		return false
	}
	return true
}

func shorten(v []byte) string {
	const most = 40
	if len(v) > most {
		return string(v[:most]) + "…"
	}
	return string(v)
}

// MaxSize bounds every size that Size and Sizes accept, so that products of
// three of them stay far from overflow.
const MaxSize = 1 << 20

func (f *Fields) size(key string, v float64, low int) int {
	if v != math.Trunc(v) || v < float64(low) || v > MaxSize {
		f.Fail("key %q is %v, not a whole number from %d to %d", key, v, low, MaxSize)
		return 0
	}
	return int(v)
}

// Size reads a required whole number from 1 to MaxSize.
func (f *Fields) Size(key string) int {
	var v float64
	if !f.read(key, true, &v, "a number") {
		return 0
	}
	return f.size(key, v, 1)
}

// SizeOr is Size with a default for a key that is absent or null.
func (f *Fields) SizeOr(key string, otherwise int) int {
	var v float64
	if !f.read(key, false, &v, "a number") {
		return otherwise
	}
	return f.size(key, v, 1)
}

// Count reads a required whole number from 0 to MaxSize.
func (f *Fields) Count(key string) int {
	var v float64
	if !f.read(key, true, &v, "a number") {
		return 0
	}
	return f.size(key, v, 0)
}

// Sizes reads a required list of sizes.
func (f *Fields) Sizes(key string) []int {
	var v []float64
	if !f.read(key, true, &v, "a list of numbers") {
		return nil
	}
	list := make([]int, len(v))
	for i, x := range v {
		list[i] = f.size(key, x, 1)
	}
	return list
}

// FloatOr reads a finite number, with a default for a key that is absent or null.
func (f *Fields) FloatOr(key string, otherwise float64) float64 {
	v := otherwise
	f.read(key, false, &v, "a number")
	return v
}

// Floats reads a required list of numbers.
func (f *Fields) Floats(key string) []float64 {
	var v []float64
	f.read(key, true, &v, "a list of numbers")
	return v
}

// BoolOr reads a truth value, with a default for a key that is absent or null.
func (f *Fields) BoolOr(key string, otherwise bool) bool {
	v := otherwise
	f.read(key, false, &v, "true or false")
	return v
}

// StringOr reads a string, with a default for a key that is absent or null.
func (f *Fields) StringOr(key, otherwise string) string {
	v := otherwise
	f.read(key, false, &v, "a string")
	return v
}

// Strings reads a required list of strings.
func (f *Fields) Strings(key string) []string {
	var v []string
	f.read(key, true, &v, "a list of strings")
	return v
}

// Object reads a required object. Its errors are kept by the object itself:
// the caller asks its Done too.
func (f *Fields) Object(key string) *Fields {
	inner := &Fields{where: f.where + ", " + key, seen: map[string]bool{}}
	if !f.read(key, true, &inner.raw, "an object") {
		inner.err = f.err
	}
	return inner
}

// Adopt keeps an error of an inner object unless there is one already.
func (f *Fields) Adopt(err error) {
	if f.err == nil {
		f.err = err
	}
}
