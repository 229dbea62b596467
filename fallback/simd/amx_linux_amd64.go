package simd

import (
	"syscall"

	"golang.org/x/sys/cpu"
)

// mayUseTiles reports whether the processor has tiles of bytes, and the kernel
// lets this process use them. Linux wants to be asked first (arch_prctl,
// ARCH_REQ_XCOMP_PERM, for the state XTILEDATA), since signals then need more
// room on their stacks; Go's have it.
func mayUseTiles() bool {
	if !cpu.X86.HasAMXTile || !cpu.X86.HasAMXInt8 {
		return false
	}
	const request, tileData = 0x1023, 18
	_, _, errno := syscall.RawSyscall(syscall.SYS_ARCH_PRCTL, request, tileData, 0)
	return errno == 0
}
