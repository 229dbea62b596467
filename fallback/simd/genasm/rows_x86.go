package main

import "fmt"

// x86Level is one of the instruction sets that rows are computed with.
type x86Level struct {
	name   string
	letter string // of the registers
	vnni   bool   // products of 16 bits are added up in one instruction
}

var (
	avx2   = x86Level{name: "AVX2", letter: "Y"}
	avx512 = x86Level{name: "AVX512", letter: "Z"}
	vnni   = x86Level{name: "VNNI", letter: "Z", vnni: true}
)

// lanes is how many numbers of 32 bits a register holds.
func (l x86Level) lanes() int {
	if l.letter == "Z" {
		return 16
	}
	return 8
}

func (l x86Level) r(i int) string { return fmt.Sprintf("%s%d", l.letter, i) }

// load moves a whole register, unaligned, of integers.
func (l x86Level) load() string {
	if l.letter == "Z" {
		return "VMOVDQU32"
	}
	return "VMOVDQU"
}

func (f *file) zero(l x86Level, registers ...int) {
	for _, i := range registers {
		if l.letter == "Z" {
			f.op("VPXORD %s, %s, %s", l.r(i), l.r(i), l.r(i))
		} else {
			f.op("VPXOR %s, %s, %s", l.r(i), l.r(i), l.r(i))
		}
	}
}

// x86Depthwise writes Integer.Depthwise. Channels go by whole registers; four
// pixels of a line share the weights. An element is widened to 32 bits, which as
// two of 16 bits are itself and its sign; the weights have 0 beside them.
func (f *file) x86Depthwise(l x86Level, widen, name string) {
	f.function("depthwise"+l.name+name, "sums *int32, src *byte, step int, taps *int, count int, w *int32, pixels, channels int", 8)
	f.op("MOVQ sums+0(FP), DI")
	f.op("MOVQ src+8(FP), SI")
	f.op("MOVQ step+16(FP), R9")
	f.op("MOVQ taps+24(FP), DX")
	f.op("MOVQ w+40(FP), R8")
	f.op("MOVQ channels+56(FP), BX")
	f.op("LEAQ (R9)(R9*2), R12")
	f.op("SHLQ $2, BX") // a row of sums or weights, in bytes
	f.op("MOVQ BX, CX") // what is left of it
	f.line("block:")
	f.op("MOVQ SI, R10")
	f.op("MOVQ DI, R13")
	f.op("MOVQ pixels+48(FP), R14")
	pixels := func(n int, label string) {
		f.zero(l, []int{0, 1, 2, 3}[:n]...)
		f.op("MOVQ count+32(FP), AX")
		f.op("MOVQ R8, R15")
		f.line("%s:", label)
		f.op("MOVQ (DX), R11")
		f.op("ADDQ $8, DX")
		f.op("ADDQ R10, R11")
		f.op("%s (R15), %s", l.load(), l.r(4))
		f.op("ADDQ BX, R15")
		for i, at := range []string{"(R11)", "(R11)(R9*1)", "(R11)(R9*2)", "(R11)(R12*1)"}[:n] {
			f.op("%s %s, %s", widen, at, l.r(5+i))
			if l.vnni {
				f.op("VPDPWSSD %s, %s, %s", l.r(4), l.r(5+i), l.r(i))
			} else {
				f.op("VPMADDWD %s, %s, %s", l.r(4), l.r(5+i), l.r(5+i))
				f.op("VPADDD %s, %s, %s", l.r(5+i), l.r(i), l.r(i))
			}
		}
		f.op("DECQ AX")
		f.op("JNZ %s", label)
		f.op("MOVQ taps+24(FP), DX")
		for i := range n {
			f.op("%s %s, (R13)", l.load(), l.r(i))
			f.op("ADDQ BX, R13")
		}
	}
	f.line("four:")
	f.op("CMPQ R14, $4")
	f.op("JLT one")
	f.op("SUBQ $4, R14")
	pixels(4, "fourTaps")
	f.op("LEAQ (R10)(R9*4), R10")
	f.op("JMP four")
	f.line("one:")
	f.op("TESTQ R14, R14")
	f.op("JZ next")
	f.op("DECQ R14")
	pixels(1, "oneTaps")
	f.op("ADDQ R9, R10")
	f.op("JMP one")
	f.line("next:")
	f.op("ADDQ $%d, SI", l.lanes())
	f.op("ADDQ $%d, DI", 4*l.lanes())
	f.op("ADDQ $%d, R8", 4*l.lanes())
	f.op("SUBQ $%d, CX", 4*l.lanes())
	f.op("JG block")
	f.op("VZEROUPPER")
	f.op("RET")
}

