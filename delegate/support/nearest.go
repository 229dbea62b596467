package support

import "strings"

// nearest returns the word of valid with the fewest insertions, deletions and
// replacements from word, if these are at most a third of its length. Of equally
// near words the first wins. Case does not count.
func nearest(word string, valid []string) (string, bool) {
	const longest = 40 // longer words are no typing errors
	if len(word) > longest {
		return "", false
	}
	best, found := (len(word)+2)/3+1, ""
	for _, v := range valid {
		if d := distance(strings.ToLower(word), strings.ToLower(v)); d < best {
			best, found = d, v
		}
	}
	return found, found != ""
}

// distance is the edit distance of two words, byte by byte.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
