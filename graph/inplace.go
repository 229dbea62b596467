package graph

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	flatbuffers "github.com/google/flatbuffers/go"
)

// MarshalInPlace writes m for a reader in this process without copying the
// constants that lie in m.File: the offsets of the written file lead to where
// they stand there. All else is written.
//
// reserve is called once, with the number of bytes to write and where in memory
// the last of the constants ends (0 when none stays in place). It returns memory
// that lies below m.File, at most 2 GiB below that end; offsets reach no
// farther and cannot lead back. size is the length of the file that begins with
// that memory. Between the reserved bytes and m.File there is nothing that may be
// read, and a reader has no cause to. m.File must stay as it is while the reader
// lives.
//
// The error wraps ErrOutOfReach when the memory is not where it must be.
func MarshalInPlace(m *Model, reserve func(n int, end uintptr) ([]byte, error)) (size int64, err error) {
	p := packer{Builder: flatbuffers.NewBuilder(4096), codes: map[operatorCode]uint32{}}
	root, err := p.model(m)
	if err != nil {
		return 0, fmt.Errorf("writing %s: %w", m.Name, err)
	}
	p.FinishWithFileIdentifier(root, []byte(identifier))
	f := &layout{head: p.FinishedBytes()}
	f.size = int64(len(f.head))
	var end uintptr
	stay := map[int]uintptr{} // by buffer: where its length stands, just before its data
	for i, s := range p.slots {
		data := m.Buffers[i]
		if len(data) == 0 {
			continue
		}
		if length, ok := lengthBefore(m.File, data); ok {
			stay[i] = length
			end = max(end, length+flatbuffers.SizeUint32+uintptr(len(data)))
			continue
		}
		f.place(data, s)
	}
	if f.size > maxFlatbuffer {
		return 0, fmt.Errorf("writing %s: %w: %d bytes of it are not in a file", m.Name, ErrOutOfReach, f.size)
	}
	memory, err := reserve(int(f.size), end)
	if err != nil {
		return 0, fmt.Errorf("writing %s: %w", m.Name, err)
	}
	base := uintptr(unsafe.Pointer(unsafe.SliceData(memory)))
	for i, length := range stay {
		slot := len(f.head) - int(p.slots[i].vector)
		if length < base+uintptr(f.size) || end-base > maxFlatbuffer {
			return 0, fmt.Errorf("writing %s: %w", m.Name, ErrOutOfReach)
		}
		binary.LittleEndian.PutUint32(f.head[slot:], uint32(length-base-uintptr(slot)))
	}
	if err := f.write(&filler{memory}); err != nil {
		return 0, err
	}
	if end > 0 {
		return int64(end - base), nil
	}
	return f.size, nil
}

// lengthBefore is where the length of data stands in the file, when data is a
// vector of it: the format has the length in the four bytes before.
func lengthBefore(file []byte, data Buffer) (at uintptr, ok bool) {
	first := uintptr(unsafe.Pointer(unsafe.SliceData(file)))
	start := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	if start < first+flatbuffers.SizeUint32 || start-first > uintptr(len(file)) || uintptr(len(data)) > uintptr(len(file))-(start-first) {
		return 0, false
	}
	prefix := file[start-first-flatbuffers.SizeUint32:]
	aligned := start%flatbuffers.SizeUint32 == 0
	return start - flatbuffers.SizeUint32, aligned && uint64(binary.LittleEndian.Uint32(prefix)) == uint64(len(data))
}

// filler writes into memory of the right size.
type filler struct{ rest []byte }

func (f *filler) Write(b []byte) (int, error) {
	n := copy(f.rest, b)
	f.rest = f.rest[n:]
	if n < len(b) {
		return n, fmt.Errorf("%d bytes too many", len(b)-n)
	}
	return n, nil
}
