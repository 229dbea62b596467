package fallback

import (
	"fmt"
	"math"
	"testing"

	"nanoflux/graph"
)

// resizeModes are align_corners and half_pixel_centers.
var resizeModes = [][2]bool{{false, false}, {true, false}, {false, true}}

// position is where an output line lies among the input lines: corners on
// corners, centers on centers, or starts on starts.
func position(o, in, out int, corners, centers bool) float64 {
	switch {
	case corners && out > 1:
		return float64(o) * float64(in-1) / float64(out-1)
	case centers:
		return (float64(o)+0.5)*float64(in)/float64(out) - 0.5
	}
	return float64(o) * float64(in) / float64(out)
}

var resizeSizes = []struct{ h, w, toH, toW int }{
	{4, 5, 8, 10}, {8, 6, 4, 3}, {3, 3, 7, 5}, {1, 1, 4, 4}, {5, 7, 5, 7}, {6, 4, 1, 1}, {2, 9, 3, 20}, {16, 16, 32, 32},
}

func TestBilinearResizingMixesTheFourNeighbors(t *testing.T) {
	for _, s := range resizeSizes {
		for k, mode := range resizeModes {
			channels := []int{3, 16, 9}[k]
			t.Run(fmt.Sprintf("%v, corners %v, centers %v", s, mode[0], mode[1]), func(t *testing.T) {
				x := random(seeded(t), graph.Float32, 2, s.h, s.w, channels)
				got := evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T {
					return b.ResizeBilinear(in[0], s.toH, s.toW, mode[0], mode[1])
				}), x)
				// A hat over each input pixel, of width 2; outside, the edge.
				weights := func(o, in, out int) map[int]float64 {
					p := min(max(position(o, in, out, mode[0], mode[1]), 0), float64(in-1))
					list := map[int]float64{}
					for k := range in {
						if w := 1 - math.Abs(p-float64(k)); w > 0 {
							list[k] = w
						}
					}
					return list
				}
				want, elements := newTensor(2, s.toH, s.toW, channels), tensorOf(x)
				every(want.shape, func(i []int) {
					sum := 0.0
					for y, wy := range weights(i[1], s.h, s.toH) {
						for x0, wx := range weights(i[2], s.w, s.toW) {
							sum += wy * wx * elements.at(i[0], y, x0, i[3])
						}
					}
					want.data[want.flat(i...)] = sum
				})
				same(t, got[0], want, 3e-6)
			})
		}
	}
}

func TestNearestResizingTakesOnePixel(t *testing.T) {
	for _, s := range resizeSizes {
		for _, mode := range resizeModes {
			// The nearest line: rounded where corners are aligned; where
			// centers are, the line that the position falls into.
			line := func(o, in, out int) int {
				p := float64(o) * float64(in) / float64(out)
				if mode[0] && out > 1 {
					p = math.Round(float64(o) * float64(in-1) / float64(out-1))
				} else if mode[1] {
					p = (float64(o) + 0.5) * float64(in) / float64(out)
				}
				return min(int(p), in-1)
			}
			if mode[0] && (s.toH == 1 || s.toW == 1) {
				continue // corners of a single pixel are not defined
			}
			testMoved(t, moved{
				name: fmt.Sprintf("%v, corners %v, centers %v", s, mode[0], mode[1]), shapes: [][]int{{2, s.h, s.w, 3}}, out: []int{2, s.toH, s.toW, 3},
				build: one(func(b *graph.Builder, in []graph.T) graph.T {
					return b.ResizeNearestNeighbor(in[0], s.toH, s.toW, mode[0], mode[1])
				}),
				source: from0(func(i []int) []int { return []int{i[0], line(i[1], s.h, s.toH), line(i[2], s.w, s.toW), i[3]} }),
			})
		}
	}
}
