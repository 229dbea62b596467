package simd

// DepthwiseWindow is a depthwise convolution of neighbouring pixels, channel by
// channel:
//
//	out[p·OutPixel + c] = clamp(bias[c] + Σ in[p·InPixel + y·InRow + x·InColumn + c] · weights[y·WeightRow + x·WeightColumn + c])
//
// over 0 ≤ y < Rows, 0 ≤ x < Columns, for p < Pixels and c < Channels. Steps are
// in elements. Rows, Columns, Pixels are at least 1.
type DepthwiseWindow struct {
	Out, In, Weights, Bias             []float32
	Channels, Pixels, Rows, Columns    int
	InRow, InColumn, InPixel, OutPixel int
	WeightRow, WeightColumn            int
	// Low and High bound the results.
	Low, High float32
}

// check panics, as an index out of range would, when the window leaves the slices.
func (w *DepthwiseWindow) check() {
	if w.Channels < 1 || w.Pixels < 1 || w.Rows < 1 || w.Columns < 1 ||
		w.InRow < 0 || w.InColumn < 0 || w.InPixel < 0 || w.OutPixel < w.Channels && w.Pixels > 1 || w.WeightRow < 0 || w.WeightColumn < 0 ||
		len(w.Bias) < w.Channels ||
		len(w.Out) < (w.Pixels-1)*w.OutPixel+w.Channels ||
		len(w.In) < (w.Pixels-1)*w.InPixel+(w.Rows-1)*w.InRow+(w.Columns-1)*w.InColumn+w.Channels ||
		len(w.Weights) < (w.Rows-1)*w.WeightRow+(w.Columns-1)*w.WeightColumn+w.Channels {
		panic("simd: depthwise window outside its slices")
	}
}

// depthwiseOfGeneric is Table.Depthwise in plain Go.
func depthwiseOfGeneric(w DepthwiseWindow) {
	w.check()
	w.rest(0)
}

// rest computes the channels from c on one by one.
func (w *DepthwiseWindow) rest(from int) {
	for p := range w.Pixels {
		for c := from; c < w.Channels; c++ {
			sum := w.Bias[c]
			for y := range w.Rows {
				for x := range w.Columns {
					sum += float32(w.In[p*w.InPixel+y*w.InRow+x*w.InColumn+c] * w.Weights[y*w.WeightRow+x*w.WeightColumn+c])
				}
			}
			w.Out[p*w.OutPixel+c] = min(max(sum, w.Low), w.High)
		}
	}
}