// x86Scale writes Integer.Scale: columns go by whole registers, whose parameters
// stay while the rows go by. With after, the row's factor is multiplied last.
func (f *file) x86Scale(l x86Level, name string, after bool) {
	f.function("scale"+l.name+name, "dst *float32, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zeros *int32, factors *float32", 10)
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ stride+8(FP), BX")
	f.op("MOVQ sums+16(FP), SI")
	f.op("MOVQ sumStride+24(FP), R8")
	f.op("MOVQ columns+40(FP), CX")
	f.op("MOVQ parameters+48(FP), DX")
	f.op("MOVQ size+56(FP), R9")
	f.op("SHLQ $2, BX")
	f.op("SHLQ $2, R8")
	f.op("SHLQ $2, R9")
	f.line("block:")
	if l.letter == "Z" {
		f.op("MOVQ $0xFFFF, AX")
		f.op("CMPQ CX, $16")
		f.op("JGE whole")
		f.op("MOVQ $-1, AX")
		f.op("SHLQ CX, AX")
		f.op("NOTQ AX")
		f.line("whole:")
		f.op("KMOVW AX, K1")
	} else {
		// The mask of the columns: as many as there are are above their number.
		f.op("VMOVQ CX, X7")
		f.op("VPBROADCASTD X7, Y7")
		f.op("VPCMPGTD ·laneNumbers(SB), Y7, Y7")
	}
	f.op("%s (DX), %s", l.load(), l.r(4))  // sums of the columns
	f.op("VMOVUPS (DX)(R9*1), %s", l.r(5)) // scales
	f.op("VMOVUPS (DX)(R9*2), %s", l.r(6)) // biases
	f.op("MOVQ SI, R10")
	f.op("MOVQ DI, R11")
	f.op("MOVQ zeros+64(FP), R13")
	f.op("MOVQ factors+72(FP), R15")
	f.op("MOVQ rows+32(FP), R12")
	f.line("row:")
	f.op("VPBROADCASTD (R13), %s", l.r(0))
	f.op("VPMULLD %s, %s, %s", l.r(4), l.r(0), l.r(0))
	f.op("%s (R10), %s", l.load(), l.r(1))
	f.op("VPSUBD %s, %s, %s", l.r(0), l.r(1), l.r(1))
	f.op("VCVTDQ2PS %s, %s", l.r(1), l.r(1))
	f.op("VBROADCASTSS (R15), %s", l.r(2))
	if after {
		f.op("VMULPS %s, %s, %s", l.r(5), l.r(1), l.r(1))
		f.op("VMULPS %s, %s, %s", l.r(2), l.r(1), l.r(1))
	} else {
		f.op("VMULPS %s, %s, %s", l.r(5), l.r(2), l.r(2))
		f.op("VMULPS %s, %s, %s", l.r(2), l.r(1), l.r(1))
	}
	f.op("VADDPS %s, %s, %s", l.r(6), l.r(1), l.r(1))
	if l.letter == "Z" {
		f.op("VMOVUPS Z1, K1, (R11)")
	} else {
		f.op("VMASKMOVPS Y1, Y7, (R11)")
	}
	f.op("ADDQ R8, R10")
	f.op("ADDQ BX, R11")
	f.op("ADDQ $4, R13")
	f.op("ADDQ $4, R15")
	f.op("DECQ R12")
	f.op("JNZ row")
	f.op("ADDQ $%d, SI", 4*l.lanes())
	f.op("ADDQ $%d, DI", 4*l.lanes())
	f.op("ADDQ $%d, DX", 4*l.lanes())
	f.op("SUBQ $%d, CX", l.lanes())
	f.op("JG block")
	f.op("VZEROUPPER")
	f.op("RET")
}

