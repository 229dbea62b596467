package fallback

import "nanoflux/fallback/simd"

// byteLines computes element-wise operators on bytes: sums of 32 bits, and output
// integers made of them while they are in the cache.
type byteLines struct {
	kernels *simd.Integer
	q       *simd.Requantizer
}

const (
	lineBlock = 1024
	lineWidth = 16 // sums are requantized as rows of so many
)

// newByteLines takes the rule for all elements.
func newByteLines(r requantizer) *byteLines {
	return &byteLines{kernels: &simd.Active().Integer, q: r.plan(lineWidth)}
}

// compute fills out. sa and sb are 1, or 0 for an operand that is one value.
func (l *byteLines) compute(out, a, b []byte, sa, sb int, sums func(sums []int32, a, b []byte)) {
	if len(out) == 0 {
		return
	}
	t := takeIntegers(lineBlock)
	defer t.give()
	if sa == 0 || sb == 0 {
		s := takeIntegerScratch(lineBlock, 0, 0)
		defer s.give()
		stretched := &a
		if sa != 0 {
			stretched = &b
		}
		fill(s.bytes[:min(lineBlock, len(out))], (*stretched)[0])
		*stretched = s.bytes
		if sa == 0 && sb == 0 {
			two := takeIntegerScratch(lineBlock, 0, 0)
			defer two.give()
			fill(two.bytes[:min(lineBlock, len(out))], b[0])
			b = two.bytes
		}
	}
	for from := 0; from < len(out); from += lineBlock {
		n := min(lineBlock, len(out)-from)
		sums(t.data[:n], a[from*sa:][:n], b[from*sb:][:n])
		to, rows := out[from:from+n], n/lineWidth
		if rows > 0 {
			l.kernels.Requantize(to, lineWidth, t.data, lineWidth, rows, lineWidth, l.q, 0)
		}
		if rest := n % lineWidth; rest > 0 {
			l.kernels.Requantize(to[n-rest:], lineWidth, t.data[n-rest:], lineWidth, 1, rest, l.q, 0)
		}
	}
}
