//go:build amd64 || arm64

package simd

// checkTile panics, as an index out of range would, when assembly would read or
// write outside the slices.
func checkTile(rows, columns, panel, depth int, a, b, c []float32, stride int) {
	if depth < 1 || stride < columns || len(a) < rows*depth || len(b) < panel*depth || len(c) < (rows-1)*stride+columns {
		panic("simd: tile outside its slices")
	}
}

// checkUnpacked is checkTile for rows that are not packed; it returns where row
// begins.
func checkUnpacked(rows, columns, panel int, runs Runs, a, b, c []float32, stride int, row []float32) *float32 {
	if runs.Count < 1 || runs.Length < 1 || runs.Step < 0 || runs.Apart < 0 || stride < columns ||
		len(a) < (rows-1)*runs.Step+(runs.Count-1)*runs.Apart+runs.Length || len(b) < panel*runs.Depth() || len(c) < (rows-1)*stride+columns {
		panic("simd: tile outside its slices")
	}
	if row == nil {
		return nil
	}
	return &row[:columns][0]
}
