package fallback

import "nanoflux/graph/schema"

// fuseNorm makes one step of a norm over all pixels of a picture [1, …, channels]
// at the beginning of the list: the channels' means, their mean squared
// differences from what is made of the means (those of groups of channels, say),
// and the operators that scale, shift and activate each pixel by what is made of
// both. The picture is read three times, and nothing of its size is written but
// the result.
//
// Operators on a few numbers for each channel, in between, run as they are.
func fuseNorm(nodes []*node) (step, bool) {
	m := normMatch{nodes: nodes}
	if !m.match() {
		return step{}, false
	}
	tail := append([]*node{}, m.centre...)
	p, n := fuseRowsBeside(append(tail, nodes[m.count:]...), len(tail)+1, m.squares.in)
	if n == 0 {
		return step{}, false
	}
	sums, ok := newChannelSums(m.first)
	if !ok {
		forget(append(tail, nodes[m.count:]...)[:n])
		return step{}, false
	}
	m.squares.out[0].inside = true
	mean, variance := m.first.out[0], m.second.out[0]
	pool := m.first.pool
	least := 1 + leastRowWork/(4*sums.channels)
	return step{nodes: nodes[:m.count+n-len(tail)], program: p, run: func() {
		sums.means(mean.floats(), nil)
		runAll(m.afterMean)
		sums.means(variance.floats(), m.subtracted.floats())
		runAll(m.afterVariance)
		p.bind()
		pool.chunks(p.rows, least, p.compute)
	}}, true
}

func runAll(nodes []*node) {
	for _, n := range nodes {
		n.run()
	}
}

// normMatch reads the pattern node by node.
type normMatch struct {
	nodes []*node
	count int
	// first makes the means, second the means of squares.
	first, second, squares *node
	// centre is the node that subtracts from each pixel what squares then squares;
	// none when squares does both.
	centre []*node
	// subtracted is what is subtracted from each pixel.
	subtracted *value
	// afterMean and afterVariance are the operators on a few numbers.
	afterMean, afterVariance []*node
}

func (m *normMatch) match() bool {
	m.first = m.nodes[0]
	m.count = 1
	if !averagesPixels(m.first) {
		return false
	}
	x := m.first.in[0]
	channels := lastOf(x.shape)
	m.afterMean = m.few(channels)
	n := m.next()
	if n == nil {
		return false
	}
	switch n.op.Code {
	case schema.BuiltinOperatorSUB:
		m.centre, m.squares = []*node{n}, m.next()
		if m.squares == nil || !squares(m.squares, n.out[0]) {
			return false
		}
	case schema.BuiltinOperatorSQUARED_DIFFERENCE:
		m.squares = n
	default:
		return false
	}
	if n.in[0] != x || n.kernel.fused(n.op) != 0 {
		return false
	}
	m.subtracted = n.in[1]
	if m.subtracted.elements() != channels || lastOf(m.subtracted.shape) != channels || m.subtracted == x {
		return false
	}
	m.second = m.next()
	if m.second == nil || !averagesPixels(m.second) {
		return false
	}
	if v := m.squares.out[0]; m.second.in[0] != v || v.output || v.consumers != 1 {
		return false
	}
	m.afterVariance = m.few(channels)
	return true
}

// next takes the next node, nil at the end and for one that is not on float32.
func (m *normMatch) next() *node {
	if m.count == len(m.nodes) {
		return nil
	}
	n := m.nodes[m.count]
	if n.late || n.empty() || !floatsOnly(n) {
		return nil
	}
	m.count++
	return n
}

// few takes the operators that follow and work on few numbers.
func (m *normMatch) few(most int) []*node {
	from := m.count
	for n := m.next(); n != nil; n = m.next() {
		for _, v := range n.in {
			if v.elements() > most {
				m.count--
				return m.nodes[from:m.count]
			}
		}
		if len(n.out) != 1 || n.out[0].elements() > most || n.product != nil {
			m.count--
			break
		}
	}
	return m.nodes[from:m.count]
}

// squares reports whether the node squares v.
func squares(n *node, v *value) bool {
	switch n.op.Code {
	case schema.BuiltinOperatorMUL:
		return n.in[0] == v && n.in[1] == v && n.kernel.fused(n.op) == 0
	case schema.BuiltinOperatorSQUARE:
		return n.in[0] == v
	}
	return false
}

