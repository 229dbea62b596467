package text

import (
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"nanoflux/models/internal/golden"
)

const tokenizerGoldens = "../data/goldens/tokenizers"

func readGzip[T any](t testing.TB, name string) T {
	t.Helper()
	f, err := os.Open(filepath.Join(tokenizerGoldens, name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.NewDecoder(z).Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func openUnigram(t testing.TB, path string) *Unigram {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	u, err := NewUnigram(data)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestIdsAreSentencePieces(t *testing.T) {
	for name, strings := range map[string]string{
		"unigram":                  "strings.json.gz",
		"unigram-nobyte":           "strings.json.gz",
		"rich/unigram-1000":        "rich/strings.json.gz",
		"rich/unigram-1000-nobyte": "rich/strings.json.gz",
	} {
		t.Run(name, func(t *testing.T) {
			u := openUnigram(t, filepath.Join(tokenizerGoldens, name, "spiece.model"))
			texts := readGzip[[]string](t, strings)
			ids := readGzip[[][]int32](t, name+"/ids.json.gz")
			if len(texts) < 1000 || len(ids) != len(texts) {
				t.Fatalf("%d texts, %d rows of ids", len(texts), len(ids))
			}
			wrong := 0
			for i, text := range texts {
				if got := u.Encode(text); !slices.Equal(got, ids[i]) {
					if wrong++; wrong <= 5 {
						t.Errorf("%q:\n got %v\nwant %v", text, got, ids[i])
					}
				}
			}
			if wrong > 0 {
				t.Errorf("%d of %d texts differ", wrong, len(texts))
			}
		})
	}
}

// piecesOf are the pieces of a text as SentencePiece prints them: an unknown run
// by its own letters, a byte by its piece.
func piecesOf(u *Unigram, text string) []string {
	pieces := []string{}
	normalized := u.normalizer.normalize(text)
	afterUnknown := false
	for _, s := range u.segment(normalized) {
		surface := normalized[s.from:s.to]
		switch {
		case s.id == u.unknown && u.bytes != nil:
			for _, b := range []byte(surface) {
				pieces = append(pieces, u.Piece(u.bytes[b]))
			}
		case s.id == u.unknown && afterUnknown:
			pieces[len(pieces)-1] += surface
		default:
			pieces = append(pieces, surface)
		}
		afterUnknown = s.id == u.unknown
	}
	return pieces
}

func TestPiecesAreSentencePieces(t *testing.T) {
	texts := readGzip[[]string](t, "rich/strings.json.gz")
	for _, name := range []string{"rich/unigram-1000", "rich/unigram-1000-nobyte"} {
		u := openUnigram(t, filepath.Join(tokenizerGoldens, name, "spiece.model"))
		want := readGzip[[][]string](t, name+"/pieces.json.gz")
		if len(texts) < 1000 || len(want) != len(texts) {
			t.Fatalf("%d texts, %d rows of pieces", len(texts), len(want))
		}
		for i, text := range texts {
			if got := piecesOf(u, text); !slices.Equal(got, want[i]) {
				t.Errorf("%s: %q:\n got %q\nwant %q", name, text, got, want[i])
			}
		}
	}
}

// optionCase is a vocabulary with texts and SentencePiece's ids, see
// testdata/make_unigram_options.py.
type optionCase struct {
	ByteFallback bool `json:"byte_fallback"`
	Dummy        bool `json:"add_dummy_prefix"`
	RemoveExtra  bool `json:"remove_extra_whitespaces"`
	Escape       bool `json:"escape_whitespaces"`
	CharsMap     bool
	Pieces       [][3]any
	Texts        [][]byte
	IDs          [][]int32
}

// model writes the case's vocabulary as a SentencePiece model.
func (c optionCase) model(charsMap []byte) []byte {
	var m []byte
	for _, p := range c.Pieces {
		m = appendPiece(m, p[0].(string), float32(p[1].(float64)), pieceType(p[2].(float64)))
	}
	m = appendMessage(m, fieldTrainer, appendFlag(nil, fieldByteBack, c.ByteFallback))
	n := appendFlag(appendFlag(appendFlag(nil, fieldDummy, c.Dummy), fieldExtra, c.RemoveExtra), fieldEscape, c.Escape)
	if c.CharsMap {
		n = appendMessage(n, fieldCharsMap, charsMap)
	}
	return appendMessage(m, fieldNormalizer, n)
}

func appendPiece(m []byte, text string, score float32, kind pieceType) []byte {
	p := appendMessage(nil, fieldPiece, []byte(text))
	p = protowire.AppendFixed32(protowire.AppendTag(p, fieldScore, protowire.Fixed32Type), math.Float32bits(score))
	p = protowire.AppendVarint(protowire.AppendTag(p, fieldType, protowire.VarintType), uint64(kind))
	return appendMessage(m, fieldPieces, p)
}

func appendMessage(m []byte, field protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), body)
}

func appendFlag(m []byte, field protowire.Number, v bool) []byte {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), protowire.EncodeBool(v))
}

