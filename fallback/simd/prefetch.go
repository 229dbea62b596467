//go:build amd64 || arm64

package simd

//go:noescape
func prefetchLines(n int, from *float32)

// Prefetch asks for memory that will be read soon to come into the second-level
// cache.
func Prefetch(s []float32) {
	if n := len(s) / 16; n > 0 {
		prefetchLines(n, &s[0])
	}
}
