// Package npy reads and writes arrays in NumPy's .npy format, versions 1 to 3,
// as its documentation (numpy.lib.format) describes it. It knows arrays
// (package graph) and no models.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"nanoflux/graph"
)

// ErrFormat is wrapped by every error of Decode.
var ErrFormat = errors.New("not a usable .npy file")

const magic = "\x93NUMPY"

// maxHeader is how long a header may be; NumPy's own reader takes 10,000 bytes
// unless told otherwise.
const maxHeader = 1 << 16

// maxRank is NumPy's own limit of dimensions.
const maxRank = 64

// kinds maps NumPy's type codes, without the byte order, to element types.
var kinds = map[string]graph.TensorType{
	"f2": graph.Float16, "f4": graph.Float32, "f8": graph.Float64,
	"i1": graph.Int8, "i2": graph.Int16, "i4": graph.Int32, "i8": graph.Int64,
	"u1": graph.Uint8, "u2": graph.Uint16, "u4": graph.Uint32, "u8": graph.Uint64,
	"b1": graph.Bool,
}

// Decode returns the array of a .npy file. The array has memory of its own.
// Big-endian data is turned around; Fortran order and object types are errors.
func Decode(data []byte) (graph.Array, error) {
	a, err := decode(data)
	if err != nil {
		return graph.Array{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return a, nil
}

func decode(data []byte) (graph.Array, error) {
	var none graph.Array
	if len(data) < len(magic)+4 || string(data[:len(magic)]) != magic {
		return none, errors.New("it does not start as one")
	}
	major, rest := data[len(magic)], data[len(magic)+2:]
	var size, width uint64
	switch {
	case major == 1:
		size, width = uint64(binary.LittleEndian.Uint16(rest)), 2
	case (major == 2 || major == 3) && len(rest) >= 4:
		size, width = uint64(binary.LittleEndian.Uint32(rest)), 4
	default:
		return none, fmt.Errorf("format version %d", major)
	}
	if size > maxHeader || width+size > uint64(len(rest)) {
		return none, fmt.Errorf("its header of %d bytes is too long or cut off", size)
	}
	h, err := parseHeader(string(rest[width : width+size]))
	if err != nil {
		return none, fmt.Errorf("header: %w", err)
	}
	values := rest[width+size:]
	elements, err := graph.Elements(h.shape)
	if err != nil {
		return none, err
	}
	item := graph.ElementBits(h.kind) / 8
	if elements > len(values)/item || elements*item != len(values) {
		return none, fmt.Errorf("%d bytes of data do not fill a %v array of shape %v", len(values), h.kind, h.shape)
	}
	a := graph.NewArray(h.kind, h.shape...)
	copy(a.Data, values)
	if h.bigEndian && item > 1 {
		for i := 0; i < len(a.Data); i += item {
			slices.Reverse(a.Data[i : i+item])
		}
	}
	if h.kind == graph.Bool { // any other byte would be an invalid Go bool
		for i, b := range a.Data {
			if b > 1 {
				return none, fmt.Errorf("element %d is no bool but byte %d", i, b)
			}
		}
	}
	return a, nil
}

// Encode writes a as a version 1 file.
func Encode(w io.Writer, a graph.Array) error {
	code := ""
	for c, kind := range kinds {
		if kind == a.Type {
			code = c
		}
	}
	if code == "" {
		return fmt.Errorf("the .npy format has no %v", a.Type)
	}
	order := "<"
	if graph.ElementBits(a.Type) == 8 {
		order = "|"
	}
	var shape strings.Builder
	for i, d := range a.Shape {
		if i > 0 {
			shape.WriteString(", ")
		}
		shape.WriteString(strconv.Itoa(d))
	}
	if len(a.Shape) == 1 {
		shape.WriteString(",")
	}
	header := fmt.Sprintf("{'descr': '%s%s', 'fortran_order': False, 'shape': (%s), }", order, code, &shape)
	// The data starts at a multiple of 64, with a line end before it.
	before := len(magic) + 2 + 2
	header += strings.Repeat(" ", 63-(before+len(header))%64) + "\n"
	if len(header) > 0xffff {
		return fmt.Errorf("a shape of %d dimensions does not fit a .npy header", len(a.Shape))
	}
	start := append([]byte(magic), 1, 0)
	start = binary.LittleEndian.AppendUint16(start, uint16(len(header)))
	if _, err := w.Write(append(start, header...)); err != nil {
		return err
	}
	_, err := w.Write(a.Data)
	return err
}
