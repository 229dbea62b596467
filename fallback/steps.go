package fallback

// step is what a run does at once: one node, or several that are computed
// together.
type step struct {
	// nodes in the model's order.
	nodes []*node
	// run computes all of them; nil for a single node, which runs itself.
	run func()
	// program is what run does, or ends with; nil if it is none.
	program *rowProgram
}

// label names the step by its operators, for errors.
func (s *step) label() string {
	label := s.nodes[0].label
	if n := len(s.nodes); n > 1 {
		label += " to " + s.nodes[n-1].label
	}
	return label
}

// operators are the step's, by index in the model.
func (s *step) operators() []int {
	list := make([]int, len(s.nodes))
	for i, n := range s.nodes {
		list[i] = n.index
	}
	return list
}

// do runs the step.
func (s *step) do() error {
	if s.run == nil {
		return s.nodes[0].step()
	}
	for _, n := range s.nodes {
		n.shareMemory()
	}
	s.run()
	return nil
}

// makeSteps groups the prepared nodes: as they are without fusion; otherwise
// what follows one another and can be computed together is one step.
func (e *executable) makeSteps() {
	e.steps = e.steps[:0]
	for rest := e.nodes; len(rest) > 0; {
		s := step{nodes: rest[:1]}
		if e.fuse {
			s = e.fused(rest)
		}
		e.steps = append(e.steps, s)
		rest = rest[len(s.nodes):]
	}
}

// fused is the longest step at the beginning of the list.
func (e *executable) fused(nodes []*node) step {
	if s, ok := fuseAttention(nodes); ok {
		return s
	}
	if s, ok := fuseProduct(nodes); ok {
		return s
	}
	if s, ok := fuseNorm(nodes); ok {
		return s
	}
	if p, n := fuseRows(nodes, 2); n > 0 {
		return e.rowStep(nodes[:n], p)
	}
	return step{nodes: nodes[:1]}
}

// leastRowWork is how many elements are worth a goroutine.
const leastRowWork = 1 << 13

// rowStep runs a program's rows on all threads.
func (e *executable) rowStep(nodes []*node, p *rowProgram) step {
	work := 0
	for i := range p.code {
		work += max(p.code[i].to.width, p.code[i].a.width)
	}
	least := 1 + leastRowWork/work
	compute := p.compute
	return step{nodes: nodes, program: p, run: func() {
		p.bind()
		e.pool.chunks(p.rows, least, compute)
	}}
}
