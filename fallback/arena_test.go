package fallback

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// bestArena is the smallest arena over all orders in which the values can be
// placed one after another.
func bestArena(values []*value) int {
	best := 1 << 60
	var permute func(k int)
	permute = func(k int) {
		if k == len(values) {
			best = min(best, placeInOrder(values))
			return
		}
		for i := k; i < len(values); i++ {
			values[k], values[i] = values[i], values[k]
			permute(k + 1)
			values[k], values[i] = values[i], values[k]
		}
	}
	permute(0)
	return best
}

func TestArenasAreNearlyAsSmallAsTheBestOrderMakesThem(t *testing.T) {
	exact := 0
	const cases = 200
	for seed := range uint64(cases) {
		r := rand.New(rand.NewPCG(seed, 3))
		values := make([]*value, 2+r.IntN(6))
		for i := range values {
			first := r.IntN(6)
			values[i] = &value{size: 64 * (1 + r.IntN(12)), first: first, last: first + r.IntN(4)}
		}
		got, best := planArena(values), bestArena(slices.Clone(values))
		if got*100 > best*105 {
			t.Errorf("set %d: %d bytes, the best order takes %d", seed, got, best)
		}
		if got == best {
			exact++
		}
	}
	if exact < cases*95/100 {
		t.Errorf("%d of %d arenas are the smallest", exact, cases)
	}
}

func TestNoArenaIsSmallerThanWhatLivesAtOnce(t *testing.T) {
	values := []*value{{size: 128, first: 0, last: 2}, {size: 64, first: 1, last: 1}, {size: 256, first: 3, last: 3}, {size: 0, first: 9, last: -1}}
	if n := liveAtOnce(values); n != 256 {
		t.Errorf("%d bytes live at once, must be 256", n)
	}
	if n := planArena(values); n != 256 {
		t.Errorf("an arena of %d bytes, must be 256", n)
	}
}
