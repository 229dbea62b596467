// Package feed makes the input values of a model from what a person wrote on
// the command line: zeros, seeded values or a .npy file.
package feed

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"

	"nanoflux/cmd/nanoflux/internal/npy"
	"nanoflux/graph"
)

// ErrSpec is wrapped by errors in the text of an --input, as opposed to errors
// in the file that it names.
var ErrSpec = errors.New("--input")

// ErrFile is wrapped by errors for a .npy file that is whole but not of the
// input's type or shape.
var ErrFile = errors.New("not a value of this input")

// ErrType is wrapped by errors for an input of a type that no value can be given
// for.
var ErrType = errors.New("its type cannot be made up or read")

// Input is one input of a model, by the names that a person may use for it.
type Input struct {
	// Names are the tensor's name and its names in signatures.
	Names  []string
	Tensor *graph.Tensor
}

// maxElements bounds values that are made up: a file of a few bytes may declare
// an input of any size.
const maxElements = 1 << 28

// Arrays makes one array an input. A spec is SOURCE or NAME=SOURCE; NAME is an
// input's name or its index, and a spec without one is for every input that no
// other spec names. SOURCE is "zeros", "seed:N" or a path to a .npy file. An
// input without a spec takes "seed:0". The arrays lie in memory that is asked for,
// which must be zero and aligned; nil takes any.
func Arrays(inputs []Input, specs []string, memory func(n int) []byte) ([]graph.Array, error) {
	sources := make([]string, len(inputs))
	rest := ""
	for _, spec := range specs {
		i, source, err := find(inputs, spec)
		switch {
		case err != nil:
			return nil, err
		case source == "":
			return nil, fmt.Errorf("%w %q: no value; takes zeros, seed:N or a .npy file", ErrSpec, spec)
		case i < 0 && rest != "":
			return nil, fmt.Errorf("%w %s: there is already one without a name, %s", ErrSpec, spec, rest)
		case i < 0:
			rest = source
		case sources[i] != "":
			return nil, fmt.Errorf("%w %s: input %s has a value already, %s", ErrSpec, spec, inputs[i].Names[0], sources[i])
		default:
			sources[i] = source
		}
	}
	if rest == "" {
		rest = "seed:0"
	}
	arrays := make([]graph.Array, len(inputs))
	for i, input := range inputs {
		source := sources[i]
		if source == "" {
			source = rest
		}
		a, err := array(input.Tensor, source, uint64(i), memory)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", input.Names[0], err)
		}
		arrays[i] = a
	}
	return arrays, nil
}

// find splits a spec. A name may itself contain "=", and so may a path: the
// longest name that fits wins, and what fits no name is a source if it can be.
func find(inputs []Input, spec string) (index int, source string, err error) {
	for end := len(spec); end > 0; end-- {
		if end < len(spec) && spec[end] != '=' || end == len(spec) {
			continue
		}
		name := spec[:end]
		for i, input := range inputs {
			if slices.Contains(input.Names, name) || name == strconv.Itoa(i) {
				return i, spec[end+1:], nil
			}
		}
	}
	name, _, named := strings.Cut(spec, "=")
	if !named || strings.HasSuffix(name, ".npy") {
		return -1, spec, nil
	}
	var names []string
	for _, input := range inputs {
		names = append(names, strconv.Quote(input.Names[0]))
	}
	return 0, "", fmt.Errorf("%w %s: the model has no input %q; it has %s", ErrSpec, spec, name, strings.Join(names, ", "))
}

func array(t *graph.Tensor, source string, index uint64, memory func(n int) []byte) (graph.Array, error) {
	if source == "zeros" {
		return blank(t, memory)
	}
	if text, ok := strings.CutPrefix(source, "seed:"); ok {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return graph.Array{}, fmt.Errorf("%w %s: %q is no seed; takes a number from 0", ErrSpec, source, text)
		}
		a, err := blank(t, memory)
		if err == nil {
			fill(a, rand.New(rand.NewPCG(seed, index)))
		}
		return a, err
	}
	if !strings.HasSuffix(source, ".npy") {
		return graph.Array{}, fmt.Errorf("%w %s: takes zeros, seed:N or a .npy file", ErrSpec, source)
	}
	data, err := readFile(source)
	if err != nil {
		return graph.Array{}, err
	}
	a, err := npy.Decode(data)
	if err != nil {
		return graph.Array{}, fmt.Errorf("%s: %w", source, err)
	}
	if a.Type != t.Type {
		return graph.Array{}, fmt.Errorf("%s: %w: it holds %v, the model takes %v; convert it with NumPy's astype", source, ErrFile, a.Type, t.Type)
	}
	if !Fits(t, a.Shape) {
		return graph.Array{}, fmt.Errorf("%s: %w: it has shape %v, the model takes %s", source, ErrFile, a.Shape, ShapeText(t))
	}
	if memory != nil {
		a.Data = append(memory(len(a.Data))[:0], a.Data...)
	}
	return a, nil
}

