package fallback

import (
	"encoding/binary"

	"nanoflux/fallback/simd"
)

// integerLeft is the left-hand side of a product of integers: the rows of a
// matrix, or the windows of a convolution. Row r is pixel r of images [height,
// width] of output pixels, and consists of pieces of data, one behind the other.
type integerLeft struct {
	data []byte
	// What one pixel, line or image further is in data.
	width, height      int
	pixel, line, image int
	// pieces are where a row's pieces begin, length their size.
	pieces []int
	length int
}

// matrixLeft is the left-hand side of rows of a matrix [rows, depth].
func matrixLeft(rows, depth int) integerLeft {
	return integerLeft{width: max(1, rows), height: 1, pixel: depth, pieces: onePiece, length: depth}
}

// starts fills offsets with where rows [first, first+n) begin; what is left over
// of offsets gets the last one.
func (l *integerLeft) starts(offsets []int, first, n int) {
	x, y := first%l.width, first/l.width
	at := y/l.height*l.image + y%l.height*l.line + x*l.pixel
	for i := range offsets {
		offsets[i] = at
		if i >= n-1 {
			continue
		}
		if x, at = x+1, at+l.pixel; x == l.width {
			x, y = 0, y+1
			at = y/l.height*l.image + y%l.height*l.line
		}
	}
}

// depth is the number of elements of a row.
func (l *integerLeft) depth() int { return len(l.pieces) * l.length }

// pack packs rows for one tile. offsets, of the tile's height, is where the rows
// begin; stage is scratch.
func (l *integerLeft) pack(k *simd.Integer, dst []byte, offsets, staged []int, stage []byte, flip byte) {
	height := len(offsets)
	if k.AnyPieces || l.length%k.Group == 0 {
		k.PackRows(dst, l.data, offsets, l.pieces, l.length, flip)
		return
	}
	depth := k.Groups(l.depth()) * k.Group
	for i, o := range offsets {
		staged[i] = i * depth
		at := i * depth
		for _, piece := range l.pieces {
			copyShort(stage[at:], l.data[o+piece:], l.length)
			at += l.length
		}
	}
	k.PackRows(dst, stage, staged[:height], onePiece, depth, flip)
}

// onePiece is where the pieces of a row of one piece begin.
var onePiece = []int{0}

// stageBytes is the size of pack's scratch for a tile of the given height.
func (l *integerLeft) stageBytes(k *simd.Integer, height int) int {
	if k.AnyPieces || l.length%k.Group == 0 {
		return 0
	}
	return k.Groups(l.depth())*k.Group*height + 16
}

// sum adds up the integers of a row that begins at o, as the packed panel has them.
func (l *integerLeft) sum(o int, flip byte, unsigned bool) int32 {
	sum := int32(0)
	for _, piece := range l.pieces {
		for _, v := range l.data[o+piece:][:l.length] {
			if v ^= flip; unsigned {
				sum += int32(v)
			} else {
				sum += int32(int8(v))
			}
		}
	}
	return sum
}

// copyShort copies n bytes; up to 15 more may be overwritten behind them.
func copyShort(dst, src []byte, n int) {
	if n <= 16 && len(dst) >= 16 && len(src) >= 16 {
		a, b := binary.LittleEndian.Uint64(src), binary.LittleEndian.Uint64(src[8:])
		binary.LittleEndian.PutUint64(dst, a)
		binary.LittleEndian.PutUint64(dst[8:], b)
		return
	}
	copy(dst, src[:n])
}

// padding is the copy of a convolution's input in which every window lies inside:
// the margins hold what stands for zero.
type padding struct {
	batch, height, width, channels int // of the input
	top, left                      int
	tall, wide                     int // of the copy
	// repeat is how often each channel stands there.
	repeat int
	// slack is how many bytes behind the last window may be read.
	slack int
	data  []byte

	pool *pool
	from []byte
	zero []byte // one, or one an image
	// margins are what the copy's margins hold already, an image each.
	margins []int16
	copy    func(from, to int)
}

// newPadding works out the copy's size for windows along h and w.
func newPadding(pool *pool, batch, channels int, h, w axis, repeat, slack int) *padding {
	reach := func(a axis) int { return (a.out-1)*a.stride + (a.kernel-1)*a.dilation + 1 }
	p := &padding{
		batch: batch, height: h.in, width: w.in, channels: channels, top: h.before, left: w.before,
		tall: max(1, reach(h)), wide: max(1, reach(w)), repeat: repeat, slack: slack, pool: pool,
	}
	p.copy = p.copyLines
	return p
}

// needed reports whether the input itself will not do.
func (p *padding) needed() bool {
	return p.top > 0 || p.left > 0 || p.tall > p.height || p.wide > p.width || p.repeat > 1 || p.slack > 0
}

// bytes is the size of the copy.
func (p *padding) bytes() int { return p.batch*p.tall*p.wide*p.channels*p.repeat + p.slack }

// strides are those of the copy, or of the input itself.
func (p *padding) strides() (pixel, line, image int) {
	pixel = p.channels * p.repeat
	if !p.needed() {
		return pixel, pixel * p.width, pixel * p.width * p.height
	}
	return pixel, pixel * p.wide, pixel * p.wide * p.tall
}

// of gives the padded copy of an input, or the input. zero holds the margins'
// bytes, one, or one an image.
func (p *padding) of(x, zero []byte) []byte {
	if !p.needed() {
		return x
	}
	if p.data == nil {
		p.data = make([]byte, p.bytes())
		p.margins = make([]int16, p.batch)
		for i := range p.margins {
			p.margins[i] = -1
		}
	}
	p.from, p.zero = x, zero
	p.pool.chunks(p.batch*p.tall, 1+(1<<15)/(p.wide*p.channels*p.repeat), p.copy)
	for i := range p.margins {
		if p.margins[i] = int16(zero[min(i, len(zero)-1)]); p.pool.stopped() { // half-way, maybe
			p.margins[i] = -1
		}
	}
	p.from, p.zero = nil, nil
	return p.data
}

func (p *padding) copyLines(from, to int) {
	pixel, line, _ := p.strides()
	for i := from; i < to; i++ {
		dst := p.data[i*line : (i+1)*line]
		zero := p.zero[min(i/p.tall, len(p.zero)-1)]
		old := p.margins[i/p.tall] == int16(zero)
		y := i%p.tall - p.top
		if y < 0 || y >= p.height {
			if !old {
				fill(dst, zero)
			}
			continue
		}
		n := min(p.width, p.wide-p.left)
		src := p.from[(i/p.tall*p.height+y)*p.width*p.channels:][:n*p.channels]
		inside := dst[p.left*pixel:][:n*pixel]
		if p.repeat == 1 {
			copy(inside, src)
		} else {
			for k, v := range src {
				fill(inside[k*p.repeat:][:p.repeat], v)
			}
		}
		if !old {
			fill(dst[:p.left*pixel], zero)
			fill(dst[(p.left+n)*pixel:], zero)
		}
	}
}

func fill(dst []byte, v byte) {
	for i := range dst {
		dst[i] = v
	}
}
