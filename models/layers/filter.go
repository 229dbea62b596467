package layers

import "nanoflux/models/weights"

// OutputLast reorders a convolution's filter from torch's [out, in, size, size] to
// the graph's [out, size, size, in].
func OutputLast(w []float32, out, in, size int) []float32 {
	if weights.IsBlank(w) {
		return w
	}
	r := make([]float32, len(w))
	at := 0
	for o := range out {
		for y := range size {
			for x := range size {
				for i := range in {
					r[at] = w[((o*in+i)*size+y)*size+x]
					at++
				}
			}
		}
	}
	return r
}
