package simd

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestEveryTableComputesDepthwiseWindows(t *testing.T) {
	for _, table := range Available() {
		for _, channels := range []int{1, 3, 4, 7, 8, 12, 16, 24, 31, 64, 72, 100} {
			for _, size := range [][3]int{{1, 1, 1}, {3, 3, 1}, {3, 3, 5}, {1, 5, 2}, {5, 2, 3}} {
				t.Run(fmt.Sprintf("%s %d channels, %d×%d, %d pixels", table.Name, channels, size[0], size[1], size[2]), func(t *testing.T) {
					r := rand.New(rand.NewPCG(uint64(channels), uint64(size[0])))
					random := func(n int) []float32 {
						s := make([]float32, n)
						for i := range s {
							s[i] = float32(r.NormFloat64())
						}
						return guardedCopy(t, s)
					}
					w := DepthwiseWindow{Channels: channels, Rows: size[0], Columns: size[1], Pixels: size[2], Low: -1.5, High: 2}
					w.InColumn = channels + 2
					w.InRow = w.InColumn * 9
					w.InPixel = 2 * w.InColumn
					w.OutPixel = channels + 1
					w.WeightColumn = channels
					w.WeightRow = channels * w.Columns
					w.Bias = random(channels)
					w.Weights = random(channels * w.Rows * w.Columns)
					w.In = random((w.Pixels-1)*w.InPixel + (w.Rows-1)*w.InRow + (w.Columns-1)*w.InColumn + channels)
					w.Out = random((w.Pixels-1)*w.OutPixel + channels)
					before := append([]float32(nil), w.Out...)
					table.Depthwise(w)
					for i, got := range w.Out {
						p, c := i/w.OutPixel, i%w.OutPixel
						if c >= channels {
							if got != before[i] {
								t.Fatalf("element %d was written", i)
							}
							continue
						}
						sum := float64(w.Bias[c])
						for y := range w.Rows {
							for x := range w.Columns {
								sum += float64(w.In[p*w.InPixel+y*w.InRow+x*w.InColumn+c]) * float64(w.Weights[y*w.WeightRow+x*w.WeightColumn+c])
							}
						}
						if want := math.Min(math.Max(sum, -1.5), 2); math.Abs(float64(got)-want) > 1e-5 {
							t.Fatalf("pixel %d, channel %d: %v, want %v", p, c, got, want)
						}
					}
				})
			}
		}
	}
}
