// Package nearest finds the word that somebody meant, for messages about a word
// that is not known.
package nearest

import (
	"slices"
	"strings"
)

// Word returns the valid word with the fewest single-character changes from
// word, if these are at most a third of the word's length (at least one). Case does
// not count; of equally near words the first in the alphabet wins.
func Word(word string, valid []string) (string, bool) {
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
		if d := Distance(strings.ToLower(word), strings.ToLower(v)); d < best {
			best, bestAt = d, i
		}
	}
	if bestAt < 0 {
		return "", false
	}
	return sorted[bestAt], true
}

// Distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b (optimal string alignment).
func Distance(a, b string) int {
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
