package profiles

import (
	"slices"
	"strconv"
	"strings"

	"nanoflux/profiles/nearest"
)

// suggest is the end of a message about an unknown word: the nearest valid one
// if it is near, or the whole list if that is short.
func suggest(word string, valid []string) string {
	if near, ok := nearest.Word(word, valid); ok {
		return "; did you mean " + strconv.Quote(near) + "?"
	}
	if len(valid) > 0 && len(valid) <= 24 {
		list := slices.Clone(valid)
		slices.Sort(list)
		return "; there are " + strings.Join(list, ", ")
	}
	return ""
}
