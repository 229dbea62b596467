package bundle

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Knows lists the words that a model was trained on; empty for a model that
// takes anything.
type Knows struct {
	Objects []Object `yaml:"objects,omitempty" json:"objects,omitempty"`
	// Styles and Backgrounds; the first is what a prompt without one means.
	Styles      []string `yaml:"styles,omitempty" json:"styles,omitempty"`
	Backgrounds []string `yaml:"backgrounds,omitempty" json:"backgrounds,omitempty"`
}

// Object is a thing that a model can draw.
type Object struct {
	Name string `yaml:"name" json:"name"`
	// Also are other names for it.
	Also []string `yaml:"also,omitempty,flow" json:"also,omitempty"`
}

// Recognition is what of a prompt a model knows.
type Recognition struct {
	Objects, Styles, Backgrounds []string
	// Nearest are the objects whose names come closest to the prompt's words,
	// best first, when it names none.
	Nearest []string
}

// Recognise looks for known words in a prompt. ok is false for a model that
// lists none, about which nothing can be said.
func (m *Manifest) Recognise(prompt string) (r Recognition, ok bool) {
	if len(m.Knows.Objects) == 0 {
		return r, false
	}
	words := wordsOf(prompt)
	for _, o := range m.Knows.Objects {
		for _, name := range append([]string{o.Name}, o.Also...) {
			if contains(words, wordsOf(name)) {
				r.Objects = append(r.Objects, o.Name)
				break
			}
		}
	}
	for _, s := range m.Knows.Styles {
		if contains(words, wordsOf(s)) {
			r.Styles = append(r.Styles, s)
		}
	}
	for _, b := range m.Knows.Backgrounds {
		if contains(words, wordsOf(b)) {
			r.Backgrounds = append(r.Backgrounds, b)
		}
	}
	if len(r.Objects) == 0 {
		r.Nearest = m.nearest(words)
	}
	return r, true
}

// wordsOf are the lower-case words of a text.
func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// contains reports whether phrase stands in words, in one piece.
func contains(words, phrase []string) bool {
	for i := 0; i+len(phrase) <= len(words); i++ {
		if slices.Equal(words[i:i+len(phrase)], phrase) {
			return true
		}
	}
	return false
}

// mostNearest is how many names are worth suggesting.
const mostNearest = 3

// nearest are the objects with a name, or a word of one, that is like a word of
// the prompt: at most a third of its letters differ.
func (m *Manifest) nearest(words []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var list []candidate
	for _, o := range m.Knows.Objects {
		best := -1
		for _, name := range append([]string{o.Name}, o.Also...) {
			for _, known := range append(wordsOf(name), strings.Join(wordsOf(name), "")) {
				for _, word := range words {
					n := utf8.RuneCountInString(word)
					if n < 3 || n > 64 {
						continue
					}
					if d := editDistance(word, known); 3*d <= n && (best < 0 || d < best) {
						best = d
					}
				}
			}
		}
		if best >= 0 {
			list = append(list, candidate{o.Name, best})
		}
	}
	slices.SortStableFunc(list, func(a, b candidate) int { return a.distance - b.distance })
	var names []string
	for _, c := range list[:min(len(list), mostNearest)] {
		names = append(names, c.name)
	}
	return names
}

// editDistance is Levenshtein's: insertions, deletions and substitutions.
func editDistance(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		diagonal := row[0]
		row[0] = i + 1
		for j := range y {
			change := diagonal
			if x[i] != y[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(y)]
}
