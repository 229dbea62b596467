package fallback

import (
	"fmt"
	"sync"
	"unsafe"

	"nanoflux/fallback/simd"
)

// integerWeights is the right-hand side of a product of integers, w [columns,
// depth], packed for the tiles: a panel for each kernels.Columns columns.
type integerWeights struct {
	kernels        *simd.Integer
	columns, depth int
	data           []int8
	// sums are those of the columns' integers.
	sums []int32
	// zero is the zero point of the integers as they are packed.
	zero int32
}

// integerKernels are those for a product with so many columns.
func integerKernels(columns, depth int) *simd.Integer {
	k := &simd.Active().Integer
	if t := k.Deep; t != nil && columns > t.Columns && depth >= 4*t.Group {
		return t
	}
	return k
}

func newIntegerWeights(columns, depth int) *integerWeights {
	w := &integerWeights{kernels: integerKernels(columns, depth), columns: columns, depth: depth}
	w.sums = make([]int32, columns)
	w.data = alignedIntegers(w.panels() * w.panelSize())
	return w
}

func (w *integerWeights) panels() int {
	return (w.columns + w.kernels.Columns - 1) / w.kernels.Columns
}
func (w *integerWeights) panelSize() int {
	return w.kernels.Groups(w.depth) * w.kernels.Group * w.kernels.Columns
}

// pack packs integers with the given zero point.
func (w *integerWeights) pack(pool *pool, from []byte, unsigned bool, zero int32) {
	flip := byte(0)
	w.zero = zero
	if unsigned {
		flip, w.zero = 0x80, zero-128
	}
	size, width := w.panelSize(), w.kernels.Columns
	source := unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(from))), len(from))
	pack := func(panel int) {
		column := panel * width
		n := min(width, w.columns-column)
		w.kernels.PackColumns(w.data[panel*size:], source[column*w.depth:], w.depth, n, w.depth, flip, w.sums[column:column+n])
	}
	if len(w.data) < 1<<15 {
		for i := range w.panels() {
			pack(i)
		}
		return
	}
	pool.each(w.panels(), pack)
}

// alignedIntegers are n integers that begin where a cache line does.
func alignedIntegers(n int) []int8 {
	const line = 64
	data := make([]int8, n+line)
	skip := -int(uintptr(unsafe.Pointer(&data[0]))) & (line - 1)
	return data[skip:][:n:n]
}

// integerWeights packs the constant weights of a node once; for others it reserves the
// memory, and they are packed by bind in each run.
func (n *node) integerWeights(input, groups, columns, depth int) ([]*integerWeights, error) {
	if list, ok := n.state.([]*integerWeights); ok {
		if len(list) != groups || list[0].columns != columns || list[0].depth != depth {
			return nil, fmt.Errorf("%d groups of weights [%d, %d], they were packed as %d of [%d, %d]", groups, columns, depth, len(list), list[0].columns, list[0].depth)
		}
		return list, nil
	}
	k := integerKernels(columns, depth)
	if err := n.work(groups, k.Groups(depth)*k.Group); err != nil {
		return nil, err
	}
	if err := n.work(groups*(k.Groups(depth)*k.Group), columns+k.Columns); err != nil {
		return nil, err
	}
	list := make([]*integerWeights, groups)
	for g := range list {
		list[g] = newIntegerWeights(columns, depth)
	}
	if n.in[input].constant {
		n.packIntegers(list, input)
		n.state = list
		n.unneeded(input)
	}
	return list, nil
}

// packIntegers packs the weights of all groups.
func (n *node) packIntegers(list []*integerWeights, input int) {
	t := n.in[input].tensor
	for g, w := range list {
		w.pack(n.pool, n.in[input].data[g*w.columns*w.depth:][:w.columns*w.depth], isUnsigned(t), affineOf(t).zero)
	}
}

// integerStore takes a tile of sums [rows][stride] of a product.
type integerStore interface {
	store(row, column, rows, columns int, sums []int32, stride int)
}

// integerProduct is a matrix product of small integers, left · wᵀ, exact as long
// as the sums fit int32. A node makes one and fills in the data at each run.
//
// What store gets of the sum over k of (left − z)·(w − w.zero), z being the left
// side's zero point as it is packed, lacks what depends on the column alone:
// columnTerm.
type integerProduct struct {
	pool  *pool
	rows  int
	left  integerLeft
	flip  byte // of the left side's bytes, when they are packed
	w     *integerWeights
	store integerStore

	rowParts, columnParts int
	part                  func(i int) // computePart, made once
}

// leftFlip is how bytes of the left side are changed when they are packed, and by
// how much their integers grow.
func leftFlip(k *simd.Integer, unsigned bool) (flip byte, shift int32) {
	switch {
	case k.Unsigned && !unsigned:
		return 0x80, 128
	case !k.Unsigned && unsigned:
		return 0x80, -128
	}
	return 0, 0
}

// columnTerm is what the sums of a column lack, for the zero point of the left
// side as it is packed.
func (w *integerWeights) columnTerm(column int, zero int32) int32 {
	return zero * (int32(w.depth)*w.zero - w.sums[column])
}

const (
	// integerDepth is how many elements of the depth are multiplied at once: a
	// panel's part then stays in the first-level cache.
	integerDepth = 1024
	// integerBlock is how many bytes of the left side are packed at once: they
	// stay in the second-level cache.
	integerBlock = 1 << 19
	// littleIntegerWork is how many products are not worth a goroutine.
	littleIntegerWork = 1 << 18
)