// averagesPixels reports whether a node makes the mean of each channel, the last
// dimension, over several pixels of one picture.
func averagesPixels(n *node) bool {
	if n.op.Code != schema.BuiltinOperatorMEAN || n.late || n.empty() || !floatsOnly(n) {
		return false
	}
	axes, err := n.ints(1)
	shape := n.in[0].shape
	if err != nil || len(shape) < 2 || rowsIn(shape) < 2 {
		return false
	}
	reduced := make([]bool, len(shape))
	for _, axis := range axes {
		a, ok := axisOf(axis, len(shape))
		if !ok {
			return false
		}
		reduced[a] = true
	}
	for i, d := range shape[:len(shape)-1] {
		if d != 1 && !reduced[i] {
			return false
		}
	}
	return !reduced[len(shape)-1]
}

// channelSums adds up the pixels of a picture for each channel. The picture is
// cut into blocks, whose number depends on its size only: so does the order in
// which numbers are added, whatever the number of threads is.
type channelSums struct {
	pool             *pool
	x                *value
	channels, pixels int
	// repeat is how many pixels one loop takes at once; few channels would make
	// loops short.
	repeat int
	// blocks of rows pixels; parts are their sums [blocks][channels].
	blocks, rows int
	parts        []float32
	// middle is what is subtracted [repeat·channels]; with centred, squares of
	// differences from it are added.
	middle  []float32
	centred bool
	// some makes the sums of blocks [from, to).
	some func(from, to int)
}

const (
	// mostNormBlocks is how many blocks a picture is cut into at most, and
	// leastNormBlock how many elements one should have.
	mostNormBlocks = 64
	leastNormBlock = 1 << 13
	// normLoop is how many elements a loop should go through.
	normLoop = 1 << 10
)

// newChannelSums is for the picture that a MEAN reads; false when there is no
// memory for it.
func newChannelSums(n *node) (*channelSums, bool) {
	shape := n.in[0].shape
	c := &channelSums{pool: n.pool, x: n.in[0], channels: lastOf(shape), pixels: rowsIn(shape)}
	c.repeat = max(1, normLoop/c.channels)
	blocks := max(1, min(mostNormBlocks, c.pixels*c.channels/leastNormBlock))
	c.rows = (c.pixels + blocks - 1) / blocks
	c.blocks = (c.pixels + c.rows - 1) / c.rows
	size := c.blocks*c.channels + c.repeat*c.channels
	if n.work(size, 4) != nil {
		return nil, false
	}
	memory := make([]float32, size)
	c.parts, c.middle = memory[:c.blocks*c.channels], memory[c.blocks*c.channels:]
	c.some = func(from, to int) {
		scratch := takeScratch(2 * c.repeat * c.channels)
		defer scratch.give()
		for b := from; b < to; b++ {
			c.block(b, scratch.data)
		}
	}
	return c, true
}

// means fills out [channels] with the means of the pixels; of the squares of their
// differences from middle [channels] where that is not nil.
func (c *channelSums) means(out, middle []float32) {
	if c.centred = middle != nil; c.centred {
		for at := 0; at < len(c.middle); at += c.channels {
			copy(c.middle[at:], middle[:c.channels])
		}
	}
	c.pool.chunks(c.blocks, 1, c.some)
	copy(out, c.parts[:c.channels])
	for b := 1; b < c.blocks; b++ {
		vectors.Add(out[:c.channels], out[:c.channels], c.parts[b*c.channels:])
	}
	vectors.DivScalar(out[:c.channels], out[:c.channels], float32(c.pixels))
}

// block makes the sums of one block.
func (c *channelSums) block(b int, scratch []float32) {
	wide := c.repeat * c.channels
	sums, differences := scratch[:wide], scratch[wide:2*wide]
	clear(sums)
	first, last := b*c.rows*c.channels, min(c.pixels, (b+1)*c.rows)*c.channels
	for x := c.x.floats()[first:last]; len(x) > 0; {
		n := min(wide, len(x))
		if c.centred {
			vectors.Sub(differences[:n], x, c.middle)
			vectors.MulAdd(sums[:n], differences, differences)
		} else {
			vectors.Add(sums[:n], sums, x)
		}
		x = x[n:]
	}
	part := c.parts[b*c.channels:][:c.channels]
	copy(part, sums)
	for at := c.channels; at < wide; at += c.channels {
		vectors.Add(part, part, sums[at:])
	}
}
