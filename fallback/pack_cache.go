package fallback

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/edsrzf/mmap-go"
)

// Panels of large models lie in files of the user's cache: the next start maps
// them in place of packing, and the system may drop them from memory and read
// them again. A file's name is the hash of what was packed and how; behind the
// panels stand their length and checksum.

const (
	// packVersion is that of the panels' layout and of the files. Files of
	// others lie in folders of their own, which are removed.
	packVersion = "panels-2"
	// cachedModel is how many bytes of stored weights a model must have, so that
	// its panels are worth files.
	cachedModel = 64 << 20
	// mostPacked bounds the files; those not used for longest go.
	mostPacked = 16 << 30

	packTrailer = 12 // length and CRC-32C
	packSuffix  = ".panels"
)

// packCache keeps panels in files. Trouble with it only costs time, so it gives
// no errors: panels stay in memory then.
type packCache struct {
	folder string
	mapped []mmap.MMap
	wrote  bool
}

// packFolder is where panels are kept; empty for nowhere.
func packFolder() string {
	folder, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(folder, "nanoflux", "packed")
}

// key is the name of weights [columns, depth] of s from element offset on, packed
// for p's tiles.
func (s *storedWeights) key(p *packed, pool *pool, offset int) string {
	if s.sum == nil {
		s.sum = digest(pool, s.data)
	}
	h := sha256.Sum256(fmt.Appendf(nil, "%s %v %d %d %d %d %d %x", packVersion, s.kind, p.columns, p.depth, offset, p.table.Columns, p.table.Depth, s.sum))
	return fmt.Sprintf("%x", h)
}

// digest is a hash of data that all threads compute.
func digest(pool *pool, data []byte) []byte {
	const part = 1 << 22
	sums := make([][sha256.Size]byte, (len(data)+part-1)/part)
	pool.each(len(sums), func(i int) { sums[i] = sha256.Sum256(data[i*part : min(len(data), (i+1)*part)]) })
	h := sha256.New()
	for i := range sums {
		h.Write(sums[i][:])
	}
	return h.Sum(nil)
}

func (c *packCache) path(key string) string {
	return filepath.Join(c.folder, packVersion, key+packSuffix)
}

// get maps the size bytes kept under a key; nil when there are none, or damaged
// ones.
func (c *packCache) get(key string, size int) []byte {
	f, err := os.Open(c.path(key))
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // opened for reading only
	if info, err := f.Stat(); err != nil || info.Size() != int64(size)+packTrailer {
		return nil
	}
	m, err := mmap.Map(f, mmap.RDONLY, 0)
	if err != nil {
		return nil
	}
	if len(m) != size+packTrailer || [packTrailer]byte(m[size:]) != trailer(m[:size]) {
		_ = m.Unmap() // it is no use
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(c.path(key), now, now) // it was used
	c.mapped = append(c.mapped, m)
	return m[:size:size]
}

// trailer is what stands behind panels.
func trailer(data []byte) (t [packTrailer]byte) {
	binary.LittleEndian.PutUint64(t[:], uint64(len(data)))
	binary.LittleEndian.PutUint32(t[8:], crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
	return t
}

// put keeps data under a key, and returns it as it lies in the file; as it is
// where that does not work.
func (c *packCache) put(key string, data []byte) []byte {
	if os.MkdirAll(filepath.Dir(c.path(key)), 0o700) != nil {
		return data
	}
	// A name of its own until it is complete: others may read or write it, too.
	f, err := os.CreateTemp(filepath.Dir(c.path(key)), ".new-*")
	if err != nil {
		return data
	}
	end := trailer(data)
	_, err = f.Write(data)
	if err == nil {
		_, err = f.Write(end[:])
	}
	if closed := f.Close(); err != nil || closed != nil || os.Rename(f.Name(), c.path(key)) != nil {
		_ = os.Remove(f.Name()) // it is no use
		return data
	}
	c.wrote = true
	if kept := c.get(key, len(data)); kept != nil {
		return kept
	}
	return data
}

// prune, after something was written, removes the files of other versions, what was left half written, and the
// files that were not used for longest.
func (c *packCache) prune() {
	if !c.wrote {
		return
	}
	folders, _ := os.ReadDir(c.folder) // none, then
	for _, f := range folders {
		if f.Name() != packVersion {
			_ = os.RemoveAll(filepath.Join(c.folder, f.Name())) // the next one tries again
		}
	}
	type kept struct {
		path string
		size int64
		used time.Time
	}
	var list []kept
	files, _ := os.ReadDir(filepath.Join(c.folder, packVersion)) // none, then
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			continue // another process removed it
		}
		path := filepath.Join(c.folder, packVersion, f.Name())
		if filepath.Ext(path) != packSuffix {
			if time.Since(info.ModTime()) > time.Hour {
				_ = os.Remove(path)
			}
			continue
		}
		list = append(list, kept{path, info.Size(), info.ModTime()})
	}
	slices.SortFunc(list, func(a, b kept) int { return b.used.Compare(a.used) })
	var total int64
	for _, f := range list {
		if total += f.size; total > mostPacked {
			_ = os.Remove(f.path) // another process may have done it
		}
	}
}

// close unmaps what was got. Nothing may read it any more.
func (c *packCache) close() {
	for _, m := range c.mapped {
		_ = m.Unmap() // mapped for reading only
	}
	c.mapped = nil
}
