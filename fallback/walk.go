package fallback

// walk goes through some dimensions of an array, the last one fastest. It
// computes where elements lie instead of listing them: a list would take more
// memory than the array.
type walk struct{ sizes, strides []int }

// count is the number of indices.
func (w walk) count() int { return sizeOf(w.sizes) }

// offset is where index i lies, counted through the dimensions.
func (w walk) offset(i int) int {
	at := 0
	for d := len(w.sizes) - 1; d > 0; d-- {
		at += i % w.sizes[d] * w.strides[d]
		i /= w.sizes[d]
	}
	if len(w.sizes) > 0 {
		at += i * w.strides[0]
	}
	return at
}

// merged joins dimensions that are stepped through as one, and drops those of
// size 1.
func (w walk) merged() walk {
	var out walk
	for i, size := range w.sizes {
		last := len(out.sizes) - 1
		switch {
		case size == 1:
		case last >= 0 && out.strides[last] == size*w.strides[i]:
			out.sizes[last] *= size
			out.strides[last] = w.strides[i]
		default:
			out.sizes, out.strides = append(out.sizes, size), append(out.strides, w.strides[i])
		}
	}
	return out
}

// straight is a walk as straight lines: count of them, which begin where outer
// says, each of length elements that are step apart.
type straight struct {
	outer               walk
	count, length, step int
}

func (w walk) lines() straight {
	last := len(w.sizes) - 1
	if last < 0 {
		return straight{count: 1, length: 1, step: 1}
	}
	outer := walk{w.sizes[:last], w.strides[:last]}
	return straight{outer: outer, count: outer.count(), length: w.sizes[last], step: w.strides[last]}
}
