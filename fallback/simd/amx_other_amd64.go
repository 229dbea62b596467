//go:build !linux

package simd

// mayUseTiles: elsewhere nobody has tried.
func mayUseTiles() bool { return false }
