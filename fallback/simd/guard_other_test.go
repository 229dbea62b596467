//go:build !linux

package simd

import "testing"

// guarded is a slice of n elements; elsewhere it ends before memory that may not
// be touched.
func guarded[T byte | int8 | uint16 | int32 | float32](t *testing.T, n int) []T {
	t.Helper()
	return make([]T, n)
}
