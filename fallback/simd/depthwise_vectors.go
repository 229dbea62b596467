//go:build amd64 || arm64

package simd

// depthwiseArguments is what the assembly reads; steps are in bytes.
type depthwiseArguments struct {
	out, in, weights, bias             *float32
	bytes, pixels, rows, columns       int
	inRow, inColumn, inPixel, outPixel int
	weightRow, weightColumn            int
	low, high                          float32
}

// arguments are those of the first channels.
func (w *DepthwiseWindow) arguments(a *depthwiseArguments, channels int) {
	*a = depthwiseArguments{
		out: &w.Out[0], in: &w.In[0], weights: &w.Weights[0], bias: &w.Bias[0],
		bytes: 4 * channels, pixels: w.Pixels, rows: w.Rows, columns: w.Columns,
		inRow: 4 * w.InRow, inColumn: 4 * w.InColumn, inPixel: 4 * w.InPixel, outPixel: 4 * w.OutPixel,
		weightRow: 4 * w.WeightRow, weightColumn: 4 * w.WeightColumn,
		low: w.Low, high: w.High,
	}
}
