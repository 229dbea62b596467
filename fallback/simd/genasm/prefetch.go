package main

// prefetchX86 writes prefetchLines: it asks for cache lines of 64 bytes to come
// into the second-level cache.
func (f *file) prefetchX86() {
	f.line("")
	f.line("// func prefetchLines(n int, from *float32)")
	f.line("TEXT ·prefetchLines(SB), NOSPLIT, $0-16")
	f.op("MOVQ n+0(FP), CX")
	f.op("MOVQ from+8(FP), SI")
	f.line("loop:")
	f.op("PREFETCHT1 (SI)")
	f.op("ADDQ $64, SI")
	f.op("DECQ CX")
	f.op("JNZ loop")
	f.op("RET")
}

// prefetchARM64 is prefetchX86 for arm64.
func (f *file) prefetchARM64() {
	f.line("")
	f.line("// func prefetchLines(n int, from *float32)")
	f.line("TEXT ·prefetchLines(SB), NOSPLIT, $0-16")
	f.op("MOVD n+0(FP), R0")
	f.op("MOVD from+8(FP), R1")
	f.line("loop:")
	f.op("PRFM (R1), PLDL2KEEP")
	f.op("ADD $64, R1, R1")
	f.op("SUBS $1, R0, R0")
	f.op("BNE loop")
	f.op("RET")
}
