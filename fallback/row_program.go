package fallback

// rowProgram computes several operators that treat each row of their operands
// on its own: element-wise ones, reductions and softmax over the last
// dimension, splits and joins along it. It runs all of them on a few rows at a
// time, so that what lies between two operators stays in the cache and takes no
// room in the arena.
//
// A row is a line along the last dimension. All operands have the same number
// of rows, or repeat the ones they have.
type rowProgram struct {
	rows int
	code []rowInstruction
	// scratch is how many floats the temporary values of a row take.
	scratch int
	// block is how many rows are computed at once.
	block int
}

// rowInstruction computes rows of one operand from those of one or two others,
// by the one of its functions that is not nil.
type rowInstruction struct {
	to, a, b rowOperand
	// line and elements are the kernels' (see kernel).
	line     lineFunc[float32, float32]
	elements func(out, in []float32)
	// whole computes a row from a whole row.
	whole func(out, in []float32)
	// reduce makes one number of a row.
	reduce func(row []float32) float32
	// act is applied to what line wrote; nil for none.
	act activation
	// flat: the rows of a block lie behind one another in every operand, or the
	// operand is one number, so that one call computes them all.
	flat bool
}

// rowOperand is where the rows of an operand lie. Row r of a value begins at
// at + ((r / each) mod count)·stride of its floats. A temporary (value nil)
// lies in scratch memory: row r of a block that begins with row first, at
// at·block + part + (r − first)·stride.
type rowOperand struct {
	value *value
	// data are the value's floats during a run.
	data []float32
	// width is the number of elements of a row; 1 is repeated along it.
	width, stride int
	at, part      int
	each, count   int
}

// temporary reports whether the operand lies in scratch memory.
func (o *rowOperand) temporary() bool { return o.value == nil }

// consecutive reports whether the operand has each of the rows once, without
// gaps.
func (o *rowOperand) consecutive(rows int) bool {
	return o.stride == o.width && (o.temporary() || o.each == 1 && o.count == rows)
}

// single reports whether the operand is one number for all rows.
func (o *rowOperand) single() bool { return !o.temporary() && o.width == 1 && o.count == 1 }

// from is the operand's memory from row r on.
func (o *rowOperand) from(scratch []float32, block, first, r int) []float32 {
	if o.temporary() {
		return scratch[o.at*block+o.part+(r-first)*o.stride:]
	}
	return o.data[o.at+r/o.each%o.count*o.stride:]
}

// bind looks up the data of the values, at the beginning of a run.
func (p *rowProgram) bind() {
	for i := range p.code {
		c := &p.code[i]
		for _, o := range [...]*rowOperand{&c.to, &c.a, &c.b} {
			if o.value != nil {
				o.data = o.value.floats()
			}
		}
	}
}

// compute runs the program on rows [first, last), block by block.
func (p *rowProgram) compute(first, last int) {
	scratch := takeScratch(p.scratch * p.block)
	defer scratch.give()
	for ; first < last; first += p.block {
		n := min(p.block, last-first)
		for i := range p.code {
			p.code[i].run(scratch.data, p.block, first, n)
		}
	}
}

// run computes rows [first, first+n).
func (c *rowInstruction) run(scratch []float32, block, first, n int) {
	if c.flat {
		size := n * c.to.width
		to, a := c.to.from(scratch, block, first, first)[:size], c.a.from(scratch, block, first, first)
		if c.elements != nil {
			c.elements(to, a[:size])
			return
		}
		c.line(to, a, c.b.from(scratch, block, first, first), flatStride(&c.a), flatStride(&c.b))
		if c.act != nil {
			c.act(to)
		}
		return
	}
	for r := first; r < first+n; r++ {
		to, a := c.to.from(scratch, block, first, r)[:c.to.width], c.a.from(scratch, block, first, r)
		switch {
		case c.line != nil:
			c.line(to, a, c.b.from(scratch, block, first, r), min(1, c.a.width-1), min(1, c.b.width-1))
			if c.act != nil {
				c.act(to)
			}
		case c.elements != nil:
			c.elements(to, a[:c.a.width])
		case c.whole != nil:
			c.whole(to, a[:c.a.width])
		default:
			to[0] = c.reduce(a[:c.a.width])
		}
	}
}

// flatStride is with which stride a flat call reads an operand.
func flatStride(o *rowOperand) int {
	if o.single() {
		return 0
	}
	return 1
}
