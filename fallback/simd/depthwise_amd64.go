package simd

//go:noescape
func depthwiseAVX2(a *depthwiseArguments)

//go:noescape
func depthwiseAVX512(a *depthwiseArguments)

func depthwiseOfAVX2(w DepthwiseWindow) {
	w.check()
	var a depthwiseArguments
	w.arguments(&a, w.Channels)
	depthwiseAVX2(&a)
}

func depthwiseOfAVX512(w DepthwiseWindow) {
	w.check()
	var a depthwiseArguments
	w.arguments(&a, w.Channels)
	depthwiseAVX512(&a)
}
