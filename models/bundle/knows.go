package bundle

import (
	"fmt"
	"nanoflux/profiles/nearest"
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

const (
	// mostNames bounds the names in Knows, longestPhrase their bytes.
	mostNames, longestPhrase = 10_000, 100
	// mostWords of a prompt are looked at; text encoders read fewer.
	mostWords = 1000
)

// check refuses names without a word, which would be found everywhere.
func (k Knows) check() error {
	names := slices.Concat(k.Styles, k.Backgrounds)
	for _, o := range k.Objects {
		names = append(append(names, o.Name), o.Also...)
	}
	if len(names) > mostNames {
		return fmt.Errorf("%d names; the most is %d", len(names), mostNames)
	}
	for _, name := range names {
		if len(wordsOf(name)) == 0 || len(name) > longestPhrase || !plain(name) {
			return fmt.Errorf("the name %q must hold a word and have at most %d bytes", name, longestPhrase)
		}
	}
	return nil
}

// Recognise looks for known names in a prompt, in its order. Of names that overlap
// the longest counts: "a green apple" is no red apple though that is also called
// apple, and its green is no background. ok is false for a model that lists none,
// about which nothing can be said.
func (m *Manifest) Recognise(prompt string) (r Recognition, ok bool) {
	if len(m.Knows.Objects) == 0 {
		return r, false
	}
	words := wordsOf(prompt)
	words = words[:min(len(words), mostWords)]
	phrases, longest := m.Knows.phrases(&r)
	for at := 0; at < len(words); {
		n := min(longest, len(words)-at)
		for ; n > 0; n-- {
			if p, known := phrases[strings.Join(words[at:at+n], " ")]; known {
				if !slices.Contains(*p.list, p.name) {
					*p.list = append(*p.list, p.name)
				}
				break
			}
		}
		at += max(1, n)
	}
	if len(r.Objects) == 0 {
		r.Nearest = m.nearest(words)
	}
	return r, true
}

// phrase is a name, and the list of a Recognition that it belongs to.
type phrase struct {
	name string
	list *[]string
}

// phrases are all names by their words; longest is the most words of one.
func (k Knows) phrases(r *Recognition) (all map[string]phrase, longest int) {
	all = map[string]phrase{}
	add := func(text, name string, list *[]string) {
		words := wordsOf(text)
		key := strings.Join(words, " ")
		if _, taken := all[key]; !taken {
			all[key] = phrase{name, list}
			longest = max(longest, len(words))
		}
	}
	for _, o := range k.Objects {
		for _, name := range append([]string{o.Name}, o.Also...) {
			add(name, o.Name, &r.Objects)
		}
	}
	for _, s := range k.Styles {
		add(s, s, &r.Styles)
	}
	for _, b := range k.Backgrounds {
		add(b, b, &r.Backgrounds)
	}
	return all, longest
}

// wordsOf are the lower-case words of a text.
func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
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
					if n < 3 || n > longestPhrase {
						continue
					}
					if d := nearest.Distance(word, known); 3*d <= n && (best < 0 || d < best) {
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
