package simd

//go:noescape
func depthwiseAVX2(a *depthwiseArguments)

//go:noescape
func depthwiseAVX512(a *depthwiseArguments)

func depthwiseOfAVX2(w DepthwiseWindow) {
	w.check()
	w.avx2(0)
}

func depthwiseOfAVX512(w DepthwiseWindow) {
	w.check()
	whole := w.Channels / 16 * 16
	if whole > 0 {
		var a depthwiseArguments
		w.arguments(&a, 0, whole)
		depthwiseAVX512(&a)
	}
	w.avx2(whole)
}

// avx2 computes the channels from `from` on.
func (w *DepthwiseWindow) avx2(from int) {
	whole := from + (w.Channels-from)/8*8
	if whole > from {
		var a depthwiseArguments
		w.arguments(&a, from, whole)
		depthwiseAVX2(&a)
	}
	if whole < w.Channels {
		w.rest(whole)
	}
}
