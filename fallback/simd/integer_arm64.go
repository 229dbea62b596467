package simd

import "golang.org/x/sys/cpu"

//go:noescape
func packCells4(dst *byte, stride int, src *byte, offsets *int, n int, flip int)

//go:noescape
func packCells8(dst *byte, stride int, src *byte, offsets *int, n int, flip int)

//go:noescape
func requantizeNEON(dst *byte, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zero, low, high int)

//go:noescape
func integerLong8(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerLong4(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerLong1(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerDot8(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerDot4(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerDot1(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerMatrix8(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerMatrix4(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func integerMatrix2(groups int, a, b *byte, sums *int32, more int)

//go:noescape
func depthwiseNEONSigned(sums *int32, src *byte, step int, taps *int, count int, w *int32, pixels, channels int)

//go:noescape
func sumNEONSigned(sums *int32, a, b *byte, n int, parameters *int32)

//go:noescape
func productNEONSigned(sums *int32, a, b *byte, n int, zeros *int32)

//go:noescape
func largestNEONSigned(dst, src *byte, n int)

//go:noescape
func depthwiseNEONUnsigned(sums *int32, src *byte, step int, taps *int, count int, w *int32, pixels, channels int)

//go:noescape
func sumNEONUnsigned(sums *int32, a, b *byte, n int, parameters *int32)

//go:noescape
func productNEONUnsigned(sums *int32, a, b *byte, n int, zeros *int32)

//go:noescape
func largestNEONUnsigned(dst, src *byte, n int)

//go:noescape
func scaleNEONFirst(dst *float32, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zeros *int32, factors *float32)

//go:noescape
func scaleNEONLast(dst *float32, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zeros *int32, factors *float32)

//go:noescape
func rangeNEON(x *float32, n int, low, high *float32)

//go:noescape
func quantizeNEONEven(dst *byte, x *float32, n int, factor float32, zero, low, high int32)

//go:noescape
func quantizeNEONAway(dst *byte, x *float32, n int, factor float32, zero, low, high int32)

// tileARM64 is a tile's function: sums of groups of the depth; more is 0 or 1.
type tileARM64 func(groups int, a, b *byte, sums *int32, more int)

// withIntegers gives the table its loops on integers, and adds the levels that
// differ in those only.
func withIntegers(neon *Table) []*Table {
	rows := Integer{
		PackRows: packRows4, Requantize: requantizeARM64, Depthwise: depthwiseARM64, Scale: scaleARM64,
		Sum: sumARM64, Product: productARM64, Largest: largestARM64, Range: rangeARM64, Quantize: quantizeARM64,
	}
	neon.Integer = rows
	neon.Integer.Heights, neon.Integer.Columns, neon.Integer.Group = []int{8, 4, 1}, 8, 4
	neon.Integer.Multiply = tileOf(4, 8, map[int]tileARM64{8: integerLong8, 4: integerLong4, 1: integerLong1})
	list := []*Table{neon}
	if cpu.ARM64.HasASIMDDP {
		t := *neon
		t.Name = "neon-dotprod"
		t.Integer.Columns = 12
		t.Integer.Multiply = tileOf(4, 12, map[int]tileARM64{8: integerDot8, 4: integerDot4, 1: integerDot1})
		list = append(list, &t)
	}
	if cpu.ARM64.HasASIMDDP && cpu.ARM64.HasI8MM {
		t := *neon
		t.Name = "neon-i8mm"
		t.Integer.Heights, t.Integer.Columns, t.Integer.Group = []int{8, 4, 2}, 8, 8
		t.Integer.PackRows = packRows8
		t.Integer.Multiply = tileOf(8, 8, map[int]tileARM64{8: integerMatrix8, 4: integerMatrix4, 2: integerMatrix2})
		list = append(list, &t)
	}
	return list
}

// tileOf is Multiply by tiles of the given numbers of rows.
func tileOf(group, width int, tiles map[int]tileARM64) func(groups, rows, columns int, left []byte, right []int8, sums []int32, more bool) {
	var table [9]tileARM64
	for rows, tile := range tiles {
		table[rows] = tile
	}
	return func(groups, rows, columns int, left []byte, right []int8, sums []int32, more bool) {
		if groups < 1 || len(left) < groups*rows*group || len(right) < groups*group*width || len(sums) < rows*width {
			panic("simd: tile outside its slices")
		}
		table[rows](groups, &left[0], asBytes(right), &sums[0], index(more))
	}
}

func packRows4(dst, src []byte, offsets, pieces []int, n int, flip byte) {
	packCells(4, packCells4, dst, src, offsets, pieces, n, flip)
}

func packRows8(dst, src []byte, offsets, pieces []int, n int, flip byte) {
	packCells(8, packCells8, dst, src, offsets, pieces, n, flip)
}

func packCells(cell int, pack func(dst *byte, stride int, src *byte, offsets *int, n int, flip int), dst, src []byte, offsets, pieces []int, n int, flip byte) {
	offsetsFit(src, offsets, pieces, n)
	if n == 0 {
		return
	}
	height, some := len(offsets), 16/cell
	for p, piece := range pieces {
		to := dst[p*n*height:][:n*height]
		if height == 1 {
			flipBytes(to, src[offsets[0]+piece:][:n], flip)
			continue
		}
		for i := 0; i < height; i += some {
			pack(&to[i*cell], cell*height, &src[piece], &offsets[i:][:some][0], n, int(flip))
		}
	}
}

func requantizeARM64(dst []byte, stride int, sums []int32, sumStride, rows, columns int, q *Requantizer, from int) {
	q.fits(dst, stride, sums, sumStride, rows, columns, from)
	whole := columns / 4 * 4
	if whole > 0 {
		requantizeNEON(&dst[0], stride, &sums[0], sumStride, rows, whole, &q.parameters[from], q.size, int(q.Zero), int(q.Low), int(q.High))
	}
	if whole < columns {
		requantizeColumns(dst[whole:], stride, sums[whole:], sumStride, rows, columns-whole, q, from+whole)
	}
}

func scaleARM64(dst []float32, stride int, sums []int32, sumStride, rows, columns int, s *Scaler, from int, zeros []int32, factors []float32) {
	s.fits(dst, stride, sums, sumStride, rows, columns, from, zeros, factors)
	whole := columns / 4 * 4
	switch {
	case whole > 0 && s.Last:
		scaleNEONLast(&dst[0], stride, &sums[0], sumStride, rows, whole, &s.parameters[from], s.size, &zeros[0], &factors[0])
	case whole > 0:
		scaleNEONFirst(&dst[0], stride, &sums[0], sumStride, rows, whole, &s.parameters[from], s.size, &zeros[0], &factors[0])
	}
	if whole < columns {
		scaleColumns(dst[whole:], stride, sums[whole:], sumStride, rows, columns-whole, s, from+whole, zeros, factors)
	}
}

func depthwiseARM64(sums []int32, src []byte, step int, taps []int, w []int32, pixels, channels int, unsigned bool) {
	depthwiseFits(sums, src, step, taps, w, pixels, channels)
	if unsigned {
		depthwiseNEONUnsigned(&sums[0], &src[0], step, &taps[0], len(taps), &w[0], pixels, channels)
	} else {
		depthwiseNEONSigned(&sums[0], &src[0], step, &taps[0], len(taps), &w[0], pixels, channels)
	}
}

func sumARM64(sums []int32, a, b []byte, rules *[2]Scaling, unsigned bool) {
	a, b = a[:len(sums)], b[:len(sums)]
	whole := len(sums) / 8 * 8
	switch {
	case whole > 0 && unsigned:
		sumNEONUnsigned(&sums[0], &a[0], &b[0], whole, &rules[0].Zero)
	case whole > 0:
		sumNEONSigned(&sums[0], &a[0], &b[0], whole, &rules[0].Zero)
	}
	addBytesGeneric(sums[whole:], a[whole:], b[whole:], rules, unsigned)
}

func productARM64(sums []int32, a, b []byte, zeros *[2]int32, unsigned bool) {
	a, b = a[:len(sums)], b[:len(sums)]
	whole := len(sums) / 8 * 8
	switch {
	case whole > 0 && unsigned:
		productNEONUnsigned(&sums[0], &a[0], &b[0], whole, &zeros[0])
	case whole > 0:
		productNEONSigned(&sums[0], &a[0], &b[0], whole, &zeros[0])
	}
	multiplyBytesGeneric(sums[whole:], a[whole:], b[whole:], zeros, unsigned)
}

func largestARM64(dst, src []byte, unsigned bool) {
	dst = dst[:len(src)]
	whole := len(src) / 16 * 16
	switch {
	case whole > 0 && unsigned:
		largestNEONUnsigned(&dst[0], &src[0], whole)
	case whole > 0:
		largestNEONSigned(&dst[0], &src[0], whole)
	}
	largestGeneric(dst[whole:], src[whole:], unsigned)
}

func rangeARM64(x []float32) (low, high float32) {
	whole := len(x) / 4 * 4
	low, high = rangeGeneric(x[whole:])
	if whole > 0 {
		var a, b float32
		rangeNEON(&x[0], whole, &a, &b)
		low, high = min(low, a), max(high, b)
	}
	return low, high
}

func quantizeARM64(dst []byte, x []float32, factor float32, zero, low, high int32, even bool) {
	dst = dst[:len(x)]
	whole := len(x) / 4 * 4
	switch {
	case whole > 0 && even:
		quantizeNEONEven(&dst[0], &x[0], whole, factor, zero, low, high)
	case whole > 0:
		quantizeNEONAway(&dst[0], &x[0], whole, factor, zero, low, high)
	}
	quantizeGeneric(dst[whole:], x[whole:], factor, zero, low, high, even)
}