// x86Range writes the least and the largest of 0 and whole registers of floats;
// both are NaN where one of those is.
func (f *file) x86Range(l x86Level) {
	f.function("range"+l.name, "x *float32, n int, low, high *float32", 4)
	f.op("MOVQ x+0(FP), SI")
	f.op("MOVQ n+8(FP), CX")
	f.op("MOVQ low+16(FP), DI")
	f.op("MOVQ high+24(FP), DX")
	f.zero(l, 0, 1, 2, 3, 4)
	f.line("loop:")
	f.op("VMOVUPS (SI), %s", l.r(5))
	f.op("VMINPS %s, %s, %s", l.r(0), l.r(5), l.r(0))
	f.op("VMAXPS %s, %s, %s", l.r(1), l.r(5), l.r(1))
	// NaN is kept apart: the instructions above pass over it.
	if l.letter == "Z" {
		f.op("VCMPPS $3, Z5, Z5, K1")
		f.op("VMOVUPS Z5, K1, Z4")
	} else {
		f.op("VCMPPS $3, Y5, Y5, Y6")
		f.op("VORPS Y6, Y4, Y4")
	}
	f.op("ADDQ $%d, SI", 4*l.lanes())
	f.op("SUBQ $%d, CX", l.lanes())
	f.op("JG loop")
	// Lanes together.
	if l.letter == "Z" {
		f.op("VEXTRACTF64X4 $1, Z0, Y6")
		f.op("VMINPS Y6, Y0, Y0")
		f.op("VEXTRACTF64X4 $1, Z1, Y6")
		f.op("VMAXPS Y6, Y1, Y1")
		f.op("VCMPPS $3, Z4, Z4, K1")
		f.op("KMOVW K1, AX")
	} else {
		f.op("VMOVMSKPS Y4, AX")
	}
	for i, op := range []string{"VMINPS", "VMAXPS"} {
		f.op("VEXTRACTF128 $1, Y%d, X6", i)
		f.op("%s X6, X%d, X%d", op, i, i)
		f.op("VPSHUFD $0x4E, X%d, X6", i)
		f.op("%s X6, X%d, X%d", op, i, i)
		f.op("VPSHUFD $0xB1, X%d, X6", i)
		f.op("%s X6, X%d, X%d", op, i, i)
	}
	f.op("TESTL AX, AX")
	f.op("JZ numbers")
	f.op("MOVL $0x7FC00000, AX")
	f.op("VMOVD AX, X0")
	f.op("VMOVD AX, X1")
	f.line("numbers:")
	f.op("VMOVD X0, (DI)")
	f.op("VMOVD X1, (DX)")
	f.op("VZEROUPPER")
	f.op("RET")
}

// x86Quantize writes whole registers of floats, times a factor and rounded, plus
// a zero point, clamped, as bytes. Halves go to the even number, or away from
// zero.
func (f *file) x86Quantize(l x86Level, name string, even bool) {
	f.function("quantize"+l.name+name, "dst *byte, x *float32, n int, factor float32, zero, low, high int32", 5)
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ x+8(FP), SI")
	f.op("MOVQ n+16(FP), CX")
	f.op("VBROADCASTSS factor+24(FP), %s", l.r(8))
	f.op("VBROADCASTSS zero+28(FP), %s", l.r(9))
	f.op("VBROADCASTSS low+32(FP), %s", l.r(10))
	f.op("VBROADCASTSS high+36(FP), %s", l.r(11))
	constant := func(bits string, r int) {
		f.op("MOVL $%s, AX", bits)
		f.op("VMOVD AX, X%d", r)
		f.op("VPBROADCASTD X%d, %s", r, l.r(r))
	}
	constant("0x47800000", 12) // 65536
	constant("0xC7800000", 13)
	constant("0x3F000000", 14) // a half
	constant("0x80000000", 15) // the sign
	z := l.letter == "Z"
	f.line("loop:")
	f.op("VMULPS (SI), %s, %s", l.r(8), l.r(0))
	// NaN becomes 0.
	if z {
		f.op("VCMPPS $7, Z0, Z0, K1")
		f.op("VMOVUPS.Z Z0, K1, Z0")
	} else {
		f.op("VCMPPS $7, Y0, Y0, Y1")
		f.op("VANDPS Y1, Y0, Y0")
	}
	f.op("VMINPS %s, %s, %s", l.r(12), l.r(0), l.r(0))
	f.op("VMAXPS %s, %s, %s", l.r(13), l.r(0), l.r(0))
	if even {
		f.op("VCVTPS2DQ %s, %s", l.r(0), l.r(0))
	} else {
		// The whole part, and one more, with the sign, where the rest is half or
		// more.
		if z {
			f.op("VRNDSCALEPS $3, Z0, Z1")
		} else {
			f.op("VROUNDPS $3, Y0, Y1")
		}
		f.op("VSUBPS %s, %s, %s", l.r(1), l.r(0), l.r(2))
		if z {
			f.op("VPANDD Z15, Z0, Z3")
			f.op("VPANDND Z2, Z15, Z2")
			f.op("VCMPPS $5, Z14, Z2, K1") // not less than a half
			f.op("VADDPS Z14, Z14, Z2")
			f.op("VPORD Z3, Z2, Z2")
			f.op("VADDPS Z2, Z1, K1, Z1")
		} else {
			f.op("VPAND Y15, Y0, Y3")
			f.op("VPANDN Y2, Y15, Y2")
			f.op("VCMPPS $5, Y14, Y2, Y4")
			f.op("VADDPS Y14, Y14, Y2")
			f.op("VPOR Y3, Y2, Y2")
			f.op("VPAND Y4, Y2, Y2")
			f.op("VADDPS Y2, Y1, Y1")
		}
		f.op("VCVTTPS2DQ %s, %s", l.r(1), l.r(0))
	}
	f.op("VPADDD %s, %s, %s", l.r(9), l.r(0), l.r(0))
	f.op("VPMAXSD %s, %s, %s", l.r(10), l.r(0), l.r(0))
	f.op("VPMINSD %s, %s, %s", l.r(11), l.r(0), l.r(0))
	if z {
		f.op("VPMOVDB Z0, (DI)")
	} else {
		f.packBytes(0, 1)
		f.op("VMOVQ X0, (DI)")
	}
	f.op("ADDQ $%d, SI", 4*l.lanes())
	f.op("ADDQ $%d, DI", l.lanes())
	f.op("SUBQ $%d, CX", l.lanes())
	f.op("JG loop")
	f.op("VZEROUPPER")
	f.op("RET")
}

