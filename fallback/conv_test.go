package fallback

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// windowsCase is the geometry of one test of a sliding window.
type windowsCase struct {
	batch, height, width, channels int
	kernelH, kernelW               int
	strideH, strideW               int
	dilationH, dilationW           int
	padding                        graph.Padding
}

func (c windowsCase) String() string {
	return fmt.Sprintf("%d×%d×%d×%d, kernel %d×%d, stride %d×%d, dilation %d×%d, %v",
		c.batch, c.height, c.width, c.channels, c.kernelH, c.kernelW, c.strideH, c.strideW, c.dilationH, c.dilationW, c.padding)
}

func (c windowsCase) options() graph.ConvOptions {
	return graph.ConvOptions{StrideH: c.strideH, StrideW: c.strideW, DilationH: c.dilationH, DilationW: c.dilationW, Padding: c.padding}
}

// randomWindows makes cases with at least one output position.
func randomWindows(r *rand.Rand, n int) []windowsCase {
	var list []windowsCase
	for len(list) < n {
		d := func(most int) int { return 1 + r.IntN(most) }
		c := windowsCase{d(2), d(12), d(12), d(7), d(4), d(4), d(3), d(3), d(2), d(2), graph.Same}
		if r.IntN(2) == 0 {
			c.padding = graph.Valid
		}
		if c.padding == graph.Same || c.height >= (c.kernelH-1)*c.dilationH+1 && c.width >= (c.kernelW-1)*c.dilationW+1 {
			list = append(list, c)
		}
	}
	return list
}

// outAndBefore is the number of outputs along an axis and the padding before
// it, as TensorFlow's documentation of SAME and VALID gives them.
func outAndBefore(in, kernel, stride, dilation int, p graph.Padding) (out, before int) {
	span := (kernel-1)*dilation + 1
	if p == graph.Valid {
		return int(math.Ceil(float64(in-span+1) / float64(stride))), 0
	}
	out = int(math.Ceil(float64(in) / float64(stride)))
	return out, max((out-1)*stride+span-in, 0) / 2
}

// convolve is the definition: w [out, height, width, in/groups].
func convolve(c windowsCase, x, w, bias tensor) tensor {
	oh, top := outAndBefore(c.height, c.kernelH, c.strideH, c.dilationH, c.padding)
	ow, left := outAndBefore(c.width, c.kernelW, c.strideW, c.dilationW, c.padding)
	outs, perGroup := w.shape[0], w.shape[3]
	y := newTensor(c.batch, oh, ow, outs)
	every(y.shape, func(i []int) {
		sum := bias.data[i[3]]
		group := i[3] / (outs / (c.channels / perGroup))
		for ky := range c.kernelH {
			for kx := range c.kernelW {
				iy, ix := i[1]*c.strideH-top+ky*c.dilationH, i[2]*c.strideW-left+kx*c.dilationW
				if iy < 0 || iy >= c.height || ix < 0 || ix >= c.width {
					continue
				}
				for k := range perGroup {
					sum += x.at(i[0], iy, ix, group*perGroup+k) * w.at(i[3], ky, kx, k)
				}
			}
		}
		y.data[y.flat(i...)] = sum
	})
	return y
}

func TestConvolutionSlidesItsWindow(t *testing.T) {
	r := seeded(t)
	cases := randomWindows(r, 25)
	cases = append(cases,
		windowsCase{1, 20, 20, 48, 3, 3, 1, 1, 1, 1, graph.Same}, // deeper than a block
		windowsCase{1, 6, 7, 50, 3, 3, 1, 1, 1, 1, graph.Same},   // a block ends within a pixel
		windowsCase{2, 9, 9, 16, 1, 1, 1, 1, 1, 1, graph.Valid},
		windowsCase{1, 9, 9, 16, 1, 1, 2, 2, 1, 1, graph.Same},
		windowsCase{1, 3, 3, 2, 5, 5, 1, 1, 1, 1, graph.Same}, // a window larger than the picture
	)
	for i, c := range cases {
		t.Run(c.String(), func(t *testing.T) {
			outs := 1 + i*7%40
			x, w := random(r, graph.Float32, c.batch, c.height, c.width, c.channels), random(r, graph.Float32, outs, c.kernelH, c.kernelW, c.channels)
			bias := random(r, graph.Float32, outs)
			got := evaluate(t, one(func(b *graph.Builder, x []graph.T) graph.T {
				return b.Conv2DWith(x[0], x[1], x[2], c.options())
			}), x, w, bias)
			same(t, got[0], convolve(c, tensorOf(x), tensorOf(w), tensorOf(bias)), 1e-7*float64(100+len(w.Data)/4/outs))
		})
	}
}

