package bundle

import (
	"archive/zip"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"nanoflux/graph"
)

// small is a bundle with one part that doubles a vector.
func small(t testing.TB) (*Manifest, map[string][]byte) {
	t.Helper()
	b := graph.NewBuilder("part")
	x := b.Input("x", graph.Float32, 3)
	b.Output("y", b.Add(x, x))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	part, err := graph.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	spiece, err := os.ReadFile("../data/pocket/spiece.model")
	if err != nil {
		t.Fatal(err)
	}
	return &Manifest{
		Version: 1, Name: "small", Description: "for tests", Licences: []string{"none"},
		Parts:     map[string]Part{"decoder": {File: "decoder.tflite"}},
		Tokenizer: Tokenizer{Kind: "sentencepiece-unigram", File: "spiece.model", Tokens: 8, EndOfSequence: 1},
		Image:     Size{Width: 4, Height: 4},
		Schedule:  Schedule{Kind: "flow-match-euler", Steps: 4, Shift: 1},
		Knows:     Knows{Objects: []Object{{Name: "red apple", Also: []string{"apple"}}, {Name: "airplane", Also: []string{"plane"}}}, Styles: []string{"3d"}, Backgrounds: []string{"white"}},
	}, map[string][]byte{"decoder.tflite": part, "spiece.model": spiece}
}

func write(t testing.TB, m *Manifest, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, m, files); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestABundleIsTheSameAsZipAndAsFolder(t *testing.T) {
	m, files := small(t)
	data := write(t, m, files)
	dir := t.TempDir()
	z := filepath.Join(dir, "small.zip")
	folder := filepath.Join(dir, "small")
	if err := errors.Join(os.WriteFile(z, data, 0o644), os.Mkdir(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	text, err := m.YAML()
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, ManifestName), text, 0o644); err != nil {
		t.Fatal(err)
	}
	var hashes []string
	for _, path := range []string{z, folder} {
		b, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		model, err := b.Model("decoder")
		if err != nil || len(model.Subgraphs[0].Ops) != 1 {
			t.Errorf("%s: %v", path, err)
		}
		if again, err := b.Model("decoder"); err != nil || again != model {
			t.Errorf("%s: the part was read twice (%v)", path, err)
		}
		if _, err := b.Tokenizer(); err != nil {
			t.Error(err)
		}
		if err := b.Verify(); err != nil {
			t.Error(err)
		}
		hashes = append(hashes, b.Hash())
		for range 2 {
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if hashes[0] != hashes[1] {
		t.Errorf("hashes %v differ", hashes)
	}
}

func TestWritingTwiceGivesTheSameBytes(t *testing.T) {
	m, files := small(t)
	if !bytes.Equal(write(t, m, files), write(t, m, files)) {
		t.Error("the bytes differ")
	}
}

func TestFilesLieAlignedAndAreNotCopied(t *testing.T) {
	m, files := small(t)
	data := write(t, m, files)
	b, err := Read(data, "small")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name := range files {
		got, err := b.File(name)
		if err != nil {
			t.Fatal(err)
		}
		at := uintptr(unsafe.Pointer(&got[0])) - uintptr(unsafe.Pointer(&data[0]))
		if at >= uintptr(len(data)) {
			t.Fatalf("%s was copied", name)
		}
		if at%fileAlignment != 0 {
			t.Errorf("%s begins at byte %d", name, at)
		}
	}
}

func TestACompressedZipIsReadToo(t *testing.T) {
	m, files := small(t)
	write(t, m, files) // fills the hashes
	text, err := m.YAML()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	files[ManifestName] = text
	for name, content := range files {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Read(b.Bytes(), "compressed")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Verify(); err != nil {
		t.Error(err)
	}
}

func TestDamageIsNamed(t *testing.T) {
	m, files := small(t)
	good := write(t, m, files)
	changed := bytes.Clone(good)
	at := bytes.Index(changed, files["spiece.model"])
	changed[at+1000] ^= 1
	for name, c := range map[string]struct {
		data []byte
		want error
		says string
	}{
		"a changed byte":   {changed, ErrHash, "spiece.model"},
		"cut short":        {good[:len(good)-100], ErrFormat, "zip"},
		"not a zip":        {[]byte("hello"), ErrFormat, "zip"},
		"without manifest": {emptyZip(t), ErrFormat, ManifestName},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Read(c.data, "x.zip")
			if err == nil {
				err = b.Verify()
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "x.zip") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q", err)
			}
		})
	}
}

func emptyZip(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := zip.NewWriter(&b).Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestManifestMistakesAreNamed(t *testing.T) {
	m, files := small(t)
	write(t, m, files)
	text, err := m.YAML()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, says string }{
		"unknown key":        {"name: small", "name: small\nnickname: x", "line 3"},
		"wrong type":         {"steps: 4", "steps: many", "line"},
		"another version":    {"version: 1", "version: 2", "version is 2"},
		"a path that leaves": {"decoder.tflite", "../decoder.tflite", "leaves the bundle"},
		"a missing file":     {"file: spiece.model", "file: other.model", "other.model"},
		"a short hash":       {m.Files["spiece.model"].SHA256, "abc", "SHA-256"},
		"no steps":           {"steps: 4", "steps: 0", "steps is 0"},
		"not a number":       {"shift: 1", "shift: .nan", "shift"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.ReplaceAll(string(text), c.old, c.new)
			if bad == string(text) {
				t.Fatal("nothing was changed")
			}
			_, err := ParseManifest([]byte(bad), "bundle.yaml")
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q does not say %q in one line", err, c.says)
			}
		})
	}
}

func TestKnownWordsAreFound(t *testing.T) {
	m, _ := small(t)
	for _, c := range []struct {
		prompt  string
		objects []string
		nearest []string
	}{
		{"a red apple, 3d, on a white background", []string{"red apple"}, nil},
		{"An APPLE!", []string{"red apple"}, nil},
		{"a plane", []string{"airplane"}, nil},
		{"an aeroplane", nil, []string{"airplane"}},
		{"an aple", nil, []string{"red apple"}},
		{"a purple dragon", nil, nil},
		{"", nil, nil},
	} {
		r, ok := m.Recognise(c.prompt)
		if !ok || !slices.Equal(r.Objects, c.objects) || !slices.Equal(r.Nearest, c.nearest) {
			t.Errorf("%q: objects %v, nearest %v; want %v, %v", c.prompt, r.Objects, r.Nearest, c.objects, c.nearest)
		}
	}
	if r, _ := m.Recognise("apple, 3d, white"); len(r.Styles) != 1 || len(r.Backgrounds) != 1 {
		t.Errorf("styles %v, backgrounds %v", r.Styles, r.Backgrounds)
	}
	if _, ok := (&Manifest{}).Recognise("x"); ok {
		t.Error("a model without a list says something")
	}
}

func FuzzRead(f *testing.F) {
	m, files := small(f)
	files["spiece.model"] = []byte("\x0a\x0b\x0a\x05<unk>\x18\x02")
	f.Add(write(f, m, files))
	f.Add([]byte("PK"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Read(data, "fuzz")
		if err != nil {
			return
		}
		defer b.Close()
		_ = b.Verify()
		_, _ = b.Tokenizer()
		for part := range b.Manifest().Parts {
			_, _ = b.Model(part)
		}
		b.Manifest().Recognise("a red apple")
	})
}
