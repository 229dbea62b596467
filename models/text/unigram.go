package text

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// ErrTokenizer is wrapped by every error about a tokenizer's file.
var ErrTokenizer = errors.New("not a usable SentencePiece model")

// longestPiece is the most bytes of a piece. SentencePiece's trainer makes pieces of
// up to 16 characters; user-defined ones are rarely longer than a line. Without
// a bound a hostile vocabulary could make a long text take quadratic time.
const longestPiece = 512

// unknownPenalty is how far an unknown character scores below the worst piece.
const unknownPenalty = 10

// Unigram is SentencePiece's unigram tokenizer (Kudo, 2018): of all ways to cut
// a text into pieces of its vocabulary it takes the most probable one. It may be
// used from many goroutines.
type Unigram struct {
	normalizer normalizer
	pieces     []piece
	trie       *trie
	unknown    int32
	// bytes are the pieces of the 256 bytes, by which unknown characters are
	// spelled; nil without byte fallback.
	bytes []int32
	// unknownScore is the score of an unknown character.
	unknownScore float32
}

// NewUnigram reads a SentencePiece model (spiece.model). Errors wrap
// ErrTokenizer.
func NewUnigram(spieceModel []byte) (*Unigram, error) {
	m, err := parseSpiece(spieceModel)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenizer, err)
	}
	u := &Unigram{pieces: m.pieces, trie: newTrie(), unknown: -1}
	u.normalizer = normalizer{
		verbatim: newTrie(), addDummyPrefix: m.addDummyPrefix,
		removeExtraWhitespaces: m.removeExtraWhitespaces, escapeWhitespaces: m.escapeWhitespaces,
	}
	if u.normalizer.chars, err = newCharsMap(m.charsMap); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenizer, err)
	}
	if err := u.addPieces(m.byteFallback); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenizer, err)
	}
	return u, nil
}

func (u *Unigram) addPieces(byteFallback bool) error {
	lowest := float32(math.MaxFloat32)
	spelled := map[string]int32{}
	for i, p := range u.pieces {
		if p.text == "" {
			return fmt.Errorf("piece %d is empty", i)
		}
		if len(p.text) > longestPiece {
			return fmt.Errorf("piece %d has %d bytes; the most is %d", i, len(p.text), longestPiece)
		}
		if score := float64(p.score); math.IsNaN(score) || math.IsInf(score, 0) {
			return fmt.Errorf("piece %d has the score %v", i, p.score)
		}
		id, twice := int32(i), false
		switch p.kind {
		case pieceNormal:
			lowest = min(lowest, p.score)
			twice = !u.trie.insert(p.text, id)
		case pieceUserDefined:
			twice = !u.trie.insert(p.text, id)
			u.normalizer.verbatim.insert(p.text, id)
		case pieceUnused:
			twice = !u.trie.insert(p.text, id)
		case pieceUnknown:
			if u.unknown >= 0 {
				return errors.New("it has two unknown pieces")
			}
			u.unknown = id
		case pieceByte:
			spelled[p.text] = id
		case pieceControl:
		default:
			return fmt.Errorf("piece %d is of unknown type %d", i, p.kind)
		}
		if twice {
			return fmt.Errorf("piece %d, %q, is there twice", i, p.text)
		}
	}
	if u.unknown < 0 {
		return errors.New("it has no unknown piece")
	}
	u.unknownScore = lowest - unknownPenalty
	if !byteFallback {
		return nil
	}
	for b := range 256 {
		id, ok := spelled[fmt.Sprintf("<0x%02X>", b)]
		if !ok {
			return fmt.Errorf("it falls back to bytes but has no piece for byte %d", b)
		}
		u.bytes = append(u.bytes, id)
	}
	return nil
}

// Size is the number of pieces; ids are below it.
func (u *Unigram) Size() int { return len(u.pieces) }

// Piece is the text of a piece, "" for an id outside the vocabulary.
func (u *Unigram) Piece(id int32) string {
	if id < 0 || int(id) >= len(u.pieces) {
		return ""
	}
	return u.pieces[id].text
}

// Encode returns the ids of a text, without end of sequence.
func (u *Unigram) Encode(text string) []int32 {
	var ids []int32
	normalized := u.normalizer.normalize(text)
	afterUnknown := false
	for _, s := range u.segment(normalized) {
		if s.id == u.unknown && u.bytes != nil {
			for _, b := range []byte(normalized[s.from:s.to]) {
				ids = append(ids, u.bytes[b])
			}
			continue
		}
		// Without byte fallback a run of unknown characters is one piece.
		if !(s.id == u.unknown && afterUnknown) {
			ids = append(ids, s.id)
		}
		afterUnknown = s.id == u.unknown
	}
	return ids
}

// span is one piece of a segmentation: bytes [from, to).
type span struct {
	id       int32
	from, to int
}

// userDefinedScore is the score of a user-defined piece of so many bytes, which
// is meant to win against the others there, whose scores are negative as a rule.
// So it is in SentencePiece 0.2.3; in earlier versions it depended on the
// vocabulary's highest score.
func userDefinedScore(length int) float32 { return float32(0.1 * float64(length-1)) }

// segment finds the most probable segmentation (Viterbi): best[i] is the best way
// to end a piece at byte i. Ties are decided as in SentencePiece: scores are
// summed as float32, and a later candidate wins only by a higher score.
func (u *Unigram) segment(text string) []span {
	type end struct {
		id    int32
		score float32
		from  int32
	}
	best := make([]end, len(text)+1)
	for i := range best {
		best[i].from = -1
	}
	for from := 0; from < len(text); {
		till := best[from].score
		_, size := utf8.DecodeRuneInString(text[from:])
		single := false
		node := uint32(0)
		for at := from; at < len(text); {
			next, ok := u.trie.step(node, text[at])
			if !ok {
				break
			}
			node = next
			at++
			id, ends := u.trie.ends[node]
			if !ends || u.pieces[id].kind == pieceUnused {
				continue
			}
			score := u.pieces[id].score
			if u.pieces[id].kind == pieceUserDefined {
				score = userDefinedScore(at - from)
			}
			candidate := score + till
			if e := &best[at]; e.from < 0 || candidate > e.score {
				*e = end{id, candidate, int32(from)}
			}
			single = single || at-from == size
		}
		if !single {
			candidate := u.unknownScore + till
			if e := &best[from+size]; e.from < 0 || candidate > e.score {
				*e = end{u.unknown, candidate, int32(from)}
			}
		}
		from += size
	}
	var spans []span
	for to := len(text); to > 0; to = int(best[to].from) {
		spans = append(spans, span{best[to].id, int(best[to].from), to})
	}
	slices.Reverse(spans)
	return spans
}
