package simd

//go:noescape
func integerAMX32(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAMX16(groups int, a, b *byte, sums *int32, more int)

// integerAMX multiplies tiles of 16 × 64 bytes at once. Groups of 64 elements of
// the depth lie together, in the right panel as four-byte cells of 16 columns.
func integerAMX(rows Integer) *Integer {
	t := rows
	t.Heights, t.Columns, t.Group = []int{32, 16}, 32, 64
	t.Unsigned, t.Tiled, t.AnyPieces = false, true, true
	t.PackRows = packRowsTiles
	t.Multiply = func(groups, rows, columns int, left []byte, right []int8, sums []int32, more bool) {
		tile := integerAMX32
		if rows == 16 {
			tile = integerAMX16
		}
		callTile(tile, groups, rows, 64, 64, 32, left, right, sums, more)
	}
	return &t
}

// packRowsTiles packs rows in cells of 64 bytes, for pieces of any size.
func packRowsTiles(dst, src []byte, offsets, pieces []int, n int, flip byte) {
	offsetsFit(src, offsets, pieces, n)
	if n == 0 {
		return
	}
	const cell = 64
	height := len(offsets)
	for i, o := range offsets {
		at := 0
		for _, p := range pieces {
			from := src[o+p:][:n]
			for len(from) > 0 {
				some := min(len(from), cell-at%cell)
				to := dst[(at/cell*height+i)*cell+at%cell:][:some]
				if flip == 0 {
					copy(to, from)
				} else {
					flipBytes(to, from[:some], flip)
				}
				from, at = from[some:], at+some
			}
		}
	}
}
