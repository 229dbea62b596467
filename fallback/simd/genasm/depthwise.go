package main

import "fmt"

// Offsets in depthwiseArguments (package simd, depthwise.go).
const (
	depthwiseOut          = 0
	depthwiseIn           = 8
	depthwiseWeights      = 16
	depthwiseBias         = 24
	depthwiseBytes        = 32
	depthwisePixels       = 40
	depthwiseRows         = 48
	depthwiseColumns      = 56
	depthwiseInRow        = 64
	depthwiseInColumn     = 72
	depthwiseInPixel      = 80
	depthwiseOutPixel     = 88
	depthwiseWeightRow    = 96
	depthwiseWeightColumn = 104
	depthwiseLow          = 112
	depthwiseHigh         = 116
)

// depthwiseX86 writes a depthwise convolution: for each pixel, for four vectors
// of channels and then for single ones, the sum over the window.
func (f *file) depthwiseX86(level, letter string, width int) {
	f.line("")
	f.line("// func depthwise%s(a *depthwiseArguments)", level)
	f.line("TEXT ·depthwise%s(SB), NOSPLIT, $0-8", level)
	reg := func(i int) string { return fmt.Sprintf("%s%d", letter, i) }
	f.op("MOVQ a+0(FP), AX")
	f.op("MOVQ %d(AX), DI", depthwiseOut)
	f.op("MOVQ %d(AX), SI", depthwiseIn)
	f.op("MOVQ %d(AX), BX", depthwisePixels)
	f.op("VBROADCASTSS %d(AX), %s", depthwiseLow, reg(14))
	f.op("VBROADCASTSS %d(AX), %s", depthwiseHigh, reg(15))
	f.line("pixel:")
	f.op("XORQ CX, CX")
	for _, vectors := range []int{4, 1} {
		label := fmt.Sprintf("of%d", vectors)
		f.line("%s:", label)
		f.op("LEAQ %d(CX), R13", vectors*width)
		f.op("CMPQ R13, %d(AX)", depthwiseBytes)
		f.op("JGT %sdone", label)
		f.depthwiseSum(label, vectors, func(i int, pointer string) {
			f.op("VMOVUPS %d(%s), %s", i*width, pointer, reg(4+i))
		}, func(i int) {
			f.op("VFMADD231PS %d(R10), %s, %s", i*width, reg(4+i), reg(i))
		}, func(i int) { f.op("VMOVUPS %d(R8)(CX*1), %s", i*width, reg(i)) })
		for i := range vectors {
			f.op("VMAXPS %s, %s, %s", reg(i), reg(14), reg(i))
			f.op("VMINPS %s, %s, %s", reg(i), reg(15), reg(i))
			f.op("VMOVUPS %s, %d(DI)(CX*1)", reg(i), i*width)
		}
		f.op("MOVQ R13, CX")
		f.op("JMP %s", label)
		f.line("%sdone:", label)
	}
	// The last channels, fewer than a vector: under a mask.
	f.op("MOVQ %d(AX), R13", depthwiseBytes)
	f.op("SUBQ CX, R13")
	f.op("JZ next")
	if letter == "Z" {
		f.op("SHRQ $2, R13")
		f.op("MOVQ $1, R8")
		f.op("SHLXQ R13, R8, R8")
		f.op("DECQ R8")
		f.op("KMOVW R8, K1")
		f.depthwiseSum("masked", 1, func(_ int, pointer string) {
			f.op("VMOVUPS.Z (%s), K1, %s", pointer, reg(4))
		}, func(int) {
			f.op("VFMADD231PS (R10), %s, K1, %s", reg(4), reg(0))
		}, func(int) { f.op("VMOVUPS.Z (R8)(CX*1), K1, %s", reg(0)) })
	} else {
		f.op("LEAQ ·depthwiseMasks<>+32(SB), R8")
		f.op("SUBQ R13, R8")
		f.op("VMOVUPS (R8), %s", reg(13))
		f.depthwiseSum("masked", 1, func(_ int, pointer string) {
			f.op("VMASKMOVPS (%s), %s, %s", pointer, reg(13), reg(4))
		}, func(int) {
			f.op("VMASKMOVPS (R10), %s, %s", reg(13), reg(5))
			f.op("VFMADD231PS %s, %s, %s", reg(5), reg(4), reg(0))
		}, func(int) { f.op("VMASKMOVPS (R8)(CX*1), %s, %s", reg(13), reg(0)) })
	}
	f.op("VMAXPS %s, %s, %s", reg(0), reg(14), reg(0))
	f.op("VMINPS %s, %s, %s", reg(0), reg(15), reg(0))
	if letter == "Z" {
		f.op("VMOVUPS %s, K1, (DI)(CX*1)", reg(0))
	} else {
		f.op("VMASKMOVPS %s, %s, (DI)(CX*1)", reg(0), reg(13))
	}
	f.line("next:")
	f.op("ADDQ %d(AX), SI", depthwiseInPixel)
	f.op("ADDQ %d(AX), DI", depthwiseOutPixel)
	f.op("DECQ BX")
	f.op("JNZ pixel")
	f.op("VZEROUPPER")
	f.op("RET")
}

