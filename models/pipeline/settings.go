package pipeline

import (
	"fmt"
	"sort"
	"strings"
)

// settings are what a bundle says about how its parts are used.
type settings struct {
	name, hash string
	steps      int // recommended
	schedule   Schedule
	guidance   float32
	// mean and std of the latent, by channel; see newStatistics.
	mean, std []float32

	lowercase bool
	eos, pad  int32
	// encode is the tokenizer, without the end-of-sequence token.
	encode func(text string) []int32
	// recognise gives warnings about a prompt, one line each; may be nil.
	recognise func(prompt string) []string
}

// tokens are a prompt as the text encoder takes it.
type tokens struct {
	ids      []int32
	warnings []string
}

// tokenize makes exactly length ids: those of the prompt, as many as fit, the
// end of sequence, and padding. Padding takes part in the computation, as in
// FLUX: there is no mask.
func (s settings) tokenize(prompt string, length int) tokens {
	text := prompt
	if s.lowercase {
		text = strings.ToLower(text)
	}
	ids := s.encode(text)
	var t tokens
	if s.recognise != nil {
		t.warnings = s.recognise(prompt)
	}
	if keep := length - 1; len(ids) > keep {
		t.warnings = append(t.warnings, fmt.Sprintf("the prompt has %d tokens and the model reads %d; this was cut: %q",
			len(ids), keep, clip(s.rest(text, keep))))
		ids = ids[:keep]
	}
	t.ids = make([]int32, length)
	for i := range t.ids {
		t.ids[i] = s.pad
	}
	t.ids[copy(t.ids, ids)] = s.eos
	return t
}

// rest is what of text is not read when only the first keep ids are: what
// follows the longest run of words that has no more ids than that. More words
// never have fewer ids, so the run's end is searched for by halving.
func (s settings) rest(text string, keep int) string {
	var ends []int // of words, but the last
	for i := range text {
		if i > 0 && text[i] == ' ' && text[i-1] != ' ' {
			ends = append(ends, i)
		}
	}
	first := sort.Search(len(ends), func(i int) bool { return len(s.encode(text[:ends[i]])) > keep })
	if first == 0 {
		return strings.TrimSpace(text)
	}
	return strings.TrimSpace(text[ends[first-1]:])
}

// maxQuote bounds how much of a prompt stands in a warning, in letters.
const maxQuote = 80

func clip(text string) string {
	if r := []rune(text); len(r) > maxQuote {
		return string(r[:maxQuote]) + "…"
	}
	return text
}
