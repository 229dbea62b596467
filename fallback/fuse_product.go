package fallback

import "nanoflux/graph/schema"

// fuseProduct makes one step of a matrix product (or convolution) and the row
// operators behind it, which work on the product's rows as soon as these are
// complete, while they are in the cache: an activation, a residual, a norm.
// Between them may stand a reshape to shorter rows (the heads of attention).
func fuseProduct(nodes []*node) (step, bool) {
	head := nodes[0]
	if head.product == nil || head.late || head.empty() {
		return step{}, false
	}
	count := 1
	out := head.out[0]
	for count < len(nodes) && nodes[count].op.Code == schema.BuiltinOperatorRESHAPE && nodes[count].out[0].same == out && !nodes[count].out[0].output {
		out = nodes[count].out[0]
		count++
	}
	p, n := fuseRows(nodes[count:], 1)
	if n == 0 || p.rows%head.product.rows != 0 || !p.followsRowsOf(head.out[0]) {
		forget(nodes[count:][:n])
		return step{}, false
	}
	count += n
	each := p.rows / head.product.rows
	then := func(first, last int) { p.compute(first*each, last*each) }
	return step{nodes: nodes[:count], program: p, run: func() {
		p.bind()
		head.product.then = then
		head.run()
	}}, true
}

// forget takes back what fuseRows said of values, when its program is not used.
func forget(nodes []*node) {
	for _, n := range nodes {
		for _, v := range n.out {
			v.inside = false
		}
	}
}

// followsRowsOf reports whether the program reads the memory of v, and only the
// rows that it computes from it, so that it can run on a part of v.
func (p *rowProgram) followsRowsOf(v *value) bool {
	reads := false
	for i := range p.code {
		c := &p.code[i]
		for _, o := range [...]*rowOperand{&c.a, &c.b} {
			if o.value == nil || o.value.root() != v {
				continue
			}
			if o.each != 1 || o.count != p.rows {
				return false
			}
			reads = true
		}
	}
	return reads
}
