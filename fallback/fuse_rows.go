package fallback

import (
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// rowBuilder makes a rowProgram of consecutive nodes.
type rowBuilder struct {
	nodes []*node
	rows  int
	// operands are the values computed so far.
	operands map[*value]rowOperand
	// inside are the values that no one but these nodes reads.
	inside map[*value]bool
	// beside are values that other nodes of the same step read, once for each time
	// they stand here: those nodes make them again.
	beside  []*value
	program rowProgram
	// slots are the places of temporaries.
	slots []rowSlot
}

// rowSlot is a place in scratch memory.
type rowSlot struct {
	at, width int
	until     int // index of the last node that reads it
}

// rowBlockFloats is how much scratch memory a block of rows should take: half of
// a first-level cache.
const rowBlockFloats = 4096

// rowsOf is how many rows a node computes; false for nodes that a rowProgram
// cannot compute, whatever stands beside them.
func rowsOf(n *node) (int, bool) {
	if n.late || n.empty() || !floatsOnly(n) {
		return 0, false
	}
	switch n.op.Code {
	case schema.BuiltinOperatorMEAN, schema.BuiltinOperatorSUM, schema.BuiltinOperatorREDUCE_MAX:
		if !reducesLast(n) {
			return 0, false
		}
		return rowsIn(n.in[0].shape), true
	case schema.BuiltinOperatorSOFTMAX:
	case schema.BuiltinOperatorSPLIT:
		if axis, ok := n.splitAxis(); !ok || axis != len(n.in[1].shape)-1 {
			return 0, false
		}
	case schema.BuiltinOperatorCONCATENATION:
		rank := len(n.out[0].shape)
		axis, ok := axisOf(int(options[schema.ConcatenationOptionsT](n.op).Axis), rank)
		if !ok || axis != rank-1 {
			return 0, false
		}
	case schema.BuiltinOperatorRESHAPE:
		if lastOf(n.in[0].shape) != lastOf(n.out[0].shape) {
			return 0, false
		}
	default:
		if n.kernel.line == nil && n.kernel.elements == nil {
			return 0, false
		}
	}
	if len(n.out[0].shape) == 0 {
		return 0, false
	}
	return rowsIn(n.out[0].shape), true
}

// floatsOnly reports whether a node's operands are float32, but for the constant
// ones that say where to split or what to reduce.
func floatsOnly(n *node) bool {
	for _, v := range n.in {
		if v == nil || v.tensor.Type != graph.Float32 && !v.constant {
			return false
		}
	}
	return !slices.ContainsFunc(n.out, func(v *value) bool { return v.tensor.Type != graph.Float32 })
}

// reducesLast reports whether a reduction runs along the last dimension only.
func reducesLast(n *node) bool {
	axes, err := n.ints(1)
	rank := len(n.in[0].shape)
	if err != nil || rank == 0 || len(axes) != 1 {
		return false
	}
	return axes[0] == -1 || axes[0] == rank-1
}

// splitAxis is the dimension that a SPLIT cuts.
func (n *node) splitAxis() (int, bool) {
	axes, err := n.ints(0)
	if err != nil || len(axes) != 1 {
		return 0, false
	}
	return axisOf(axes[0], len(n.in[1].shape))
}

func lastOf(shape []int) int {
	if len(shape) == 0 {
		return 1
	}
	return shape[len(shape)-1]
}

// rowsIn is the number of lines along the last dimension.
func rowsIn(shape []int) int {
	if len(shape) == 0 {
		return 1
	}
	return sizeOf(shape[:len(shape)-1])
}

// fuseRows makes one program of as many nodes as possible from the beginning of
// the list; nil, and 0, where fewer than least would be in it.
func fuseRows(nodes []*node, least int) (*rowProgram, int) { return fuseRowsBeside(nodes, least, nil) }

// fuseRowsBeside is fuseRows for nodes beside which others of the same step read
// the values beside, but do not need them in memory.
func fuseRowsBeside(nodes []*node, least int, beside []*value) (*rowProgram, int) {
	if len(nodes) == 0 {
		return nil, 0
	}
	rows, ok := rowsOf(nodes[0])
	if !ok {
		return nil, 0
	}
	count := 1
	for count < len(nodes) {
		if r, ok := rowsOf(nodes[count]); !ok || r != rows {
			break
		}
		count++
	}
	for count >= least {
		b := rowBuilder{nodes: nodes[:count], rows: rows, beside: beside}
		done := b.build()
		if done == count && len(b.program.code) >= least {
			for v, inside := range b.inside {
				v.inside = inside
			}
			return &b.program, count
		}
		count = min(done, count-1)
	}
	return nil, 0
}

// build fills the program and returns how many nodes it could take.
func (b *rowBuilder) build() int {
	b.operands = map[*value]rowOperand{}
	b.findInside()
	for i, n := range b.nodes {
		if !b.add(i, n) {
			return i
		}
	}
	p := &b.program
	p.rows = b.rows
	for _, s := range b.slots {
		p.scratch = max(p.scratch, s.at+s.width)
	}
	widest := 1
	for i := range p.code {
		c := &p.code[i]
		widest = max(widest, c.to.width, c.a.width)
	}
	p.block = min(b.rows, max(1, rowBlockFloats/max(p.scratch, widest)))
	for i := range p.code {
		if !p.code[i].settle(b.rows) {
			return i // rows are too short to call a function for each
		}
	}
	return len(b.nodes)
}

// shortRow is a width below which a call for each row takes longer than the
// operators one by one.
const shortRow = 8

// settle decides whether the instruction is flat; false when rows are short and
// it is not.
func (c *rowInstruction) settle(rows int) bool {
	fits := func(o *rowOperand) bool {
		return o.width == c.to.width && o.consecutive(rows) || c.line != nil && o.single()
	}
	c.flat = (c.line != nil || c.elements != nil) && c.to.consecutive(rows) && fits(&c.a) && (c.line == nil || fits(&c.b))
	return c.flat || max(c.a.width, c.to.width) >= shortRow || rows < 64
}

// findInside finds the values that only the nodes read.
func (b *rowBuilder) findInside() {
	readers := map[*value]int{}
	for _, v := range b.beside {
		readers[v]++
	}
	for _, n := range b.nodes {
		for _, v := range n.in {
			readers[v]++
		}
	}
	b.inside = map[*value]bool{}
	for _, n := range slices.Backward(b.nodes) {
		for _, v := range n.out {
			b.inside[v] = !v.output && readers[v] == v.consumers
			if !b.inside[v] && v.sharesMemory() {
				readers[v.same] = -1 // it is read through v
			}
		}
	}
}

// add appends a node's instructions; false when it does not fit.
func (b *rowBuilder) add(i int, n *node) bool {
	switch n.op.Code {
	case schema.BuiltinOperatorSPLIT:
		return b.split(i, n)
	case schema.BuiltinOperatorCONCATENATION:
		return b.join(i, n)
	case schema.BuiltinOperatorRESHAPE:
		a, ok := b.read(n.in[0], n.in[0].shape)
		if !ok {
			return false
		}
		b.view(i, n.out[0], a)
		return true
	case schema.BuiltinOperatorSOFTMAX:
		beta := options[schema.SoftmaxOptionsT](n.op).Beta
		return b.one(i, n, rowInstruction{whole: func(out, in []float32) { softmax(out, in, beta) }})
	case schema.BuiltinOperatorMEAN:
		return b.one(i, n, rowInstruction{reduce: func(x []float32) float32 { return sumOf(x) / float32(len(x)) }})
	case schema.BuiltinOperatorSUM:
		return b.one(i, n, rowInstruction{reduce: sumOf})
	case schema.BuiltinOperatorREDUCE_MAX:
		return b.one(i, n, rowInstruction{reduce: vectors.Largest})
	}
	if n.kernel.elements != nil {
		return b.one(i, n, rowInstruction{elements: n.kernel.elements(n.op)})
	}
	c := rowInstruction{line: n.kernel.line, act: fusedActivation(n.kernel.fused(n.op))}
	var okA, okB bool
	c.a, okA = b.read(n.in[0], n.out[0].shape)
	c.b, okB = b.read(n.in[1], n.out[0].shape)
	if !okA || !okB {
		return false
	}
	c.to = b.write(i, n.out[0], lastOf(n.out[0].shape))
	b.program.code = append(b.program.code, c)
	return true
}

// one adds an instruction of one operand.
func (b *rowBuilder) one(i int, n *node, c rowInstruction) bool {
	var ok bool
	if c.a, ok = b.read(n.in[0], n.in[0].shape); !ok {
		return false
	}
	width := c.a.width
	if c.reduce != nil {
		width = 1
	}
	c.to = b.write(i, n.out[0], width)
	b.program.code = append(b.program.code, c)
	return true
}

// split gives the parts of a row as views, or copies them where others want
// them.
func (b *rowBuilder) split(i int, n *node) bool {
	a, ok := b.read(n.in[1], n.in[1].shape)
	if !ok {
		return false
	}
	for k, v := range n.out {
		part := a
		part.width = lastOf(v.shape)
		if part.temporary() {
			part.part += k * part.width
		} else {
			part.at += k * part.width
		}
		b.view(i, v, part)
	}
	return true
}

// view makes v another sight of an operand that is there; where others read v
// too, and it is no part of the operand's memory, it is copied.
func (b *rowBuilder) view(i int, v *value, a rowOperand) {
	switch {
	case b.inside[v]:
		b.operands[v] = a
		if a.temporary() {
			b.extend(a.at, v, i)
		}
		return
	case v.sharesMemory():
		return
	}
	b.program.code = append(b.program.code, rowInstruction{to: b.write(i, v, a.width), a: a, whole: copyRow})
}

// join copies rows into parts of a longer row.
func (b *rowBuilder) join(i int, n *node) bool {
	parts := make([]rowOperand, len(n.in))
	for k, v := range n.in {
		var ok bool
		if parts[k], ok = b.read(v, v.shape); !ok {
			return false
		}
	}
	to := b.write(i, n.out[0], lastOf(n.out[0].shape))
	for _, a := range parts {
		part := to
		part.width = a.width
		b.program.code = append(b.program.code, rowInstruction{to: part, a: a, whole: copyRow})
		if to.temporary() {
			to.part += a.width
		} else {
			to.at += a.width
		}
	}
	return true
}

func copyRow(out, in []float32) { copy(out, in) }

// read finds the rows of v as an operand that is stretched to shape; false when
// they cannot be found by rowOperand's rule.
func (b *rowBuilder) read(v *value, shape []int) (rowOperand, bool) {
	outer, own := shape[:max(0, len(shape)-1)], v.shape[:max(0, len(v.shape)-1)]
	o := rowOperand{value: v, width: lastOf(v.shape), each: 1, count: 1}
	// Rows of v from the last outer dimension to the first: those that are
	// stretched, then those that are there, then stretched ones again.
	strides := broadcastStrides(own, outer)
	state := 0
	for i := len(outer) - 1; i >= 0; i-- {
		switch size := outer[i]; {
		case size == 1:
		case strides[i] == 0 && state == 0:
			o.each *= size
		case strides[i] == 0:
			state = 2
		case state == 2:
			return o, false
		default:
			state = 1
			o.count *= size
		}
	}
	if o.count == 1 {
		o.each = 1
	}
	o.stride = o.width
	if known, ok := b.operands[v]; ok {
		if o.each != 1 || o.count != b.rows {
			return o, false
		}
		return known, true
	}
	if b.rows != sizeOf(outer) || o.stride == 0 {
		return o, false
	}
	return o, true
}

// write is where v's rows go: scratch memory when no one else reads them.
func (b *rowBuilder) write(i int, v *value, width int) rowOperand {
	o := rowOperand{value: v, width: width, stride: width, each: 1, count: b.rows}
	if b.inside[v] {
		o.value, o.at = nil, b.slot(i, v, width)
	}
	b.operands[v] = o
	return o
}

// slot finds a place for a temporary that node i writes.
func (b *rowBuilder) slot(i int, v *value, width int) int {
	until := max(i, b.lastReader(v))
	for k := range b.slots {
		// A place that node i itself reads is not taken: joins write in parts.
		if s := &b.slots[k]; s.width == width && s.until < i {
			s.until = until
			return s.at
		}
	}
	at := 0
	if n := len(b.slots); n > 0 {
		at = b.slots[n-1].at + b.slots[n-1].width
	}
	b.slots = append(b.slots, rowSlot{at: at, width: width, until: until})
	return at
}

// extend keeps the place at which a view v lies until the view is read last.
func (b *rowBuilder) extend(at int, v *value, i int) {
	for k := range b.slots {
		if s := &b.slots[k]; s.at == at {
			s.until = max(s.until, i, b.lastReader(v))
		}
	}
}

// lastReader is the index of the last node that reads v.
func (b *rowBuilder) lastReader(v *value) int {
	last := -1
	for i, n := range b.nodes {
		if slices.Contains(n.in, v) {
			last = i
		}
	}
	return last
}
