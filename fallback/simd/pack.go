package simd

// packRows packs rows for a tile of the matrix product, by a function that
// packs four rows at a time, a multiple of step elements of each.
func packRows(dst, src []float32, rows, height, depth, stride, step int, four func(n int, dst []float32, height int, src []float32, stride int)) {
	checkPacking(dst, src, rows, height, depth, stride)
	whole := depth / step * step
	if rows < 4 || whole == 0 {
		packGeneric(dst, src, rows, height, depth, stride)
		return
	}
	for r := 0; r < rows; r += 4 {
		r = min(r, rows-4) // the last four may overlap the ones before
		four(whole/step, dst[r:], height, src[r*stride:], stride)
	}
	if whole < depth {
		packRest(dst, src, rows, height, depth, stride, whole)
	}
}

// checkPacking panics, as an index out of range would, when packing would leave
// the slices.
func checkPacking(dst, src []float32, rows, height, depth, stride int) {
	if rows < 0 || rows > height || depth < 0 || rows > 0 && depth > 0 && len(dst) < (depth-1)*height+rows || rows > 0 && (stride < 0 || len(src) < (rows-1)*stride+depth) {
		panic("simd: packing outside its slices")
	}
}

// packGeneric is Table.PackRows in plain Go.
func packGeneric(dst, src []float32, rows, height, depth, stride int) {
	checkPacking(dst, src, rows, height, depth, stride)
	packRest(dst, src, rows, height, depth, stride, 0)
}

// packRest packs elements [from, depth) of the rows.
func packRest(dst, src []float32, rows, height, depth, stride, from int) {
	for i := range rows {
		at := from*height + i
		for _, v := range src[i*stride+from : i*stride+depth] {
			dst[at] = v
			at += height
		}
	}
}