// readFile looks before it opens: opening a pipe would wait for a writer.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w: it is not a regular file; give a .npy file", path, ErrFile)
	}
	return os.ReadFile(path)
}

// blank is zeros of the size that the model was written with.
func blank(t *graph.Tensor, memory func(n int) []byte) (graph.Array, error) {
	if graph.ElementBits(t.Type) == 0 {
		return graph.Array{}, fmt.Errorf("%w: %v", ErrType, t.Type)
	}
	n, err := graph.Elements(t.Shape)
	if err != nil {
		return graph.Array{}, err
	}
	if n > maxElements {
		return graph.Array{}, fmt.Errorf("shape %v is too large to make up; give a .npy file", t.Shape)
	}
	if memory == nil {
		return graph.NewArray(t.Type, t.Shape...), nil
	}
	size, err := graph.ByteSize(t.Type, t.Shape)
	if err != nil {
		return graph.Array{}, err
	}
	return graph.Array{Type: t.Type, Shape: slices.Clone(t.Shape), Data: memory(size)}, nil
}

// fill draws values: floats uniform in [−1, 1), 8- and 16-bit integers over
// their whole range, wider ones 0 or 1 (they are mostly indices and counts),
// bools either way.
func fill(a graph.Array, r *rand.Rand) {
	float := func() float64 { return 2*r.Float64() - 1 }
	each := func(n int, set func(i int)) {
		for i := range n {
			set(i)
		}
	}
	switch a.Type {
	case graph.Float32:
		v := graph.View[float32](a.Data)
		each(len(v), func(i int) { v[i] = float32(float()) })
	case graph.Float64:
		v := graph.View[float64](a.Data)
		each(len(v), func(i int) { v[i] = float() })
	case graph.Float16:
		// Sign and 10 fraction bits under the exponent of [0.5, 1): uniform
		// over two halves of the range, and exact.
		v := graph.View[uint16](a.Data)
		each(len(v), func(i int) { v[i] = uint16(r.Uint32())&0x83ff | 14<<10 })
	case graph.BFloat16:
		v := graph.View[uint16](a.Data)
		each(len(v), func(i int) { v[i] = uint16(math.Float32bits(float32(float())) >> 16) })
	case graph.Int32, graph.Uint32:
		v := graph.View[int32](a.Data)
		each(len(v), func(i int) { v[i] = r.Int32N(2) })
	case graph.Int64, graph.Uint64:
		v := graph.View[int64](a.Data)
		each(len(v), func(i int) { v[i] = r.Int64N(2) })
	case graph.Bool:
		each(len(a.Data), func(i int) { a.Data[i] = byte(r.Uint32() & 1) })
	default:
		each(len(a.Data), func(i int) { a.Data[i] = byte(r.Uint32()) })
	}
}

// Fits reports whether a value of this shape may be given for t: sizes that the
// model leaves open may be any, and a file's missing or extra dimensions of
// size 1 are not forgiven.
func Fits(t *graph.Tensor, shape []int) bool {
	if len(shape) != len(t.Shape) {
		return false
	}
	for i, d := range shape {
		open := len(t.ShapeSignature) == len(t.Shape) && t.ShapeSignature[i] < 0
		if d != t.Shape[i] && !open {
			return false
		}
	}
	return true
}

// ShapeText is a tensor's shape with ? for sizes that the caller chooses.
func ShapeText(t *graph.Tensor) string {
	parts := make([]string, len(t.Shape))
	for i, d := range t.Shape {
		parts[i] = strconv.Itoa(d)
		if len(t.ShapeSignature) == len(t.Shape) && t.ShapeSignature[i] < 0 {
			parts[i] = "?"
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}
