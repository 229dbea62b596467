package simd

import "math"

// Integer holds the inner loops on 8-bit integers, exact at every level: what
// they compute does not depend on the level.
//
// Both operands of a product are packed, in groups of Group elements along the
// depth. Elements of the left panel are a byte each, or 16 bits (Wide); those of
// the right panel are bytes.
//
//	left   [depth/Group][rows][Group]     rows is one of Heights
//	right  [depth/Group][Columns][Group]
//
// What is left over of the depth is zero in the right panel, anything in the left
// one.
type Integer struct {
	// Heights are the tiles' numbers of rows, the largest first. Columns is their
	// number of columns, a multiple of 4.
	Heights []int
	Columns int
	Group   int
	Wide    bool
	// Unsigned: left elements are 0…255 instead of −128…127; right ones are
	// signed at every level.
	Unsigned bool

	// Deep are the loops for products with many columns and a great depth, nil where
	// there are no others.
	Deep *Integer

	// Tiled: each group of the right panel lies as [Columns/16][Group/4][16][4].
	Tiled bool
	// AnyPieces: PackRows takes pieces of any size.
	AnyPieces bool

	// PackRows packs len(offsets) rows, one of Heights. A row consists of pieces
	// of n elements, a multiple of Group; piece p of row i begins at
	// src[offsets[i] + pieces[p]]. Each byte is changed by exclusive or with flip
	// before.
	PackRows func(dst, src []byte, offsets, pieces []int, n int, flip byte)

	// Multiply computes a tile of sums [rows][Columns], rows being one of
	// Heights:
	//
	//	sums[i·Columns + j] = Σ left(i, k) · right(k, j)
	//
	// of which the columns < columns are valid, those behind may be anything.
	// With more, the sums are added to those that are there.
	Multiply func(groups, rows, columns int, left []byte, right []int8, sums []int32, more bool)

	// Requantize makes output integers of rows × columns sums, whose parameters are
	// those of q's columns from the given one on. It may read sums up to a multiple
	// of 16 columns.
	Requantize func(dst []byte, stride int, sums []int32, sumStride, rows, columns int, q *Requantizer, from int)

	// Depthwise sums the taps of pixels of one line:
	//
	//	sums[p·channels + c] = Σ src[p·step + taps[t] + c] · w[t·channels + c]
	//
	// channels is a multiple of 16. Elements of src are signed or unsigned bytes;
	// those of w are 16 bits wide, signed, in the lower half, and the upper one is
	// 0.
	Depthwise func(sums []int32, src []byte, step int, taps []int, w []int32, pixels, channels int, unsigned bool)

	// Scale makes floats of rows × columns sums, for integers that were quantized
	// row by row. zeros and factors have an element each row. It may read sums up
	// to a multiple of 16 columns.
	Scale func(dst []float32, stride int, sums []int32, sumStride, rows, columns int, s *Scaler, from int, zeros []int32, factors []float32)

	// Sum adds bytes, each scaled by its own rule; a, b and sums are as long.
	Sum func(sums []int32, a, b []byte, rules *[2]Scaling, unsigned bool)

	// Product is (a − zeros[0]) · (b − zeros[1]), byte by byte.
	Product func(sums []int32, a, b []byte, zeros *[2]int32, unsigned bool)

	// Largest is dst = max(dst, src), byte by byte; they are as long.
	Largest func(dst, src []byte, unsigned bool)

	// Range gives the least and the largest of x and 0; both are NaN when one of
	// x is.
	Range func(x []float32) (low, high float32)

	// Quantize makes bytes: x·factor rounded, halves to the even number or away
	// from zero, plus zero, clamped. NaN counts as 0. zero, low and high are at
	// most 2¹⁶ in size.
	Quantize func(dst []byte, x []float32, factor float32, zero, low, high int32, even bool)
}

