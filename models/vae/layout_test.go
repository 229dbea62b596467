package vae

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func TestShuffleOrderTurnsTorchChannelsIntoTheOperators(t *testing.T) {
	// pixel_shuffle by its definition, and DEPTH_TO_SPACE by its own, on one
	// coarse position: both must put the same values at the same pixels.
	for _, c := range []struct{ fine, n int }{{1, 2}, {3, 2}, {3, 4}, {48, 2}, {5, 1}} {
		torch := make([]float32, c.fine*c.n*c.n)
		for i := range torch {
			torch[i] = rand.Float32()
		}
		ours := permute(torch, shuffleOrder(c.fine, c.n), 1)
		for ch := range c.fine {
			for dy := range c.n {
				for dx := range c.n {
					want := torch[ch*c.n*c.n+dy*c.n+dx]
					if got := ours[(dy*c.n+dx)*c.fine+ch]; got != want {
						t.Fatalf("%d channels, blocks of %d: pixel %d,%d of channel %d differs", c.fine, c.n, dy, dx, ch)
					}
				}
			}
		}
	}
}

func TestPermuteMovesWholeBlocks(t *testing.T) {
	if got := permute([]float32{0, 1, 10, 11, 20, 21}, []int{2, 0, 1}, 2); !slices.Equal(got, []float32{20, 21, 0, 1, 10, 11}) {
		t.Errorf("got %v", got)
	}
}
