package graph

import (
	"fmt"
	"math"
	"unsafe"
)

// Array is a dense n-dimensional value at run time: the input or output of a
// run, or a constant. Data is little endian, row major, without gaps, and
// aligned to its element.
type Array struct {
	Type  TensorType
	Shape []int
	Data  []byte
}

// arrayAlignment suits the widest vector registers and a cache line.
const arrayAlignment = 64

// NewArray returns a zeroed array, 64-byte aligned. It panics when the shape is
// negative or its size overflows: shapes are checked at the door.
func NewArray(t TensorType, shape ...int) Array {
	n, err := ByteSize(t, shape)
	if err != nil {
		panic(err)
	}
	return Array{Type: t, Shape: append([]int(nil), shape...), Data: AlignedBytes(n)}
}

// AlignedBytes returns n zeroed bytes whose first is 64-byte aligned.
func AlignedBytes(n int) []byte {
	b := make([]byte, n+arrayAlignment)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) & (arrayAlignment - 1))
	return b[skip : skip+n : skip+n]
}

// Elements is the number of elements of a shape: 1 for a scalar, 0 when a
// dimension is 0. It is an error when a dimension is negative or the product
// overflows.
func Elements(shape []int) (int, error) {
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if d > 0 && n > math.MaxInt/d {
			return 0, fmt.Errorf("shape %v has too many elements", shape)
		}
		n *= d
	}
	return n, nil
}

// ElementBits is the size of one element in bits (4 for INT4), or 0 for types
// without a fixed size (STRING, RESOURCE, VARIANT).
func ElementBits(t TensorType) int {
	switch t {
	case Int4:
		return 4
	case Int8, Uint8, Bool:
		return 8
	case Int16, Uint16, Float16, BFloat16:
		return 16
	case Int32, Uint32, Float32:
		return 32
	case Int64, Uint64, Float64, complex64Type:
		return 64
	case complex128Type:
		return 128
	}
	return 0
}

// ByteSize is the number of bytes that a dense tensor takes; INT4 packs two
// elements a byte.
func ByteSize(t TensorType, shape []int) (int, error) {
	n, err := Elements(shape)
	if err != nil {
		return 0, err
	}
	bits := ElementBits(t)
	if bits == 0 {
		return 0, fmt.Errorf("type %v has no fixed element size", t)
	}
	if n > (math.MaxInt-7)/bits {
		return 0, fmt.Errorf("%v tensor of shape %v is too large", t, shape)
	}
	return (n*bits + 7) / 8, nil
}

// Element is a Go type that array data can be viewed as.
type Element interface {
	~float32 | ~float64 | ~int8 | ~uint8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~bool
}

// View returns data as a slice of T without copying. data must be aligned to T
// (NewArray's and a checked model's are); a rest that does not fill a T is cut
// off. Float16 data is viewed as uint16.
func View[T Element](data []byte) []T {
	var zero T
	n := len(data) / int(unsafe.Sizeof(zero))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(data))), n)
}

// Bytes returns the memory of values without copying it.
func Bytes[T Element](values []T) []byte {
	var zero T
	if len(values) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(zero)))
}
