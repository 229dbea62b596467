package fallback

// overwrite lets what a row program computes take the place of an operand that
// nothing reads afterwards: a residual stream keeps one piece of memory. It
// follows lifetimes.
func (e *executable) overwrite() {
	for i := range e.steps {
		s := &e.steps[i]
		if s.program == nil {
			continue
		}
		for k := range s.program.code {
			c := &s.program.code[k]
			y := c.to.value
			if y == nil || !y.inArena() || c.to.at != 0 || !c.to.consecutive(s.program.rows) {
				continue
			}
			for _, o := range [...]*rowOperand{&c.a, &c.b} {
				if o.value == nil || o.width != c.to.width {
					continue
				}
				x := o.value.root()
				if x.inArena() && x.size == y.size && x.last == i && s.mayOverwrite(x, k) {
					y.same, y.sameAt = x, 0
					x.last = max(x.last, y.last)
					break
				}
			}
		}
	}
}

// mayOverwrite reports whether instruction k of the step's program may write its
// rows over those of x: nothing in the step reads a row of x after that row, or
// another row, was written.
func (s *step) mayOverwrite(x *value, k int) bool {
	p := s.program
	for i := range p.code {
		c := &p.code[i]
		if to := c.to.value; i != k && to != nil && to.root() == x {
			return false
		}
		for _, o := range [...]*rowOperand{&c.a, &c.b} {
			if o.value != nil && o.value.root() == x && (i > k || o.at != 0 || !o.consecutive(p.rows) || o.width != p.code[k].to.width) {
				return false
			}
		}
	}
	// A product in front reads its operands for other rows at the same time.
	for _, n := range s.nodes {
		if n.product == nil {
			continue
		}
		for _, v := range n.in {
			if v != nil && v.root() == x {
				return false
			}
		}
	}
	return true
}
