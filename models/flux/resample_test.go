package flux

import (
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"nanoflux/graph"
	"nanoflux/models/config"
	"nanoflux/models/internal/golden"
	"nanoflux/models/weights"
)

// grid is tokens [rows·columns][width] in float64, computed in the plainest way.
type grid struct {
	rows, columns, width int
	at                   []float64
}

func (g grid) pixel(y, x int) []float64 {
	i := (y*g.columns + x) * g.width
	return g.at[i : i+g.width]
}

func newGrid(rows, columns, width int, value func(y, x, c int) float64) grid {
	g := grid{rows, columns, width, nil}
	for y := range rows {
		for x := range columns {
			for c := range width {
				g.at = append(g.at, value(y, x, c))
			}
		}
	}
	return g
}

// conv is torch's Conv2d of 3×3, with torch's filter, over a grid that is padded
// by zeros above and left by before, and below and right without end.
func (g grid) conv(w, bias []float32, stride, before int) grid {
	return newGrid(g.rows/stride, g.columns/stride, g.width, func(y, x, c int) float64 {
		sum := float64(bias[c])
		for i := range g.width {
			for dy := range 3 {
				for dx := range 3 {
					yy, xx := y*stride+dy-before, x*stride+dx-before
					if yy >= 0 && xx >= 0 && yy < g.rows && xx < g.columns {
						sum += float64(w[((c*g.width+i)*3+dy)*3+dx]) * g.pixel(yy, xx)[i]
					}
				}
			}
		}
		return sum
	})
}

func (g grid) norm() grid {
	return newGrid(g.rows, g.columns, g.width, func(y, x, c int) float64 {
		mean, square := 0.0, 0.0
		for _, v := range g.pixel(y, x) {
			mean += v / float64(g.width)
		}
		for _, v := range g.pixel(y, x) {
			square += (v - mean) * (v - mean) / float64(g.width)
		}
		return (g.pixel(y, x)[c] - mean) / math.Sqrt(square+1e-6)
	})
}

func (g grid) each(f func(v float64, c int) float64) grid {
	return newGrid(g.rows, g.columns, g.width, func(y, x, c int) float64 { return f(g.pixel(y, x)[c], c) })
}

func silu(v float64, _ int) float64 { return v / (1 + math.Exp(-v)) }

// double is torch's interpolate(scale_factor=2, mode="bilinear").
func (g grid) double() grid {
	side := func(i, n int) (low, high int, share float64) {
		at := max((float64(i)+0.5)/2-0.5, 0)
		low = int(at)
		return low, min(low+1, n-1), at - float64(low)
	}
	return newGrid(2*g.rows, 2*g.columns, g.width, func(y, x, c int) float64 {
		top, bottom, down := side(y, g.rows)
		left, right, across := side(x, g.columns)
		row := func(y int) float64 { return g.pixel(y, left)[c]*(1-across) + g.pixel(y, right)[c]*across }
		return row(top)*(1-down) + row(bottom)*down
	})
}

// known are weights by name.
type known map[string][]float32

// memory gives them to a builder.
type memory struct {
	shapes map[string][]int
	values known
}

func (m memory) Names() []string { return slices.Collect(maps.Keys(m.shapes)) }

func (m memory) Shape(name string) ([]int, bool) { s, ok := m.shapes[name]; return s, ok }

func (m memory) Float32s(name string, _ ...int) ([]float32, error) { return m.values[name], nil }

func (k known) block(g grid, name string, shift, scale []float32) grid {
	h := g.norm().each(silu).conv(k[name+".conv1.weight"], k[name+".conv1.bias"], 1, 1)
	h = h.norm().each(func(v float64, c int) float64 { return v*float64(scale[c]) + float64(shift[c]) })
	h = h.each(silu).conv(k[name+".conv2.weight"], k[name+".conv2.bias"], 1, 1)
	return newGrid(g.rows, g.columns, g.width, func(y, x, c int) float64 { return g.pixel(y, x)[c] + h.pixel(y, x)[c] })
}

func TestResamplersComputeTheirFormulas(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(r.NormFloat64()) / 2
		}
		return v
	}
	for _, c := range []struct{ width, rows, columns int }{{8, 4, 6}, {5, 2, 2}} {
		source := func(list []weights.Spec) (weights.Source, known) {
			shapes, k := map[string][]int{}, known{}
			for _, s := range list {
				n := 1
				for _, size := range s.Shape {
					n *= size
				}
				k[s.Name] = random(n)
				shapes[s.Name] = s.Shape
			}
			return memory{shapes, k}, k
		}
		tokens := random(c.rows * c.columns * c.width)
		x := newGrid(c.rows, c.columns, c.width, func(y, x, i int) float64 { return float64(tokens[(y*c.columns+x)*c.width+i]) })
		modulation := random(4 * c.width)
		row := func(i int) []float32 { return modulation[i*c.width : (i+1)*c.width] }
		run := func(m *graph.Model, err error, rows int) []float32 {
			return golden.Compile(t, m, err).Run(map[string]graph.Array{
				"tokens":     golden.Float32s(tokens, 1, c.rows*c.columns, c.width),
				"modulation": golden.Float32s(modulation[:rows*c.width], 1, rows, c.width),
			})["tokens"]
		}
		compare := func(what string, got []float32, want grid) {
			values := make([]float32, len(want.at))
			for i, v := range want.at {
				values[i] = float32(v)
			}
			golden.Close(t, what, got, values, 1e-4)
		}

		w, k := source(DownsamplerTensors(c.width))
		m, err := BuildDownsampler(c.width, c.rows, c.columns, w, Options{})
		compare("downsampler", run(m, err, 2), k.block(x, "block", row(0), row(1)).conv(k["conv.weight"], k["conv.bias"], 2, 0))

		w, k = source(UpsamplerTensors(c.width))
		m, err = BuildUpsampler(c.width, c.rows, c.columns, w, Options{})
		up := k.block(x, "block1", row(0), row(1)).double().conv(k["conv.weight"], k["conv.bias"], 1, 1)
		compare("upsampler", run(m, err, 4), k.block(up, "block2", row(2), row(3)))
	}
}

func TestAnOddGridCannotBeHalved(t *testing.T) {
	w, err := weights.Blank(DownsamplerTensors(4))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := BuildDownsampler(4, 3, 4, w, Options{}); !errors.Is(err, config.ErrConfig) {
		t.Errorf("error %v", err)
	}
}