// depthwiseSum writes the loop over a window, for vectors at channel CX: load
// reads weights, multiply multiplies them with the image and adds, and bias
// begins the sums.
func (f *file) depthwiseSum(label string, vectors int, load func(i int, pointer string), multiply, bias func(i int)) {
	f.op("MOVQ %d(AX), R8", depthwiseBias)
	for i := range vectors {
		bias(i)
	}
	f.op("LEAQ (SI)(CX*1), DX")
	f.op("MOVQ %d(AX), R8", depthwiseWeights)
	f.op("ADDQ CX, R8")
	f.op("MOVQ %d(AX), R9", depthwiseRows)
	f.line("%srow:", label)
	f.op("MOVQ DX, R10")
	f.op("MOVQ R8, R11")
	f.op("MOVQ %d(AX), R12", depthwiseColumns)
	f.line("%stap:", label)
	for i := range vectors {
		load(i, "R11")
	}
	for i := range vectors {
		multiply(i)
	}
	f.op("ADDQ %d(AX), R10", depthwiseInColumn)
	f.op("ADDQ %d(AX), R11", depthwiseWeightColumn)
	f.op("DECQ R12")
	f.op("JNZ %stap", label)
	f.op("ADDQ %d(AX), DX", depthwiseInRow)
	f.op("ADDQ %d(AX), R8", depthwiseWeightRow)
	f.op("DECQ R9")
	f.op("JNZ %srow", label)
}

// depthwiseMasks writes eight words of ones and eight of zeros: a mask for n
// elements begins n words before the middle.
func (f *file) depthwiseMasks() {
	f.line("")
	for i := range 16 {
		word := 0
		if i < 8 {
			word = 0xFFFFFFFF
		}
		f.line("DATA ·depthwiseMasks<>+%d(SB)/4, $0x%08x", 4*i, word)
	}
	f.line("GLOBL ·depthwiseMasks<>(SB), RODATA|NOPTR, $64")
}

// depthwiseNEON is depthwiseX86 for NEON.
func (f *file) depthwiseNEON() {
	f.line("")
	f.line("// func depthwiseNEON(a *depthwiseArguments)")
	f.line("TEXT ·depthwiseNEON(SB), NOSPLIT, $0-8")
	f.op("MOVD a+0(FP), R0")
	for i, offset := range []int{depthwiseOut, depthwiseIn, depthwisePixels, depthwiseBytes, depthwiseInRow, depthwiseInColumn, depthwiseWeightRow, depthwiseWeightColumn} {
		f.op("MOVD %d(R0), R%d", offset, 1+i) // R1 out, R2 in, R3 pixels, R4 bytes, R5–R8 strides
	}
	f.op("FMOVS %d(R0), F14", depthwiseLow)
	f.op("VDUP V14.S[0], V14.S4")
	f.op("FMOVS %d(R0), F15", depthwiseHigh)
	f.op("VDUP V15.S[0], V15.S4")
	f.line("pixel:")
	f.op("MOVD $0, R9")
	for _, vectors := range []int{4, 1} {
		label := fmt.Sprintf("of%d", vectors)
		f.line("%s:", label)
		f.op("ADD $%d, R9, R10", vectors*16)
		f.op("CMP R4, R10")
		f.op("BGT %sdone", label)
		f.op("MOVD %d(R0), R11", depthwiseBias)
		f.op("ADD R9, R11, R11")
		f.op("VLD1 (R11), %s", registerList(0, vectors))
		f.op("ADD R9, R2, R11") // the window's row in the image
		f.op("MOVD %d(R0), R12", depthwiseWeights)
		f.op("ADD R9, R12, R12")
		f.op("MOVD %d(R0), R13", depthwiseRows)
		f.line("%srow:", label)
		f.op("MOVD R11, R15")
		f.op("MOVD R12, R16")
		f.op("MOVD %d(R0), R14", depthwiseColumns)
		f.line("%stap:", label)
		f.op("VLD1 (R15), %s", registerList(4, vectors))
		f.op("VLD1 (R16), %s", registerList(8, vectors))
		for i := range vectors {
			f.word("fma", i, 4+i, 8+i)
		}
		f.op("ADD R6, R15, R15")
		f.op("ADD R8, R16, R16")
		f.op("SUBS $1, R14, R14")
		f.op("BNE %stap", label)
		f.op("ADD R5, R11, R11")
		f.op("ADD R7, R12, R12")
		f.op("SUBS $1, R13, R13")
		f.op("BNE %srow", label)
		for i := range vectors {
			f.word("max", i, 14, i)
			f.word("min", i, 15, i)
		}
		f.op("ADD R9, R1, R11")
		f.op("VST1 %s, (R11)", registerList(0, vectors))
		f.op("MOVD R10, R9")
		f.op("B %s", label)
		f.line("%sdone:", label)
	}
	f.op("MOVD %d(R0), R11", depthwiseInPixel)
	f.op("ADD R11, R2, R2")
	f.op("MOVD %d(R0), R11", depthwiseOutPixel)
	f.op("ADD R11, R1, R1")
	f.op("SUBS $1, R3, R3")
	f.op("BNE pixel")
	f.op("RET")
}