// Height is the least of Heights that is not below rows, or the largest.
func (t *Integer) Height(rows int) int {
	for i := len(t.Heights) - 1; i > 0; i-- {
		if t.Heights[i] >= rows {
			return t.Heights[i]
		}
	}
	return t.Heights[0]
}

// LeftBytes is the size of a packed panel of the left operand.
func (t *Integer) LeftBytes(rows, depth int) int {
	n := t.Groups(depth) * t.Group * rows
	if t.Wide {
		n *= 2
	}
	return n
}

// Groups is how many groups the depth takes.
func (t *Integer) Groups(depth int) int { return (depth + t.Group - 1) / t.Group }

// PackColumns packs columns of a right operand: element (j, k) is w[j·stride + k],
// changed by exclusive or with flip. dst takes Groups(depth)·Group·Columns bytes.
// sums gets the sum of each column.
func (t *Integer) PackColumns(dst []int8, w []int8, stride, columns, depth int, flip byte, sums []int32) {
	if t.Tiled {
		t.packTiles(dst, w, stride, columns, depth, flip, sums)
		return
	}
	group, width := t.Group, t.Columns*t.Group
	dst = dst[:t.Groups(depth)*width]
	if columns < t.Columns || depth%group != 0 {
		clear(dst)
	}
	for j := range columns {
		column := w[j*stride:][:depth]
		sum := int32(0)
		at := j * group
		for len(column) >= group {
			for i, v := range column[:group] {
				v ^= int8(flip)
				dst[at+i] = v
				sum += int32(v)
			}
			column = column[group:]
			at += width
		}
		for i, v := range column {
			v ^= int8(flip)
			dst[at+i] = v
			sum += int32(v)
		}
		sums[j] = sum
	}
}

// packTiles is PackColumns for panels that are tiled.
func (t *Integer) packTiles(dst []int8, w []int8, stride, columns, depth int, flip byte, sums []int32) {
	clear(dst[:t.Groups(depth)*t.Group*t.Columns])
	const tile = 16
	for j := range columns {
		to := dst[j/tile*tile*t.Group+j%tile*4:]
		sum := int32(0)
		for k, v := range w[j*stride:][:depth] {
			v ^= int8(flip)
			to[k/t.Group*t.Group*t.Columns+k%t.Group/4*4*tile+k%4] = v
			sum += int32(v)
		}
		sums[j] = sum
	}
}

// Requantizer turns sums into integers of 8 bits: zero + (sum + bias) · factor,
// clamped, the factor being mantissa · 2^(left − right − 31), at most one of left
// and right not 0.
type Requantizer struct {
	// parameters are arrays, a column each: bias, mantissa, left, right, round
	// (1 where right > 0), away (−1 where halves are rounded away from zero),
	// right − 1, or 0 where right is 0.
	parameters []int32
	// size of one array: the columns, rounded up to a multiple of 16, and 16 more.
	size int
	// plain: no column has a left shift, or halves to round away from zero.
	plain bool

	Zero, Low, High int32
}

// NewRequantizer has room for the parameters of the given number of columns.
func NewRequantizer(columns int) *Requantizer {
	size := (columns+15)/16*16 + 16
	return &Requantizer{parameters: make([]int32, 7*size), size: size, plain: true}
}

// Column sets the factor of a column, mantissa · 2^(shift−31), and whether the
// right shift rounds halves away from zero instead of up.
func (q *Requantizer) Column(i int, mantissa int32, shift int, away bool) {
	q.plain = q.plain && shift <= 0 && !away
	set := func(array int, v int32) { q.parameters[array*q.size+i] = v }
	set(1, mantissa)
	set(2, int32(max(shift, 0)))
	set(3, int32(max(-shift, 0)))
	set(4, 0)
	set(5, 0)
	if shift < 0 {
		set(4, 1)
		if away {
			set(5, -1)
		}
	}
	set(6, max(int32(-shift)-1, 0))
}

