package text

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// spaceSymbol stands for a space in pieces: U+2581.
const spaceSymbol = "▁"

// charsMap is SentencePiece's compiled normalization: a double-array trie (as in
// darts-clone) over UTF-8 bytes whose values are offsets of replacement strings,
// each ended by a zero byte.
type charsMap struct {
	units        []uint32
	replacements []byte
}

// longestRule is the most bytes that one rule of the map may read or write; the
// longest of NFKC writes 33. It bounds what a hostile table can cost: its trie may
// be a circle, or one letter may become the whole table.
const longestRule = 256

// newCharsMap reads the field precompiled_charsmap: the size of the trie in
// bytes, the trie, the replacements. An empty field maps nothing.
func newCharsMap(data []byte) (charsMap, error) {
	if len(data) == 0 {
		return charsMap{}, nil
	}
	if len(data) < 4 {
		return charsMap{}, errors.New("its normalization table is cut short")
	}
	size := binary.LittleEndian.Uint32(data)
	data = data[4:]
	if uint64(size) > uint64(len(data)) || size%4 != 0 || size == 0 {
		return charsMap{}, errors.New("its normalization table is cut short")
	}
	m := charsMap{units: make([]uint32, size/4), replacements: data[size:]}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(data[4*i:])
	}
	if n := len(m.replacements); n > 0 && m.replacements[n-1] != 0 {
		return charsMap{}, errors.New("its normalization table does not end")
	}
	for text := range bytes.SplitSeq(m.replacements, []byte{0}) {
		if len(text) > longestRule {
			return charsMap{}, fmt.Errorf("its normalization table writes %d bytes for one letter; the most is %d", len(text), longestRule)
		}
	}
	return m, nil
}

// longest finds the longest prefix of s that the map replaces, and by what;
// length is 0 when there is none.
func (m charsMap) longest(s string) (replacement string, length int) {
	if len(m.units) == 0 {
		return "", 0
	}
	const label = 1<<31 | 0xFF
	offset := func(unit uint32) uint32 { return unit >> 10 << (unit & (1 << 9) >> 6) }
	at := offset(m.units[0])
	value := -1
	for i := range min(len(s), longestRule) {
		at ^= uint32(s[i])
		if int(at) >= len(m.units) {
			break
		}
		unit := m.units[at]
		if unit&label != uint32(s[i]) {
			break
		}
		at ^= offset(unit)
		if unit>>8&1 == 1 && int(at) < len(m.units) {
			value, length = int(m.units[at]&(1<<31-1)), i+1
		}
	}
	if value < 0 || value >= len(m.replacements) {
		return "", 0
	}
	text := m.replacements[value:]
	return string(text[:bytes.IndexByte(text, 0)]), length
}

// normalizer turns text into what the vocabulary was made for.
type normalizer struct {
	chars charsMap
	// verbatim are user-defined pieces, which pass unchanged.
	verbatim                                                  *trie
	addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces bool
}

// next is the normalized form of the shortest unit that text begins with, and
// the unit's length in bytes. Text is not empty.
func (n *normalizer) next(text string) (form string, length int) {
	if length = n.verbatim.longest(text); length > 0 {
		return text[:length], length
	}
	if form, length = n.chars.longest(text); length > 0 {
		return form, length
	}
	r, size := utf8.DecodeRuneInString(text)
	if r == utf8.RuneError && size <= 1 {
		return "\uFFFD", 1 // not UTF-8
	}
	return text[:size], size
}

// normalize follows SentencePiece's Normalizer: replace, fold white space, put a
// space before, write U+2581 for spaces.
func (n *normalizer) normalize(text string) string {
	if n.removeExtraWhitespaces {
		for text != "" {
			form, length := n.next(text)
			if form != " " {
				break
			}
			text = text[length:]
		}
	}
	if text == "" {
		return ""
	}
	space := " "
	if n.escapeWhitespaces {
		space = spaceSymbol
	}
	var out strings.Builder
	if n.addDummyPrefix {
		out.WriteString(space)
	}
	afterSpace := n.removeExtraWhitespaces
	for text != "" {
		form, length := n.next(text)
		text = text[length:]
		for afterSpace && strings.HasPrefix(form, " ") {
			form = form[1:]
		}
		if form == "" {
			continue
		}
		out.WriteString(strings.ReplaceAll(form, " ", space))
		afterSpace = n.removeExtraWhitespaces && strings.HasSuffix(form, " ")
	}
	result := out.String()
	if n.removeExtraWhitespaces {
		for strings.HasSuffix(result, space) {
			result = strings.TrimSuffix(result, space)
		}
	}
	return result
}
