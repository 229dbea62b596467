package simd

import "golang.org/x/sys/cpu"

// tileAMD64 is a tile's function: sums of groups of the depth; more is 0 or 1.
type tileAMD64 func(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerVNNI1x1(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerVNNI1x2(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerVNNI4x1(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerVNNI4x2(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerVNNI8x1(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerVNNI8x2(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerVNNI12x1(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerVNNI12x2(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAVX5121x1(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAVX5121x2(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAVX5124x1(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAVX5124x2(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAVX5128x1(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAVX5128x2(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAVX51212x1(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAVX51212x2(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAVX21x1(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAVX21x2(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAVX24x1(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerAVX24x2(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func packQuads(dst *byte, rows int, src *byte, offsets, pieces *int, count, n, flip int)

//go:noescape
func packPairs(dst *byte, rows int, src *byte, offsets, pieces *int, count, n, flip int)

//go:noescape
func requantizeAVX512(dst *byte, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zero, low, high int)

//go:noescape
func requantizeAVX512Simple(dst *byte, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zero, low, high int)

//go:noescape
func requantizeAVX2(dst *byte, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zero, low, high int)

// withIntegers gives the tables their loops on integers, and adds the levels that
// differ from others in those only.
func withIntegers(list []*Table) []*Table {
	for _, t := range list {
		t.Integer = integerAVX2().with(&rowsAVX2)
		if t.Name == "avx512" && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ {
			t.Integer = integerAVX512().with(&rowsAVX512)
		}
	}
	if len(list) > 1 && cpu.X86.HasAVX512VNNI && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512DQ {
		t := *list[len(list)-1]
		t.Name, t.Integer = "avx512vnni", integerVNNI().with(&rowsVNNI)
		list = append(list, &t)
		if mayUseTiles() {
			tiles := t
			tiles.Name, tiles.Integer.Deep = "amx", integerAMX(t.Integer)
			list = append(list, &tiles)
		}
	}
	return list
}

func integerAVX2() Integer {
	return Integer{
		Heights: []int{4, 1}, Columns: 16, Group: 2, Wide: true,
		PackRows: packRowsPairs,
		Multiply: func(groups, rows, columns int, left []byte, right []int8, sums []int32, more bool) {
			tile := integerAVX24x2
			switch wide := columns > 8; {
			case rows == 4 && !wide:
				tile = integerAVX24x1
			case rows == 1 && wide:
				tile = integerAVX21x2
			case rows == 1:
				tile = integerAVX21x1
			}
			callTile(tile, groups, rows, 4, 2, 16, left, right, sums, more)
		},
		Requantize: func(dst []byte, stride int, sums []int32, sumStride, rows, columns int, q *Requantizer, from int) {
			q.fits(dst, stride, sums, sumStride, rows, columns, from)
			requantizeAVX2(&dst[0], stride, &sums[0], sumStride, rows, columns, &q.parameters[from], q.size, int(q.Zero), int(q.Low), int(q.High))
		},
	}
}

func integerAVX512() Integer {
	t := integerVNNI()
	t.Group, t.Wide, t.Unsigned, t.PackRows = 2, true, false, packRowsPairs
	t.Multiply = func(groups, rows, columns int, left []byte, right []int8, sums []int32, more bool) {
		callTile(tileOf(&tilesAVX512, rows, columns), groups, rows, 4, 2, 32, left, right, sums, more)
	}
	return t
}

func integerVNNI() Integer {
	return Integer{
		Heights: []int{12, 8, 4, 1}, Columns: 32, Group: 4, Unsigned: true,
		PackRows: packRowsQuads,
		Multiply: func(groups, rows, columns int, left []byte, right []int8, sums []int32, more bool) {
			callTile(tileOf(&tilesVNNI, rows, columns), groups, rows, 4, 4, 32, left, right, sums, more)
		},
		Requantize: func(dst []byte, stride int, sums []int32, sumStride, rows, columns int, q *Requantizer, from int) {
			q.fits(dst, stride, sums, sumStride, rows, columns, from)
			requantize := requantizeAVX512
			if q.simple() {
				requantize = requantizeAVX512Simple
			}
			requantize(&dst[0], stride, &sums[0], sumStride, rows, columns, &q.parameters[from], q.size, int(q.Zero), int(q.Low), int(q.High))
		},
	}
}

// Tiles by their rows (1, 4, 8, 12) and their registers across (1, 2).
var (
	tilesVNNI = [4][2]tileAMD64{
		{integerVNNI1x1, integerVNNI1x2}, {integerVNNI4x1, integerVNNI4x2}, {integerVNNI8x1, integerVNNI8x2}, {integerVNNI12x1, integerVNNI12x2},
	}
	tilesAVX512 = [4][2]tileAMD64{
		{integerAVX5121x1, integerAVX5121x2}, {integerAVX5124x1, integerAVX5124x2}, {integerAVX5128x1, integerAVX5128x2}, {integerAVX51212x1, integerAVX51212x2},
	}
)

func tileOf(tiles *[4][2]tileAMD64, rows, columns int) tileAMD64 {
	if columns > 16 {
		return tiles[rows/4][1]
	}
	return tiles[rows/4][0]
}

// callTile checks that the slices suffice: cell is the size of a group of the left
// operand, group that of the right one, in bytes.
func callTile(tile tileAMD64, groups, rows, cell, group, width int, left []byte, right []int8, sums []int32, more bool) {
	if groups < 1 || len(left) < groups*rows*cell || len(right) < groups*group*width || len(sums) < rows*width {
		panic("simd: tile outside its slices")
	}
	tile(groups, &left[0], asBytes(right), &sums[0], index(more))
}

func packRowsQuads(dst, src []byte, offsets, pieces []int, n int, flip byte) {
	offsetsFit(src, offsets, pieces, n)
	if n == 0 {
		return
	}
	height := len(offsets)
	if height == 1 {
		for i, p := range pieces {
			flipBytes(dst[i*n:][:n], src[offsets[0]+p:][:n], flip)
		}
		return
	}
	dst = dst[:len(pieces)*n*height]
	packQuads(&dst[0], height/4*4, &src[0], &offsets[0], &pieces[0], len(pieces), n, int(flip))
}

func packRowsPairs(dst, src []byte, offsets, pieces []int, n int, flip byte) {
	offsetsFit(src, offsets, pieces, n)
	if n == 0 {
		return
	}
	height := len(offsets)
	dst = dst[:2*len(pieces)*n*height]
	if height == 1 {
		for i, p := range pieces {
			to := dst[2*i*n:][:2*n]
			for k, v := range src[offsets[0]+p:][:n] {
				wide := int16(int8(v ^ flip))
				to[2*k], to[2*k+1] = byte(wide), byte(wide>>8)
			}
		}
		return
	}
	packPairs(&dst[0], height/4*4, &src[0], &offsets[0], &pieces[0], len(pieces), n, int(flip))
}
