package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"nanoflux/graph"
	"nanoflux/models/text"
)

// Bundle is an open bundle. Its files are mapped, or lie in the memory that it
// was read from. It may be used from many goroutines.
type Bundle struct {
	name     string
	manifest *Manifest
	hash     string
	files    source

	mu     sync.Mutex
	models map[string]*graph.Model
	sound  map[string]bool // files whose hash was compared
	closed bool
}

// source is where a bundle's files are.
type source interface {
	// file returns a file's bytes, of exactly the given size.
	file(name string, size int64) ([]byte, error)
	close() error
}

// Open opens a bundle: a folder with bundle.yaml, or a zip. Files are mapped. A
// file's size and hash are compared when the file is first used, so that a part
// that is not needed costs nothing and a large bundle opens at once; Verify
// compares all. Errors wrap ErrFormat, ErrHash, or those of the file system.
func Open(path string) (*Bundle, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening bundle: %w", err)
	}
	if info.IsDir() {
		files, err := openFolder(path)
		if err != nil {
			return nil, fmt.Errorf("opening bundle: %w", err)
		}
		b, err := open(files, path)
		if err != nil {
			_ = files.close() // the first error is the one to report
			return nil, err
		}
		return b, nil
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, fmt.Errorf("%s: %w: %w", path, ErrFormat, errNoBundle)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening bundle: %w", err)
	}
	data, err := mapFile(f)
	if err != nil {
		return nil, fmt.Errorf("mapping bundle %s: %w", path, err)
	}
	b, err := readZip(data, path, data.Unmap)
	if err != nil {
		_ = data.Unmap() // the first error is the one to report
		return nil, err
	}
	return b, nil
}

// Read opens a zip in memory, which must not change while the bundle is open.
// name is for error messages.
func Read(data []byte, name string) (*Bundle, error) {
	return readZip(data, name, func() error { return nil })
}

func readZip(data []byte, name string, release func() error) (*Bundle, error) {
	z, err := newArchive(data, release)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, ErrFormat, err)
	}
	return open(z, name)
}

func open(files source, name string) (*Bundle, error) {
	data, err := files.file(ManifestName, -1)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s: %w", name, ErrFormat, ManifestName, err)
	}
	m, err := ParseManifest(data, filepath.ToSlash(filepath.Join(name, ManifestName)))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	return &Bundle{
		name: name, manifest: m, hash: hex.EncodeToString(sum[:]), files: files,
		models: map[string]*graph.Model{}, sound: map[string]bool{},
	}, nil
}

// Manifest says what the bundle is; it must not be changed.
func (b *Bundle) Manifest() *Manifest { return b.manifest }

// Name is where the bundle came from, for messages.
func (b *Bundle) Name() string { return b.name }

// Hash is the SHA-256 of the manifest, which holds those of all files.
func (b *Bundle) Hash() string { return b.hash }

// File returns a file that the manifest lists, after comparing its size and
// hash (once). The bytes must not be written to, nor used after Close.
func (b *Bundle) File(name string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.file(context.Background(), name)
}

func (b *Bundle) file(ctx context.Context, name string) ([]byte, error) {
	if b.closed {
		return nil, fmt.Errorf("%s: file %q: %w", b.name, name, ErrClosed)
	}
	want, listed := b.manifest.Files[name]
	if !listed {
		return nil, fmt.Errorf("%s: the bundle lists no file %q", b.name, name)
	}
	data, err := b.files.file(name, want.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: file %q: %w", b.name, name, err)
	}
	if b.sound[name] {
		return data, nil
	}
	sum, err := hashOf(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("%s: file %q: %w", b.name, name, err)
	}
	if sum != want.SHA256 {
		return nil, fmt.Errorf("%s: file %q: %w: its SHA-256 is %s, the manifest says %s; fetch the bundle again", b.name, name, ErrHash, sum, want.SHA256)
	}
	b.sound[name] = true
	return data, nil
}

// hashOf is the SHA-256 of data in hexadecimal. It looks at the context between
// chunks: a large file takes seconds.
func hashOf(ctx context.Context, data []byte) (string, error) {
	const chunk = 16 << 20
	h := sha256.New()
	for part := range slices.Chunk(data, chunk) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		h.Write(part) // never fails
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Verify compares the sizes and hashes of all files, by name, up to the first that
// differs.
func (b *Bundle) Verify(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(b.manifest.Files)) {
		if err := b.verify(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bundle) verify(ctx context.Context, name string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.file(ctx, name)
	return err
}

// Model reads a part, which must take and give what the manifest says. It is read
// once and stays valid until Close.
func (b *Bundle) Model(part string) (*graph.Model, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.models[part]; m != nil && !b.closed {
		return m, nil
	}
	p, ok := b.manifest.Parts[part]
	if !ok {
		return nil, fmt.Errorf("%s: %w: it has no part %q", b.name, ErrFormat, part)
	}
	data, err := b.file(context.Background(), p.File)
	if err != nil {
		return nil, err
	}
	m, err := graph.Read(data, b.name+"/"+p.File)
	if err != nil {
		return nil, err
	}
	if err := p.fits(m); err != nil {
		return nil, fmt.Errorf("%s: %w: part %q: %w", b.name, ErrFormat, part, err)
	}
	b.models[part] = m
	return m, nil
}

// Tokenizer reads the tokenizer.
func (b *Bundle) Tokenizer() (*text.Unigram, error) {
	data, err := b.File(b.manifest.Tokenizer.File)
	if err != nil {
		return nil, err
	}
	u, err := text.NewUnigram(data)
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", b.name, b.manifest.Tokenizer.File, err)
	}
	for what, id := range map[string]int32{"end_of_sequence": b.manifest.Tokenizer.EndOfSequence, "padding": b.manifest.Tokenizer.Padding} {
		if id < 0 || int(id) >= u.Size() {
			return nil, fmt.Errorf("%s: %w: %s is %d, outside the tokenizer's %d pieces", b.name, ErrFormat, what, id, u.Size())
		}
	}
	return u, nil
}

// Close frees the bundle; nothing taken from it may be used after that, and File,
// Model, Tokenizer and Verify give ErrClosed. Closing twice does nothing.
func (b *Bundle) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	b.models = map[string]*graph.Model{}
	return b.files.close()
}