func TestConvolutionInGroups(t *testing.T) {
	r := seeded(t)
	c := windowsCase{1, 7, 6, 12, 3, 3, 1, 1, 1, 1, graph.Same}
	x, w, bias := random(r, graph.Float32, 1, 7, 6, 12), random(r, graph.Float32, 9, 3, 3, 4), random(r, graph.Float32, 9)
	got := evaluate(t, one(func(b *graph.Builder, x []graph.T) graph.T {
		return b.Op(schema.BuiltinOperatorCONV_2D, 0, &schema.Conv2DOptionsT{StrideH: 1, StrideW: 1, DilationHFactor: 1, DilationWFactor: 1, Padding: graph.Same},
			x, graph.Tensor{Type: graph.Float32, Shape: []int{1, 7, 6, 9}, HasRank: true})[0]
	}), x, w, bias)
	same(t, got[0], convolve(c, tensorOf(x), tensorOf(w), tensorOf(bias)), 1e-5)
}

func TestDepthwiseConvolutionKeepsChannelsApart(t *testing.T) {
	r := seeded(t)
	for i, c := range randomWindows(r, 20) {
		multiplier := 1 + i%3
		t.Run(fmt.Sprintf("%v, multiplier %d", c, multiplier), func(t *testing.T) {
			outs := c.channels * multiplier
			x, w := random(r, graph.Float32, c.batch, c.height, c.width, c.channels), random(r, graph.Float32, 1, c.kernelH, c.kernelW, outs)
			bias := random(r, graph.Float32, outs)
			got := evaluate(t, one(func(b *graph.Builder, x []graph.T) graph.T {
				return b.DepthwiseConv2DWith(x[0], x[1], x[2], c.options())
			}), x, w, bias)
			// The same as a convolution of as many groups as channels, with
			// the weights' last dimension first.
			turned := newTensor(outs, c.kernelH, c.kernelW, 1)
			every(turned.shape, func(i []int) {
				turned.data[turned.flat(i...)] = tensorOf(w).at(0, i[1], i[2], i[0])
			})
			same(t, got[0], convolve(c, tensorOf(x), turned, tensorOf(bias)), 1e-5)
		})
	}
}

func TestTransposedConvolutionScattersEachPixel(t *testing.T) {
	r := seeded(t)
	for _, c := range randomWindows(r, 20) {
		c.dilationH, c.dilationW = 1, 1
		t.Run(c.String(), func(t *testing.T) {
			// c is the convolution that is transposed: its output is the input.
			h, top := outAndBefore(c.height, c.kernelH, c.strideH, 1, c.padding)
			w, left := outAndBefore(c.width, c.kernelW, c.strideW, 1, c.padding)
			outs := 5
			x, weights, bias := random(r, graph.Float32, c.batch, h, w, c.channels), random(r, graph.Float32, outs, c.kernelH, c.kernelW, c.channels), random(r, graph.Float32, outs)
			got := evaluate(t, one(func(b *graph.Builder, x []graph.T) graph.T {
				return b.TransposeConv(x[0], x[1], x[2], c.height, c.width, c.options())
			}), x, weights, bias)
			want := newTensor(c.batch, c.height, c.width, outs)
			every(want.shape, func(i []int) { want.data[want.flat(i...)] = tensorOf(bias).data[i[3]] })
			a, k := tensorOf(x), tensorOf(weights)
			every(a.shape, func(i []int) {
				for o := range outs {
					for ky := range c.kernelH {
						for kx := range c.kernelW {
							y, x := i[1]*c.strideH-top+ky, i[2]*c.strideW-left+kx
							if y >= 0 && y < c.height && x >= 0 && x < c.width {
								want.data[want.flat(i[0], y, x, o)] += a.at(i...) * k.at(o, ky, kx, i[3])
							}
						}
					}
				}
			})
			same(t, got[0], want, 1e-5)
		})
	}
}

func TestPoolsSeeThePixelsInsideThePictureOnly(t *testing.T) {
	r := seeded(t)
	for _, c := range randomWindows(r, 20) {
		c.dilationH, c.dilationW = 1, 1
		t.Run(c.String(), func(t *testing.T) {
			x := random(r, graph.Float32, c.batch, c.height, c.width, c.channels)
			o := graph.PoolOptions{Height: c.kernelH, Width: c.kernelW, StrideH: c.strideH, StrideW: c.strideW, Padding: c.padding}
			got := evaluate(t, func(b *graph.Builder, x []graph.T) []graph.T {
				return []graph.T{b.AveragePool2D(x[0], o), b.MaxPool2D(x[0], o)}
			}, x)
			h, top := outAndBefore(c.height, c.kernelH, c.strideH, 1, c.padding)
			w, left := outAndBefore(c.width, c.kernelW, c.strideW, 1, c.padding)
			mean, most := newTensor(c.batch, h, w, c.channels), newTensor(c.batch, h, w, c.channels)
			every(mean.shape, func(i []int) {
				sum, count, largest := 0.0, 0.0, math.Inf(-1)
				for ky := range c.kernelH {
					for kx := range c.kernelW {
						iy, ix := i[1]*c.strideH-top+ky, i[2]*c.strideW-left+kx
						if iy >= 0 && iy < c.height && ix >= 0 && ix < c.width {
							v := tensorOf(x).at(i[0], iy, ix, i[3])
							sum, count, largest = sum+v, count+1, max(largest, v)
						}
					}
				}
				mean.data[mean.flat(i...)], most.data[most.flat(i...)] = sum/count, largest
			})
			same(t, got[0], mean, 1e-6)
			same(t, got[1], most, 0)
		})
	}
}
