// Package safetensors reads and writes the safetensors format: an 8-byte length,
// a JSON header with names, types, shapes and byte ranges, then the data.
//
// Files are mapped and tensors alias the mapping. The reader is as strict as the
// format's text, which is stricter than the reference implementation: names are
// unique, ranges cover the data exactly. The Go libraries that exist decode the
// header with encoding/json, which keeps the last of two equal names and accepts
// broken surrogates; so the header is read token by token here.
package safetensors

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"github.com/edsrzf/mmap-go"
)

// ErrFormat is wrapped by every error about a file that is not valid.
var ErrFormat = errors.New("not a valid safetensors file")

// Tensor is one tensor of a file. Data is row major, little endian, and aliases
// the file; it may be unaligned.
type Tensor struct {
	Name  string
	DType string // "F32", "BF16", "I64", …
	Shape []int
	Data  []byte
}

// File is an open file, or a set of shards behind an index.
type File struct {
	name    string
	tensors map[string]Tensor
	names   []string
	// Metadata is the header's __metadata__, nil without.
	Metadata map[string]string
	close    []func() error
}

// Open maps a .safetensors file, or all shards of a .safetensors.index.json.
func Open(path string) (*File, error) {
	if strings.HasSuffix(path, ".json") {
		return openIndex(path)
	}
	if err := mustBeRegular(path); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening weights: %w", err)
	}
	defer func() { _ = f.Close() }() // opened for reading only
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening weights: %w", err)
	}
	if info.Size() == 0 { // cannot be mapped
		return Read(nil, path)
	}
	data, err := mmap.Map(f, mmap.RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("mapping %s: %w", path, err)
	}
	file, err := Read(data, path)
	if err != nil {
		_ = data.Unmap() // the first error is the one to report
		return nil, err
	}
	file.close = append(file.close, data.Unmap)
	return file, nil
}

// mustBeRegular looks before a file is opened: opening a pipe waits for a writer.
func mustBeRegular(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("opening weights: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: %w: it is not a regular file", path, ErrFormat)
	}
	return nil
}

// Close unmaps the file; no tensor may be used after it.
func (f *File) Close() error {
	var all []error
	for _, c := range f.close {
		all = append(all, c())
	}
	f.close, f.tensors, f.names = nil, nil, nil
	return errors.Join(all...)
}

// Names lists the tensors by name.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Shape is the shape of a tensor; ok is false when there is none of that name.
func (f *File) Shape(name string) (shape []int, ok bool) {
	t, ok := f.tensors[name]
	return slices.Clone(t.Shape), ok
}

// Tensor returns a tensor by name.
func (f *File) Tensor(name string) (Tensor, error) {
	t, ok := f.tensors[name]
	if !ok {
		return Tensor{}, fmt.Errorf("%s has no tensor %q", f.name, name)
	}
	return t, nil
}

// bitsOf is the size of an element in bits; 0 for an unknown type.
func bitsOf(dtype string) int {
	switch dtype {
	case "F4":
		return 4
	case "F6_E2M3", "F6_E3M2":
		return 6
	case "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0":
		return 8
	case "U16", "I16", "F16", "BF16":
		return 16
	case "U32", "I32", "F32":
		return 32
	case "U64", "I64", "F64", "C64":
		return 64
	}
	return 0
}

// bytesOf is the size of a tensor; ok is false when it is negative, not whole
// bytes or overflows.
func bytesOf(dtype string, shape []int) (n int, ok bool) {
	elements := 1
	for _, d := range shape {
		if d < 0 || d > 0 && elements > math.MaxInt/d {
			return 0, false
		}
		elements *= d
	}
	bits := bitsOf(dtype)
	if elements > math.MaxInt/bits || elements*bits%8 != 0 {
		return 0, false
	}
	return elements * bits / 8, true
}