// packBytes makes the eight lowest bytes of register x of its eight numbers,
// which lie in −128…255; the register free is changed.
func (f *file) packBytes(x, free int) {
	f.op("VEXTRACTI128 $1, Y%d, X%d", x, free)
	f.op("VPACKSSDW X%d, X%d, X%d", free, x, x)
	f.op("VPSLLW $8, X%d, X%d", x, x)
	f.op("VPSRLW $8, X%d, X%d", x, x)
	f.op("VPACKUSWB X%d, X%d, X%d", x, x, x)
}

// x86Sum writes Integer.Sum for whole registers. Registers: 0–3 are free, 4–7 the
// parameters of a (zero, left, mantissa, right), 8–11 those of b, 12 half of 2³¹.
func (f *file) x86Sum(l x86Level, widen, name string) {
	f.function("sum"+l.name+name, "sums *int32, a, b *byte, n int, parameters *int32", 5)
	f.op("MOVQ sums+0(FP), DI")
	f.op("MOVQ a+8(FP), SI")
	f.op("MOVQ b+16(FP), DX")
	f.op("MOVQ n+24(FP), CX")
	f.op("MOVQ parameters+32(FP), R8")
	for i := range 8 {
		f.op("VPBROADCASTD %d(R8), %s", 4*i, l.r(4+i))
	}
	f.op("MOVQ $0x40000000, AX")
	f.op("VMOVQ AX, X12")
	f.op("VPBROADCASTQ X12, %s", l.r(12))
	if l.letter == "Z" {
		f.op("MOVL $0xAAAA, AX")
		f.op("KMOVW AX, K2")
	}
	scaled := func(source string, to, first int) {
		x, odd := l.r(to), l.r(to+1)
		f.op("%s (%s), %s", widen, source, x)
		f.op("VPSUBD %s, %s, %s", l.r(first), x, x)
		f.op("VPSLLVD %s, %s, %s", l.r(first+1), x, x)
		f.op("VPSRLQ $32, %s, %s", x, odd)
		f.op("VPMULDQ %s, %s, %s", l.r(first+2), x, x)
		f.op("VPMULDQ %s, %s, %s", l.r(first+2), odd, odd)
		f.op("VPADDQ %s, %s, %s", l.r(12), x, x)
		f.op("VPADDQ %s, %s, %s", l.r(12), odd, odd)
		f.op("VPSRLQ $31, %s, %s", x, x)
		f.op("VPADDQ %s, %s, %s", odd, odd, odd)
		if l.letter == "Z" {
			f.op("VMOVDQA32 %s, K2, %s", odd, x)
		} else {
			f.op("VPBLENDD $0xAA, %s, %s, %s", odd, x, x)
		}
		f.op("VPSRAVD %s, %s, %s", l.r(first+3), x, x)
	}
	f.line("loop:")
	scaled("SI", 0, 4)
	scaled("DX", 2, 8)
	f.op("VPADDD %s, %s, %s", l.r(2), l.r(0), l.r(0))
	f.op("%s %s, (DI)", l.load(), l.r(0))
	f.op("ADDQ $%d, SI", l.lanes())
	f.op("ADDQ $%d, DX", l.lanes())
	f.op("ADDQ $%d, DI", 4*l.lanes())
	f.op("SUBQ $%d, CX", l.lanes())
	f.op("JG loop")
	f.op("VZEROUPPER")
	f.op("RET")
}

