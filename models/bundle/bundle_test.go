package bundle

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"maps"
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
		Parts:     map[string]Part{"decoder": Describe("decoder.tflite", m)},
		Tokenizer: Tokenizer{Kind: "sentencepiece-unigram", File: "spiece.model", Tokens: 8, EndOfSequence: 1},
		Image:     Size{Width: 4, Height: 4},
		Schedule:  Schedule{Kind: "flow-match-euler", Steps: 4, Shift: 1},
		Knows: Knows{
			Objects: []Object{
				{Name: "red apple", Also: []string{"apple"}}, {Name: "green apple"}, {Name: "airplane", Also: []string{"plane"}},
				{Name: "cup of coffee", Also: []string{"coffee"}},
			},
			Styles: []string{"3d", "flat"}, Backgrounds: []string{"white", "green", "red"},
		},
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
		if err := b.Verify(t.Context()); err != nil {
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
	if err := r.Verify(t.Context()); err != nil {
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
		"cut short":        {good[:len(good)-100], ErrFormat, "cut short or damaged"},
		"cut very short":   {good[:5], ErrFormat, "cut short or damaged"},
		"not a zip":        {[]byte("hello"), ErrFormat, "neither a folder nor a zip; give"},
		"without manifest": {emptyZip(t), ErrFormat, ManifestName},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Read(c.data, "x.zip")
			if err == nil {
				err = b.Verify(t.Context())
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "x.zip") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q", err)
			}
		})
	}
}

func TestAZipThatGrowsTooMuchIsRefused(t *testing.T) {
	m, files := small(t)
	m.Files = nil
	write(t, m, files)
	for name, size := range map[string]int64{"more than is allowed": mostUnpacked + 1, "more than it says": 1000} {
		t.Run(name, func(t *testing.T) {
			spiece := m.Files["spiece.model"]
			defer func() { m.Files["spiece.model"] = spiece }()
			m.Files["spiece.model"] = File{Size: size, SHA256: spiece.SHA256}
			text, err := m.YAML()
			if err != nil {
				t.Fatal(err)
			}
			var b, packed bytes.Buffer
			z := zip.NewWriter(&b)
			w, err := z.Create(ManifestName)
			if err != nil {
				t.Fatal(err)
			}
			f, err := flate.NewWriter(&packed, flate.BestCompression)
			if err != nil {
				t.Fatal(err)
			}
			// 8 MB of zeros, whatever the zip and the manifest say.
			if _, err := f.Write(make([]byte, 8<<20)); err != nil {
				t.Fatal(err)
			}
			raw := func() error {
				out, err := z.CreateRaw(&zip.FileHeader{Name: "spiece.model", Method: zip.Deflate,
					CompressedSize64: uint64(packed.Len()), UncompressedSize64: uint64(size)})
				if err == nil {
					_, err = out.Write(packed.Bytes())
				}
				return err
			}
			_, writing := w.Write(text)
			if err := errors.Join(writing, f.Close(), raw(), z.Close()); err != nil {
				t.Fatal(err)
			}
			r, err := Read(b.Bytes(), "x.zip")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if data, err := r.File("spiece.model"); err == nil || !strings.Contains(err.Error(), "unpack") {
				t.Errorf("%d bytes, error %v", len(data), err)
			}
		})
	}
}

// inFolder writes a bundle's files to a folder.
func inFolder(t *testing.T, m *Manifest, files map[string][]byte) string {
	t.Helper()
	write(t, m, files) // fills the hashes
	text, err := m.YAML()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ManifestName), text, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDamageOfAFolderIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(path string) error
		want   error
	}{
		"missing": {os.Remove, os.ErrNotExist},
		"cut":     {func(path string) error { return os.Truncate(path, 100) }, ErrHash},
		"empty":   {func(path string) error { return os.Truncate(path, 0) }, ErrHash},
		"changed": {func(path string) error {
			data, err := os.ReadFile(path)
			data[len(data)/2] ^= 1
			return errors.Join(err, os.WriteFile(path, data, 0o644))
		}, ErrHash},
		"a folder": {func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o755)) }, nil},
		"a link that leaves": {func(path string) error {
			return errors.Join(os.Rename(path, path+".moved"), os.Symlink(filepath.Join("..", filepath.Base(filepath.Dir(path)), filepath.Base(path)+".moved"), path))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m, files := small(t)
			dir := inFolder(t, m, files)
			if err := c.damage(filepath.Join(dir, "spiece.model")); err != nil {
				t.Skip("cannot be made here: ", err)
			}
			b, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if _, err := b.Model("decoder"); err != nil {
				t.Errorf("another part: %v", err)
			}
			err = b.Verify(t.Context())
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("error %v, want %v", err, c.want)
			}
			if !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "spiece.model") || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q", err)
			}
		})
	}
}

func TestAPartMustBeWhatTheManifestSays(t *testing.T) {
	m, files := small(t)
	p := m.Parts["decoder"]
	p.Outputs = []string{"y: FLOAT32 [4]"}
	m.Parts["decoder"] = p
	b, err := Read(write(t, m, files), "x.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.Model("decoder"); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "y: FLOAT32 [3]") {
		t.Errorf("error %v", err)
	}
}

func TestAClosedBundleSaysSo(t *testing.T) {
	m, files := small(t)
	path := filepath.Join(t.TempDir(), "small.zip")
	if err := WriteFile(path, m, files); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, inFolder(t, m, files)} {
		b, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Model("decoder"); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(b.Close(), b.Close()); err != nil {
			t.Error(err)
		}
		_, ofFile := b.File("spiece.model")
		_, ofModel := b.Model("decoder")
		_, ofTokenizer := b.Tokenizer()
		for _, err := range []error{ofFile, ofModel, ofTokenizer, b.Verify(t.Context())} {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("error %v, want ErrClosed", err)
			}
		}
	}
}

func TestVerifyNamesTheSameFileEachTime(t *testing.T) {
	m, files := small(t)
	dir := inFolder(t, m, files)
	for name := range m.Files { // all are bad
		m.Files[name] = File{Size: m.Files[name].Size, SHA256: strings.Repeat("0", 64)}
	}
	text, err := m.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ManifestName), text, 0o644); err != nil {
		t.Fatal(err)
	}
	first := slices.Min(slices.Collect(maps.Keys(m.Files)))
	for range 10 {
		b, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Verify(t.Context()); !errors.Is(err, ErrHash) || !strings.Contains(err.Error(), first) {
			t.Errorf("error %v, must name %s", err, first)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	m, files := small(t)
	b, err := Read(write(t, m, files), "small")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Verify(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestAFailedWriteLeavesNothing(t *testing.T) {
	m, files := small(t)
	dir := t.TempDir()
	delete(files, "spiece.model") // the manifest needs it
	if err := WriteFile(filepath.Join(dir, "small.zip"), m, files); !errors.Is(err, ErrFormat) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
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
		_ = b.Verify(t.Context())
		_, _ = b.Tokenizer()
		for part := range b.Manifest().Parts {
			_, _ = b.Model(part)
		}
		b.Manifest().Recognise("a red apple")
	})
}
