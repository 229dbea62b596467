package layers

import "testing"

func TestOutputLastMovesTheInputChannelsToTheEnd(t *testing.T) {
	const out, in, k = 2, 3, 2
	w := make([]float32, out*in*k*k)
	for i := range w {
		w[i] = float32(i)
	}
	got := OutputLast(w, out, in, k)
	for o := range out {
		for i := range in {
			for y := range k {
				for x := range k {
					if got[((o*k+y)*k+x)*in+i] != w[((o*in+i)*k+y)*k+x] {
						t.Fatalf("element %d,%d,%d,%d is in the wrong place", o, i, y, x)
					}
				}
			}
		}
	}
}
