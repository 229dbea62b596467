package simd

import (
	"encoding/binary"
	"unsafe"
)

// asBytes is the first element of a slice that is not empty, as a byte.
func asBytes(s []int8) *byte { return (*byte)(unsafe.Pointer(&s[0])) }

// floatsOf views numbers of 32 bits as floats.
func floatsOf(s []int32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(s))), len(s))
}

// flipBytes is dst = src, each byte changed by exclusive or with flip.
func flipBytes(dst, src []byte, flip byte) {
	mask := uint64(flip) * 0x0101010101010101
	for len(src) >= 8 && len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(src)^mask)
		dst, src = dst[8:], src[8:]
	}
	for i, v := range src {
		dst[i] = v ^ flip
	}
}

// index is 1 for true.
func index(b bool) int {
	if b {
		return 1
	}
	return 0
}