// run computes the product.
func (p *integerProduct) run() {
	if p.rows == 0 || p.w.columns == 0 {
		return
	}
	k := p.w.kernels
	tiles := (p.rows + k.Heights[0] - 1) / k.Heights[0]
	block := max(1, integerBlock/k.LeftBytes(k.Heights[0], p.w.depth))
	threads := p.pool.threads
	p.rowParts, p.columnParts = (tiles+block-1)/block, 1
	switch panels := p.w.panels(); {
	case threads == 1 || p.rows*p.w.columns*p.w.depth <= littleIntegerWork:
		for i := 0; i < p.rowParts && !p.pool.stopped(); i++ {
			p.computePart(i)
		}
		return
	case tiles >= 2*threads || panels == 1:
		p.rowParts = min(tiles, (p.rowParts+threads-1)/threads*threads)
	default:
		p.columnParts = min(panels, threads)
	}
	if p.part == nil {
		p.part = p.computePart
	}
	p.pool.each(p.rowParts*p.columnParts, p.part)
}

func (p *integerProduct) computePart(i int) {
	row, column := i/p.columnParts, i%p.columnParts
	height, panels := p.w.kernels.Heights[0], p.w.panels()
	tiles := (p.rows + height - 1) / height
	first, last := tiles*row/p.rowParts*height, min(p.rows, tiles*(row+1)/p.rowParts*height)
	p.block(first, last-first, panels*column/p.columnParts, panels*(column+1)/p.columnParts)
}

// block computes rows [first, first+n) for panels [fromPanel, toPanel).
func (p *integerProduct) block(first, n, fromPanel, toPanel int) {
	k, w := p.w.kernels, p.w
	height := k.Heights[0]
	tiles := (n + height - 1) / height
	size := k.LeftBytes(height, w.depth) // of a whole tile's left panel
	s := takeIntegerScratch(tiles*size+p.left.stageBytes(k, height), 2*height, tiles*height)
	defer s.give()
	left, stage := s.bytes[:tiles*size], s.bytes[tiles*size:]
	rowTerms := s.rows[:tiles*height]
	for tile := range tiles {
		r := tile * height
		offsets := s.offsets[:k.Height(n-r)]
		p.left.starts(offsets, first+r, n-r)
		if w.zero != 0 {
			for i, o := range offsets {
				rowTerms[r+i] = -w.zero * p.left.sum(o, p.flip, k.Unsigned)
			}
		}
		p.left.pack(k, left[tile*size:], offsets, s.offsets[height:], stage, p.flip)
	}
	groups := k.Groups(w.depth)
	most := integerDepth / k.Group
	kept := 1 // tiles of sums that are kept at once
	if groups > most {
		kept = tiles
	}
	tileSize := height * k.Columns
	t := takeIntegers(kept*tileSize + 16)
	defer t.give()
	for panel := fromPanel; panel < toPanel; panel++ {
		right := w.data[panel*w.panelSize():][:w.panelSize()]
		column := panel * k.Columns
		columns := min(k.Columns, w.columns-column)
		for from := 0; from < groups; from += most {
			some := min(most, groups-from)
			for tile := range tiles {
				r := tile * height
				rows := min(height, n-r)
				high := k.Height(rows)
				sums := t.data[tile%kept*tileSize:]
				k.Multiply(some, high, columns, left[tile*size+k.LeftBytes(high, from*k.Group):], right[from*k.Group*k.Columns:], sums, from > 0)
				if from+some < groups {
					continue
				}
				if w.zero != 0 {
					for i := range rows {
						for j := range sums[i*k.Columns:][:columns] {
							sums[i*k.Columns+j] += rowTerms[r+i]
						}
					}
				}
				p.store.store(first+r, column, rows, columns, sums, k.Columns)
			}
		}
	}
}

// integerScratch is memory for one call of block.
type integerScratch struct {
	bytes   []byte
	offsets []int
	rows    []int32
}

var integerBlocks = sync.Pool{New: func() any { return &integerScratch{} }}

// takeIntegerScratch returns memory of unspecified content; give brings it back.
func takeIntegerScratch(bytes, offsets, rows int) *integerScratch {
	s := integerBlocks.Get().(*integerScratch)
	if cap(s.bytes) < bytes {
		s.bytes = make([]byte, bytes)
	}
	if cap(s.offsets) < offsets {
		s.offsets = make([]int, offsets)
	}
	if cap(s.rows) < rows {
		s.rows = make([]int32, rows)
	}
	s.bytes, s.offsets, s.rows = s.bytes[:bytes], s.offsets[:offsets], s.rows[:rows]
	return s
}

func (s *integerScratch) give() { integerBlocks.Put(s) }

// integers is scratch memory, as scratch is.
type integers struct{ data []int32 }

var integerScratches = sync.Pool{New: func() any { return &integers{} }}

// takeIntegers returns n integers of unspecified content; give brings them back.
func takeIntegers(n int) *integers {
	s := integerScratches.Get().(*integers)
	if cap(s.data) < n {
		s.data = make([]int32, n)
	}
	s.data = s.data[:n]
	return s
}

func (s *integers) give() { integerScratches.Put(s) }
