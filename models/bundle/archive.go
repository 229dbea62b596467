package bundle

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// archive is a bundle as one zip. Files that are stored, as Write stores them,
// are used where they lie; compressed ones are unpacked into memory.
type archive struct {
	data     []byte
	entries  map[string]*zip.File
	unpacked map[string][]byte
	// room is how many bytes may still be unpacked.
	room    int64
	release func() error
}

// errNoBundle is for what is no bundle at all.
var errNoBundle = errors.New("it is neither a folder nor a zip; give a bundle: a folder with " + ManifestName + ", or a .zip")

// localHeaderMark is what a zip that holds a file begins with.
const localHeaderMark = "PK\x03\x04"

// mostUnpacked bounds what the compressed files of one bundle may take in memory.
// A larger bundle has to be stored, which needs none.
const mostUnpacked = 1 << 30

func newArchive(data []byte, release func() error) (*archive, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	switch {
	case err == nil:
	case errors.Is(err, zip.ErrFormat) && bytes.HasPrefix(data, []byte(localHeaderMark)):
		// The list of a zip's files is its end.
		return nil, fmt.Errorf("the zip is cut short or damaged: it has %d bytes and no list of files at its end; fetch it again", len(data))
	case errors.Is(err, zip.ErrFormat):
		return nil, errNoBundle
	default:
		return nil, fmt.Errorf("the zip is damaged: %s; fetch it again", strings.TrimPrefix(err.Error(), "zip: "))
	}
	a := &archive{data: data, entries: map[string]*zip.File{}, unpacked: map[string][]byte{}, room: mostUnpacked, release: release}
	for _, f := range z.File {
		if _, twice := a.entries[f.Name]; twice {
			return nil, fmt.Errorf("it holds %q twice", f.Name)
		}
		a.entries[f.Name] = f
	}
	return a, nil
}

func (a *archive) file(name string, size int64) ([]byte, error) {
	if data, ok := a.unpacked[name]; ok {
		return data, nil
	}
	f := a.entries[name]
	if f == nil {
		return nil, errors.New("it is not in the zip; give a whole bundle or fetch it again")
	}
	if size < 0 { // the manifest
		if size = int64(min(f.UncompressedSize64, mostManifest+1)); size > mostManifest {
			return nil, fmt.Errorf("it has %d bytes; the most is %d", f.UncompressedSize64, mostManifest)
		}
	}
	if f.UncompressedSize64 != uint64(size) {
		return nil, fmt.Errorf("%w: it has %d bytes, the manifest says %d", ErrHash, f.UncompressedSize64, size)
	}
	if f.Method == zip.Store {
		return a.stored(f)
	}
	return a.unpack(f, size)
}

// stored returns the bytes of a stored file inside the zip.
func (a *archive) stored(f *zip.File) ([]byte, error) {
	at, err := f.DataOffset()
	if err != nil {
		return nil, err
	}
	n := uint64(len(a.data))
	if at < 0 || uint64(at) > n || f.UncompressedSize64 > n-uint64(at) {
		return nil, errors.New("it lies outside the zip; the zip may be cut short")
	}
	end := uint64(at) + f.UncompressedSize64
	return a.data[at:end:end], nil
}

// unpack reads a compressed file. Its memory grows with what is really there:
// a size in a manifest allocates nothing.
func (a *archive) unpack(f *zip.File, size int64) ([]byte, error) {
	if size > a.room {
		return nil, fmt.Errorf("compressed files of a bundle may unpack to %d bytes altogether; store them instead (zip -0)", mostUnpacked)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // opened for reading only
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, size+1))
	if err != nil {
		return nil, fmt.Errorf("unpacking: %w", err)
	}
	if n != size {
		return nil, fmt.Errorf("%w: it does not unpack to %d bytes", ErrHash, size)
	}
	a.room -= n
	a.unpacked[f.Name] = b.Bytes()
	return b.Bytes(), nil
}

func (a *archive) close() error {
	a.data, a.unpacked = nil, nil
	return a.release()
}
