package text

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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

func TestDamagedModelsAreRefused(t *testing.T) {
	data, err := os.ReadFile("../data/pocket/spiece.model")
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"empty": nil, "cut short": data[:len(data)/2], "text": []byte("hello, world")} {
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
