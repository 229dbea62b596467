package bundle

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// fileAlignment is where files begin in a zip, so that tensors inside them lie
// aligned when the zip is mapped.
const fileAlignment = 64

// Write writes a bundle as a zip: the manifest first, then the files by name, all
// stored and aligned. It fills m.Files. The same input gives the same bytes.
func Write(w io.Writer, m *Manifest, files map[string][]byte) error {
	m.Files = map[string]File{}
	for name, data := range files {
		sum := sha256.Sum256(data)
		m.Files[name] = File{Size: int64(len(data)), SHA256: hex.EncodeToString(sum[:])}
	}
	if err := m.check(); err != nil {
		return fmt.Errorf("writing bundle %s: %w: %w", m.Name, ErrFormat, err)
	}
	text, err := m.YAML()
	if err != nil {
		return err
	}
	z := &zipWriter{Writer: zip.NewWriter(w)}
	if err := z.store(ManifestName, text); err != nil {
		return fmt.Errorf("writing bundle %s: %w", m.Name, err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := z.store(name, files[name]); err != nil {
			return fmt.Errorf("writing bundle %s: %s: %w", m.Name, name, err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("writing bundle %s: %w", m.Name, err)
	}
	return nil
}

// WriteFile writes a bundle as a zip at path: beside it first, then renamed, so that
// nobody meets half a bundle.
func WriteFile(path string, m *Manifest, files map[string][]byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing bundle %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error is the one to report
		}
	}()
	err = Write(f, m, files)
	if err == nil {
		err = f.Chmod(0o644) // CreateTemp's files are private
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("writing bundle %s: %w", path, err)
	}
	return nil
}

// zipWriter counts where the next file begins.
type zipWriter struct {
	*zip.Writer
	at int
}

// A zip's local header is 30 bytes, the name and the extra field.
const localHeader = 30

// paddingField is an extra field that other programs pass over; its head is 4
// bytes.
const (
	paddingField = 0xD935 // Android's zipalign uses the same
	paddingHead  = 4
)

// firstDay is 1980-01-01 as zip writes it: the same date always, and a valid one.
const firstDay = 1<<5 | 1

func (z *zipWriter) store(name string, data []byte) error {
	begin := z.at + localHeader + len(name) + paddingHead
	padding := (fileAlignment - begin%fileAlignment) % fileAlignment
	extra := append([]byte{paddingField & 0xFF, paddingField >> 8, byte(padding), 0}, bytes.Repeat([]byte{0}, padding)...)
	size := uint64(len(data))
	out, err := z.CreateRaw(&zip.FileHeader{
		Name: name, Method: zip.Store, Extra: extra,
		CRC32: crc32.ChecksumIEEE(data), CompressedSize64: size, UncompressedSize64: size,
		ModifiedDate: firstDay, // CreateRaw writes this field and not Modified
	})
	if err != nil {
		return err
	}
	if _, err := out.Write(data); err != nil {
		return err
	}
	z.at = begin + padding + len(data)
	return nil
}
