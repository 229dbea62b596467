//go:build amd64 || arm64

package simd

import "unsafe"

// asFloats is a pointer to elements of another type as the vector kernels take it.
func asFloats[T uint16 | int8 | uint8](p *T) *float32 { return (*float32)(unsafe.Pointer(p)) }
