//go:build amd64 || arm64

package simd

// checkTile panics, as an index out of range would, when assembly would read or
// write outside the slices.
func checkTile(rows, columns, panel, depth int, a, b, c []float32, stride int) {
	if depth < 1 || stride < columns || len(a) < rows*depth || len(b) < panel*depth || len(c) < (rows-1)*stride+columns {
		panic("simd: tile outside its slices")
	}
}