// x86Product writes Integer.Product for whole registers.
func (f *file) x86Product(l x86Level, widen, name string) {
	f.function("product"+l.name+name, "sums *int32, a, b *byte, n int, zeros *int32", 5)
	f.op("MOVQ sums+0(FP), DI")
	f.op("MOVQ a+8(FP), SI")
	f.op("MOVQ b+16(FP), DX")
	f.op("MOVQ n+24(FP), CX")
	f.op("MOVQ zeros+32(FP), R8")
	f.op("VPBROADCASTD (R8), %s", l.r(4))
	f.op("VPBROADCASTD 4(R8), %s", l.r(5))
	f.line("loop:")
	f.op("%s (SI), %s", widen, l.r(0))
	f.op("%s (DX), %s", widen, l.r(1))
	f.op("VPSUBD %s, %s, %s", l.r(4), l.r(0), l.r(0))
	f.op("VPSUBD %s, %s, %s", l.r(5), l.r(1), l.r(1))
	f.op("VPMULLD %s, %s, %s", l.r(1), l.r(0), l.r(0))
	f.op("%s %s, (DI)", l.load(), l.r(0))
	f.op("ADDQ $%d, SI", l.lanes())
	f.op("ADDQ $%d, DX", l.lanes())
	f.op("ADDQ $%d, DI", 4*l.lanes())
	f.op("SUBQ $%d, CX", l.lanes())
	f.op("JG loop")
	f.op("VZEROUPPER")
	f.op("RET")
}

// x86Largest writes Integer.Largest for whole groups of 32 bytes.
func (f *file) x86Largest(op, name string) {
	f.function("largest"+name, "dst, src *byte, n int", 3)
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ src+8(FP), SI")
	f.op("MOVQ n+16(FP), CX")
	f.line("loop:")
	f.op("VMOVDQU (SI), Y0")
	f.op("%s (DI), Y0, Y0", op)
	f.op("VMOVDQU Y0, (DI)")
	f.op("ADDQ $32, SI")
	f.op("ADDQ $32, DI")
	f.op("SUBQ $32, CX")
	f.op("JG loop")
	f.op("VZEROUPPER")
	f.op("RET")
}

func (f *file) x86Rows() {
	f.x86Largest("VPMAXSB", "Signed")
	f.x86Largest("VPMAXUB", "Unsigned")
	f.line("")
	f.line("// The numbers of a register's lanes.")
	for i := range 4 {
		f.line("DATA ·laneNumbers+%d(SB)/8, $0x%08x%08x", 8*i, 2*i+1, 2*i)
	}
	f.line("GLOBL ·laneNumbers(SB), RODATA|NOPTR, $32")
	for _, l := range []x86Level{avx2, avx512, vnni} {
		f.x86Depthwise(l, "VPMOVSXBD", "Signed")
		f.x86Depthwise(l, "VPMOVZXBD", "Unsigned")
		if l.vnni {
			continue
		}
		f.x86Scale(l, "First", false)
		f.x86Scale(l, "Last", true)
		f.x86Range(l)
		f.x86Sum(l, "VPMOVSXBD", "Signed")
		f.x86Sum(l, "VPMOVZXBD", "Unsigned")
		f.x86Product(l, "VPMOVSXBD", "Signed")
		f.x86Product(l, "VPMOVZXBD", "Unsigned")
		f.x86Quantize(l, "Even", true)
		f.x86Quantize(l, "Away", false)
	}
}
