package fallback

import (
	"math/rand/v2"
	"slices"
)

// arenaAlign is the alignment of values in the arena, in bytes: a cache line.
const arenaAlign = 64

const (
	// plannedValues is how many values share memory; the smaller ones of a model
	// with more get their own. Planning takes the square of it.
	plannedValues = 1 << 13
	// arenaTries is how often another order is tried, and triedValues for how
	// many values at most.
	arenaTries  = 128
	triedValues = 1 << 11
)

// planArena gives every value in the arena an offset such that values which
// live at the same time do not overlap, and returns the arena's size in bytes.
//
// Larger values are placed first, each in the lowest gap that fits (greedy by
// size: Pisarchyk and Lee, "Efficient memory management for deep neural net
// inference", 2020). When that takes more than all values that live at one time
// together, which no plan can beat, those that stick out at the top, and
// others, are placed earlier, and the best plan found so is kept.
func planArena(values []*value) int {
	order := slices.Clone(values)
	slices.SortStableFunc(order, func(a, b *value) int { return b.size - a.size })
	best := placeInOrder(order)
	if len(values) > triedValues {
		return best
	}
	bound := liveAtOnce(values)
	offsets := make([]int, len(values))
	keep := func() {
		for i, v := range values {
			offsets[i] = v.offset
		}
	}
	keep()
	random := rand.New(rand.NewPCG(uint64(len(values)), uint64(bound))) // the same plan every time
	total := best
	for range arenaTries {
		if best <= bound {
			break
		}
		before := total
		// What ends at the top goes first, the rest keeps its order.
		slices.SortStableFunc(order, func(a, b *value) int {
			return boolToInt(b.offset+b.size == before) - boolToInt(a.offset+a.size == before)
		})
		if total = placeInOrder(order); total >= before {
			// That leads nowhere: any other value, too.
			i := random.IntN(len(order))
			v := order[i]
			copy(order[1:i+1], order[:i])
			order[0] = v
			total = placeInOrder(order)
		}
		if total < best {
			best = total
			keep()
		}
	}
	for i, v := range values {
		v.offset = offsets[i]
	}
	return best
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// placeInOrder places one value after another and returns the arena's size.
func placeInOrder(order []*value) int {
	var placed []*value // by offset
	total := 0
	for i, v := range order {
		if i >= plannedValues {
			v.offset = aligned64(total)
			total = v.offset + v.size
			continue
		}
		offset := 0
		// Walk up, jumping over what overlaps in time and does not leave room
		// below it.
		for _, p := range placed {
			if p.last < v.first || v.last < p.first {
				continue
			}
			if offset+v.size <= p.offset {
				break
			}
			offset = max(offset, aligned64(p.offset+p.size))
		}
		v.offset = offset
		at, _ := slices.BinarySearchFunc(placed, v, func(a, b *value) int { return a.offset - b.offset })
		placed = slices.Insert(placed, at, v)
		total = max(total, offset+v.size)
	}
	return total
}

func aligned64(n int) int { return (n + arenaAlign - 1) / arenaAlign * arenaAlign }

// liveAtOnce is the largest sum of the sizes of values that live at one time:
// no arena is smaller.
func liveAtOnce(values []*value) int {
	steps := 0
	for _, v := range values {
		steps = max(steps, v.last+1)
	}
	// Differences from step to step.
	change := make([]int, steps+1)
	for _, v := range values {
		if v.last >= v.first {
			change[v.first] += v.size
			change[v.last+1] -= v.size
		}
	}
	most, live := 0, 0
	for _, c := range change {
		live += c
		most = max(most, live)
	}
	return most
}
