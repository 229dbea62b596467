package fallback

import (
	"fmt"
	"slices"
)

// broadcastShapes is NumPy's rule: shapes are aligned at their ends, and a
// dimension of 1 stretches.
func broadcastShapes(a, b []int) ([]int, error) {
	out := make([]int, max(len(a), len(b)))
	for i := range out {
		x, y := sizeFromEnd(a, i), sizeFromEnd(b, i)
		switch {
		case x == y || y == 1:
			out[len(out)-1-i] = x
		case x == 1:
			out[len(out)-1-i] = y
		default:
			return nil, fmt.Errorf("shapes %v and %v cannot be broadcast", a, b)
		}
	}
	return out, nil
}

// sizeFromEnd is the size of the i-th dimension from the end; 1 before the first.
func sizeFromEnd(shape []int, i int) int {
	if i >= len(shape) {
		return 1
	}
	return shape[len(shape)-1-i]
}

// broadcastStrides are the strides, in elements, with which an operand of the
// given shape is read for an output shape: 0 where it is stretched.
func broadcastStrides(shape, out []int) []int {
	strides := make([]int, len(out))
	stride := 1
	for i := range out {
		size := sizeFromEnd(shape, i)
		if size != 1 {
			strides[len(out)-1-i] = stride
		}
		stride *= size
	}
	return strides
}

// advance steps a multi-index through a shape, last dimension fastest.
func advance(index, shape []int) {
	for i := len(index) - 1; i >= 0; i-- {
		if index[i]++; index[i] < shape[i] {
			return
		}
		index[i] = 0
	}
}

// lines is an element-wise walk over broadcast operands: dimensions that all
// operands step through alike are merged, and the last one left is the line,
// which each operand reads with stride 0 or 1.
type lines struct {
	// outer is the shape of the lines' index, length of one line.
	outer  []int
	length int
	// strides of each operand over outer, and over the line (0 or 1).
	outerStrides [][]int
	lineStrides  []int
}

// newLines plans the walk for operands of the given shapes over their broadcast
// shape out.
func newLines(out []int, shapes ...[]int) lines {
	strides := make([][]int, len(shapes))
	for k, s := range shapes {
		strides[k] = broadcastStrides(s, out)
	}
	// Merged dimensions, last first. Dimensions of size 1 vanish.
	var sizes []int
	merged := make([][]int, len(shapes))
	for i := len(out) - 1; i >= 0; i-- {
		if out[i] == 1 {
			continue
		}
		joins := len(sizes) > 0
		for k := range shapes {
			if joins && strides[k][i] != merged[k][len(sizes)-1]*sizes[len(sizes)-1] {
				joins = false
			}
		}
		if joins {
			sizes[len(sizes)-1] *= out[i]
			continue
		}
		sizes = append(sizes, out[i])
		for k := range shapes {
			merged[k] = append(merged[k], strides[k][i])
		}
	}
	l := lines{length: 1, outerStrides: merged, lineStrides: make([]int, len(shapes))}
	if len(sizes) > 0 {
		l.length = sizes[0]
		for k := range shapes {
			l.lineStrides[k] = merged[k][0]
			l.outerStrides[k] = merged[k][1:]
			slices.Reverse(l.outerStrides[k])
		}
		l.outer = sizes[1:]
		slices.Reverse(l.outer)
	}
	return l
}

// count is the number of lines.
func (l *lines) count() int {
	n := 1
	for _, d := range l.outer {
		n *= d
	}
	return n
}

// offset is where operand k's line i begins.
func (l *lines) offset(k, i int) int {
	at := 0
	for d := len(l.outer) - 1; d >= 0; d-- {
		at += i % l.outer[d] * l.outerStrides[k][d]
		i /= l.outer[d]
	}
	return at
}

// cursorDims is how many dimensions lines may have to be stepped through.
const cursorDims = 8

// cursor steps through lines of two operands; that takes less time than to
// compute where each begins.
type cursor struct {
	*lines
	line  int
	index [cursorDims]int
	at    [2]int // where the operands' lines begin
}

// from is a cursor at a line.
func (l *lines) from(line int) cursor {
	c := cursor{lines: l, line: line, at: [2]int{l.offset(0, line), l.offset(1, line)}}
	if len(l.outer) <= cursorDims {
		for d := len(l.outer) - 1; d >= 0; d-- {
			c.index[d] = line % l.outer[d]
			line /= l.outer[d]
		}
	}
	return c
}

// next steps to the next line.
func (c *cursor) next() {
	c.line++
	if len(c.outer) > cursorDims {
		c.at = [2]int{c.offset(0, c.line), c.offset(1, c.line)}
		return
	}
	for d := len(c.outer) - 1; d >= 0; d-- {
		c.index[d]++
		c.at[0] += c.outerStrides[0][d]
		c.at[1] += c.outerStrides[1][d]
		if c.index[d] < c.outer[d] {
			return
		}
		c.index[d] = 0
		c.at[0] -= c.outerStrides[0][d] * c.outer[d]
		c.at[1] -= c.outerStrides[1][d] * c.outer[d]
	}
}
