package profiles

import (
	"slices"
	"strconv"
	"strings"
)

// suggest is the end of a message about an unknown word: the nearest valid one
// if it is near, or the whole list if that is short.
func suggest(word string, valid []string) string {
	if near, ok := nearest(word, valid); ok {
		return "; did you mean " + strconv.Quote(near) + "?"
	}
	if len(valid) > 0 && len(valid) <= 12 {
		list := slices.Clone(valid)
		slices.Sort(list)
		return "; there are " + strings.Join(list, ", ")
	}
	return ""
}

// nearest returns the valid word with the fewest single-character changes from
// word, if these are at most a third of the word's length (at least one). Case does
// not count; of equally near words the first in the alphabet wins.
func nearest(word string, valid []string) (string, bool) {
	const longest = 100 // longer words are not typing errors
	if len(word) > longest {
		return "", false
	}
	sorted := slices.Clone(valid)
	slices.Sort(sorted)
	best, bestAt := max(1, (len(word)+1)/3)+1, -1
	for i, v := range sorted {
		if len(v) > longest {
			continue
		}
		if d := distance(strings.ToLower(word), strings.ToLower(v)); d < best {
			best, bestAt = d, i
		}
	}
	if bestAt < 0 {
		return "", false
	}
	return sorted[bestAt], true
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before := make([]int, len(y)+1)
	previous := make([]int, len(y)+1)
	current := make([]int, len(y)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(x); i++ {
		current[0] = i
		for j := 1; j <= len(y); j++ {
			change := 1
			if x[i-1] == y[j-1] {
				change = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+change)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(y)]
}