func TestEveryKindOfPieceAndSwitchIsSentencePieces(t *testing.T) {
	data, err := os.ReadFile("../data/pocket/spiece.model")
	if err != nil {
		t.Fatal(err)
	}
	pocket, err := parseSpiece(data)
	if err != nil {
		t.Fatal(err)
	}
	cases := readGzip[[]optionCase](t, "../../../text/testdata/unigram_options.json.gz")
	if len(cases) < 40 {
		t.Fatalf("only %d cases", len(cases))
	}
	for i, c := range cases {
		u, err := NewUnigram(c.model(pocket.charsMap))
		if err != nil {
			t.Errorf("case %d: %v", i, err)
			continue
		}
		for j, text := range c.Texts {
			if got := u.Encode(string(text)); !slices.Equal(got, c.IDs[j]) {
				t.Errorf("case %d: %q:\n got %v\nwant %v", i, text, got, c.IDs[j])
			}
		}
	}
}

func TestPocketPromptsGiveTheirTokens(t *testing.T) {
	u := openUnigram(t, "../data/pocket/spiece.model")
	g := golden.Open(t, "../data/pocket/goldens.safetensors")
	want := g.Int32s("tokens")
	for i, prompt := range []string{"a red apple, 3d, on a white background", "flat picture of a rocket on blue", "a banana and a guitar"} {
		row := want[24*i : 24*i+24]
		ids := append(u.Encode(prompt), 1)
		if !slices.Equal(ids, row[:len(ids)]) {
			t.Errorf("%q: %v, want %v", prompt, ids, row)
		}
		for _, id := range row[len(ids):] {
			if id != 0 {
				t.Errorf("%q: %v ends early, want %v", prompt, ids, row)
				break
			}
		}
	}
}

func TestLongTextsTakeLinearTime(t *testing.T) {
	u := openUnigram(t, "../data/pocket/spiece.model")
	for _, unit := range []string{"a", " ", "apple ", "\xff", "語"} {
		text := strings.Repeat(unit, 200_000)
		if ids := u.Encode(text); len(ids) > 4*len(text) {
			t.Errorf("%q repeated: %d ids", unit, len(ids))
		}
	}
}

func TestACircularNormalizationTableEnds(t *testing.T) {
	// From the root, 'a' leads back to the root, and no rule ever ends.
	table := make([]byte, 4+4*256+1)
	binary.LittleEndian.PutUint32(table, 4*256)
	binary.LittleEndian.PutUint32(table[4+4*'a':], 'a'<<10|'a')
	model := appendPiece(appendPiece(nil, "<unk>", 0, pieceUnknown), "a", -1, pieceNormal)
	u, err := NewUnigram(appendMessage(model, fieldNormalizer, appendMessage(nil, fieldCharsMap, table)))
	if err != nil {
		t.Fatal(err)
	}
	// Quadratic, this would be 10^11 steps.
	if ids := u.Encode(strings.Repeat("a", 500_000)); len(ids) != 500_001 || ids[1] != 1 {
		t.Errorf("%d ids", len(ids))
	}
}

func TestDamagedModelsAreRefused(t *testing.T) {
	data, err := os.ReadFile("../data/pocket/spiece.model")
	if err != nil {
		t.Fatal(err)
	}
	unknown := appendPiece(nil, "<unk>", 0, pieceUnknown)
	with := func(text string, score float32, kind pieceType) []byte {
		return appendPiece(slices.Clone(unknown), text, score, kind)
	}
	normalized := func(charsMap ...byte) []byte {
		return appendMessage(slices.Clone(unknown), fieldNormalizer, appendMessage(nil, fieldCharsMap, charsMap))
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "cut short": data[:len(data)/2], "text": []byte("hello, world"),
		"no unknown piece":     appendPiece(nil, "a", 0, pieceNormal),
		"two unknown pieces":   with("<unknown>", 0, pieceUnknown),
		"a piece twice":        appendPiece(with("a", 0, pieceNormal), "a", -1, pieceUserDefined),
		"an empty piece":       with("", 0, pieceNormal),
		"a piece of a page":    with(strings.Repeat("a", longestPiece+1), 0, pieceNormal),
		"a score of NaN":       with("a", float32(math.NaN()), pieceNormal),
		"an infinite score":    with("a", float32(math.Inf(1)), pieceNormal),
		"an unknown type":      with("a", 0, 7),
		"bytes without pieces": appendMessage(slices.Clone(unknown), fieldTrainer, appendFlag(nil, fieldByteBack, true)),
		"a short table":        normalized(8, 0, 0, 0, 1, 2, 3, 4),
		"a table without end":  normalized(4, 0, 0, 0, 1, 2, 3, 4, 'a'),
		"a letter to a page":   normalized([]byte("\x04\x00\x00\x00\x01\x02\x03\x04" + strings.Repeat("a", longestRule+1) + "\x00")...),
	} {
		if _, err := NewUnigram(bad); !errors.Is(err, ErrTokenizer) {
			t.Errorf("%s: %v, must be ErrTokenizer", name, err)
		}
	}
}

func FuzzUnigram(f *testing.F) {
	data, err := os.ReadFile("../data/pocket/spiece.model")
	if err != nil {
		f.Fatal(err)
	}
	// The vocabulary without the large normalization table makes a seed that
	// can be mutated.
	f.Add(data[:2000], "a red apple")
	f.Add([]byte("\x0a\x0b\x0a\x05<unk>\x18\x02\x0a\x0a\x0a\x03abc\x15\x00\x00\x80\xbf"), "abcabd")
	f.Fuzz(func(t *testing.T, model []byte, text string) {
		u, err := NewUnigram(model)
		if err != nil {
			return
		}
		for _, id := range u.Encode(text) {
			if id < 0 || int(id) >= u.Size() {
				t.Fatalf("id %d of %d", id, u.Size())
			}
		}
	})
}