// simple reports whether the columns need no left shift and no halves rounded away
// from zero, and the outputs are all of int8.
func (q *Requantizer) simple() bool {
	return q.plain && q.Low == -128 && q.High == 127
}

// Bias is the columns' biases, to be set.
func (q *Requantizer) Bias() []int32 { return q.parameters[:q.size] }

// array is one array of parameters, from the given column on.
func (q *Requantizer) array(i, from int) []int32 { return q.parameters[i*q.size+from : (i+1)*q.size] }

// fits panics when the arguments of Requantize would reach outside their slices.
func (q *Requantizer) fits(dst []byte, stride int, sums []int32, sumStride, rows, columns, from int) {
	whole := (columns + 15) / 16 * 16
	if rows < 1 || columns < 1 || stride < 0 || sumStride < 0 || len(dst) < (rows-1)*stride+columns ||
		len(sums) < (rows-1)*sumStride+whole || from < 0 || from+whole > q.size {
		panic("simd: requantized outside its slices")
	}
}

// offsetsFit panics when pieces of n bytes would reach outside src.
func offsetsFit(src []byte, offsets, pieces []int, n int) {
	low, high := offsets[0], offsets[0]
	for _, o := range offsets {
		low, high = min(low, o), max(high, o)
	}
	first, last := pieces[0], pieces[0]
	for _, p := range pieces {
		first, last = min(first, p), max(last, p)
	}
	if n < 0 || low < 0 || first < 0 || high+last > len(src)-n {
		panic("simd: packed outside its source")
	}
}

// Scaler turns sums of columns into floats:
//
//	(sum − zero[row] · columnSum) · (factor[row] · scale) + bias
//
// or, with Last, ((sum − zero[row] · columnSum) · scale) · factor[row] + bias,
// each operation rounded.
type Scaler struct {
	// parameters are arrays, a column each: sums, scales, biases (−0 for none).
	parameters []int32
	size       int

	Last bool
}

// NewScaler has room for the parameters of the given number of columns.
func NewScaler(columns int) *Scaler {
	size := (columns+15)/16*16 + 16
	return &Scaler{parameters: make([]int32, 3*size), size: size}
}

// Column sets the parameters of a column.
func (s *Scaler) Column(i int, sum int32, scale, bias float32) {
	s.parameters[i] = sum
	s.parameters[s.size+i] = int32(math.Float32bits(scale))
	s.parameters[2*s.size+i] = int32(math.Float32bits(bias))
}

// array is one array of parameters, from the given column on.
func (s *Scaler) array(i, from int) []int32 { return s.parameters[i*s.size+from : (i+1)*s.size] }

// fits panics when the arguments of Scale would reach outside their slices.
func (s *Scaler) fits(dst []float32, stride int, sums []int32, sumStride, rows, columns, from int, zeros []int32, factors []float32) {
	whole := (columns + 15) / 16 * 16
	if rows < 1 || columns < 1 || stride < 0 || sumStride < 0 || len(dst) < (rows-1)*stride+columns || len(sums) < (rows-1)*sumStride+whole ||
		from < 0 || from+whole > s.size || len(zeros) < rows || len(factors) < rows {
		panic("simd: scaled outside its slices")
	}
}

// depthwiseFits panics when Depthwise would reach outside its slices.
func depthwiseFits(sums []int32, src []byte, step int, taps []int, w []int32, pixels, channels int) {
	if pixels < 1 || channels < 16 || channels%16 != 0 || len(taps) == 0 || step < 0 || len(sums) < pixels*channels || len(w) < len(taps)*channels {
		panic("simd: depthwise sums outside their slices")
	}
	for _, t := range taps {
		if t < 0 || t+(pixels-1)*step+channels > len(src) {
			panic("simd: depthwise windows outside the source")
		}
	}
}

// Scaling is a rule for an integer x: the rounded high half of the double product
// of (x − Zero)·2^Left and Mantissa, cut off by Right bits.
type Scaling struct{ Zero, Left, Mantissa, Right int32 }
