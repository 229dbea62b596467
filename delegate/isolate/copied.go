//go:build unix

package isolate

import "sync/atomic"

// Large is the size from which a tensor's copies are counted (Backend.Copied):
// copying a smaller one costs less than the call.
const Large = 64 << 10

// copied counts the bytes of large tensors that were copied.
type copied struct{ bytes atomic.Int64 }

func (c *copied) add(n int) {
	if n > Large {
		c.bytes.Add(int64(n))
	}
}

// Copied is how many bytes of tensors of more than 64 KiB were copied on their
// way to the worker and back, in all calls: once for each argument that does not
// lie in shared memory, and once where the backend does not write a result into
// the memory that it is given. What a backend itself copies is not known.
func (b *Backend) Copied() int64 { return b.copies.bytes.Load() }
