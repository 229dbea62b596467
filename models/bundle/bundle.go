package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/edsrzf/mmap-go"

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
}

// source is where a bundle's files are.
type source interface {
	// file returns a file's bytes, of exactly the given size.
	file(name string, size int64) ([]byte, error)
	close() error
}

// Open opens a bundle: a folder with bundle.yaml, or a zip. Files are mapped; a
// file's hash is compared when the file is first used (Verify compares all at
// once).
func Open(path string) (*Bundle, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening bundle: %w", err)
	}
	if info.IsDir() {
		return open(&folder{path: path}, path)
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, fmt.Errorf("%s: %w: it is neither a folder nor a zip", path, ErrFormat)
	}
	data, err := mapFile(path)
	if err != nil {
		return nil, fmt.Errorf("opening bundle: %w", err)
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
// hash (once). The bytes must not be written to.
func (b *Bundle) File(name string) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.file(name)
}

func (b *Bundle) file(name string) ([]byte, error) {
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
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want.SHA256 {
		return nil, fmt.Errorf("%s: file %q: %w: its SHA-256 is %x, the manifest says %s; fetch the bundle again", b.name, name, ErrHash, sum, want.SHA256)
	}
	b.sound[name] = true
	return data, nil
}

// Verify compares the hashes of all files.
func (b *Bundle) Verify() error {
	for name := range b.manifest.Files {
		if _, err := b.File(name); err != nil {
			return err
		}
	}
	return nil
}

// Model reads a part. It is read once and stays valid until Close.
func (b *Bundle) Model(part string) (*graph.Model, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m := b.models[part]; m != nil {
		return m, nil
	}
	p, ok := b.manifest.Parts[part]
	if !ok {
		return nil, fmt.Errorf("%s: %w: it has no part %q", b.name, ErrFormat, part)
	}
	data, err := b.file(p.File)
	if err != nil {
		return nil, err
	}
	m, err := graph.Read(data, b.name+"/"+p.File)
	if err != nil {
		return nil, err
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

// Close frees the bundle; nothing taken from it may be used after that. Closing
// twice does nothing.
func (b *Bundle) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.models = map[string]*graph.Model{}
	return b.files.close()
}

// mapFile maps a whole file that is not empty.
func mapFile(path string) (mmap.MMap, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading only
	return mmap.Map(f, mmap.RDONLY, 0)
}

// folder is a bundle as files in a folder.
type folder struct {
	path string
	open map[string]mmap.MMap
}

// mostManifest bounds the size of bundle.yaml.
const mostManifest = 1 << 20

func (f *folder) file(name string, size int64) ([]byte, error) {
	if data, ok := f.open[name]; ok {
		return data, nil
	}
	path := filepath.Join(f.path, filepath.FromSlash(name))
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case size >= 0 && info.Size() != size:
		return nil, fmt.Errorf("%w: it has %d bytes, the manifest says %d", ErrHash, info.Size(), size)
	case size < 0 && info.Size() > mostManifest:
		return nil, fmt.Errorf("it has %d bytes; the most is %d", info.Size(), mostManifest)
	case info.Size() == 0:
		return nil, nil
	}
	data, err := mapFile(path)
	if err != nil {
		return nil, err
	}
	if f.open == nil {
		f.open = map[string]mmap.MMap{}
	}
	f.open[name] = data
	return data, nil
}

func (f *folder) close() error {
	var all []error
	for _, data := range f.open {
		all = append(all, data.Unmap())
	}
	f.open = nil
	return errors.Join(all...)
}
