package simd

//go:noescape
func depthwiseNEON(a *depthwiseArguments)

func depthwiseOfNEON(w DepthwiseWindow) {
	w.check()
	whole := w.Channels / 4 * 4
	if whole > 0 {
		var a depthwiseArguments
		w.arguments(&a, whole)
		depthwiseNEON(&a)
	}
	if whole < w.Channels {
		w.rest(whole)
	}
}
