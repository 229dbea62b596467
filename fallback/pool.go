package fallback

// pool splits the loops of an executable over goroutines.
type pool struct {
	threads int
	// done ends loops early, leaving indices out; nil for never.
	done <-chan struct{}
	// cpus are the CPUs that loops run on, nil for any.
	cpus []int
	crew *crew // nil until there is a loop to split

	// What chunks is splitting.
	span  func(from, to int)
	total int
	parts int
	part  func(i int)
}

// newPool makes a pool whose threads run on the first of the CPUs.
func newPool(threads int, cpus []int) *pool {
	return &pool{threads: threads, cpus: cpus[:min(threads, len(cpus))]}
}

// stopped reports whether the run that the loop belongs to has been given up.
func (p *pool) stopped() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// inline is each on the caller's goroutine only.
func (p *pool) inline(n int, body func(i int)) {
	for i := 0; i < n && !p.stopped(); i++ {
		body(i)
	}
}

// each calls body(i) for every i in [0, n), on up to p.threads goroutines. Work
// is handed out one i at a time, so body should do some microseconds of work.
// A panic in body is passed on to the caller. When p.done is closed, the rest is
// left out. Loops inside body run on its goroutine.
func (p *pool) each(n int, body func(i int)) {
	if min(p.threads, n) <= 1 {
		p.inline(n, body)
		return
	}
	if p.crew == nil {
		p.crew = crewOf(p.threads, p.cpus)
	}
	if !p.crew.each(p, n, body) {
		p.inline(n, body)
	}
}

// chunks calls body(from, to) for ranges that cover [0, n), none but the last
// shorter than least.
func (p *pool) chunks(n, least int, body func(from, to int)) {
	parts := max(1, min(p.threads, n/max(1, least)))
	if parts == 1 || p.crew != nil && p.crew.busy.Load() {
		if n > 0 {
			body(0, n)
		}
		return
	}
	if p.part == nil {
		p.part = func(i int) { p.span(p.total*i/p.parts, p.total*(i+1)/p.parts) }
	}
	p.span, p.total, p.parts = body, n, parts
	p.each(parts, p.part)
	p.span = nil
}
