package main

import "fmt"

// x86Product is how a level multiplies 8-bit integers.
type x86Product int

const (
	// pairs: left elements are 16 bits wide, right ones are widened when they
	// are loaded; VPMADDWD multiplies and adds pairs. Nothing saturates.
	pairs x86Product = iota
	// quads: VPDPBUSD multiplies bytes, unsigned ones with signed ones, and adds
	// groups of four.
	quads
)

// x86IntegerTile is a tile of rows × vectors registers. The right panel is
// `panel` registers wide, of which the first are read.
type x86IntegerTile struct {
	level               string
	letter              string // of the registers: "Y" or "Z"
	product             x86Product
	rows, vectors, wide int
}

func (t x86IntegerTile) name() string {
	return fmt.Sprintf("integer%s%dx%d", t.level, t.rows, t.vectors)
}

func (t x86IntegerTile) width() int {
	if t.letter == "Z" {
		return 64
	}
	return 32
}

// function writes the head of a function whose arguments are words of 8 bytes.
func (f *file) function(name, arguments string, words int) {
	f.line("")
	f.line("// func %s(%s)", name, arguments)
	f.line("TEXT ·%s(SB), NOSPLIT, $0-%d", name, 8*words)
}

// x86Integer writes one tile. Sums that would wait for each other (few rows) are
// spread over several sets of registers, for steps that follow one another.
func (f *file) x86Integer(t x86IntegerTile) {
	f.function(t.name(), "groups int, a, b *byte, sums *int32, more int", 5)
	f.op("MOVQ groups+0(FP), CX")
	f.op("MOVQ a+8(FP), SI")
	f.op("MOVQ b+16(FP), DI")
	f.op("MOVQ sums+24(FP), DX")
	f.op("MOVQ more+32(FP), BX")
	tile := t.rows * t.vectors
	registers, sets := 16, 1
	if t.letter == "Z" {
		registers = 32
	}
	for sets < 4 && tile*sets*2 <= registers*3/4 {
		sets *= 2
	}
	r := func(i int) string { return fmt.Sprintf("%s%d", t.letter, i) }
	acc := func(set, i, j int) string { return r(set*tile + i*t.vectors + j) }
	b := func(j int) string { return r(sets*tile + j) }
	free := registers - sets*tile - t.vectors
	first := registers - free
	products := 0 // registers for products
	if t.product == pairs {
		products = min(4, free/2)
	}
	for i := range sets * tile {
		if t.letter == "Z" {
			f.op("VPXORD %s, %s, %s", r(i), r(i), r(i))
		} else {
			f.op("VPXOR %s, %s, %s", r(i), r(i), r(i))
		}
	}
	bytes := t.width() // of a register of the right panel
	if t.product == pairs {
		bytes /= 2
	}
	used := 0
	step := func(u, set int) {
		for j := range t.vectors {
			at := (u*t.wide + j) * bytes
			switch {
			case t.product == pairs:
				f.op("VPMOVSXBW %d(DI), %s", at, b(j))
			case t.letter == "Z":
				f.op("VMOVDQU32 %d(DI), %s", at, b(j))
			default:
				f.op("VMOVDQU %d(DI), %s", at, b(j))
			}
		}
		for i := range t.rows {
			a := r(first + i%(free-products))
			f.op("VPBROADCASTD %d(SI), %s", (u*t.rows+i)*4, a)
			for j := range t.vectors {
				if t.product == quads {
					f.op("VPDPBUSD %s, %s, %s", b(j), a, acc(set, i, j))
					continue
				}
				p := r(registers - 1 - used%products)
				used++
				f.op("VPMADDWD %s, %s, %s", b(j), a, p)
				f.op("VPADDD %s, %s, %s", p, acc(set, i, j), acc(set, i, j))
			}
		}
	}
	const unroll = 4
	f.op("MOVQ CX, R9")
	f.op("SHRQ $2, R9")
	f.op("JZ rest")
	f.line("loop:")
	for u := range unroll {
		step(u, u%sets)
	}
	f.op("ADDQ $%d, DI", unroll*t.wide*bytes)
	f.op("ADDQ $%d, SI", unroll*t.rows*4)
	f.op("DECQ R9")
	f.op("JNZ loop")
	f.line("rest:")
	f.op("ANDQ $3, CX")
	f.op("JZ end")
	f.line("one:")
	step(0, 0)
	f.op("ADDQ $%d, DI", t.wide*bytes)
	f.op("ADDQ $%d, SI", t.rows*4)
	f.op("DECQ CX")
	f.op("JNZ one")
	f.line("end:")
	for set := 1; set < sets; set++ {
		for i := range t.rows {
			for j := range t.vectors {
				f.op("VPADDD %s, %s, %s", acc(set, i, j), acc(0, i, j), acc(0, i, j))
			}
		}
	}
	store := "VMOVDQU"
	if t.letter == "Z" {
		store = "VMOVDQU32"
	}
	f.op("TESTQ BX, BX")
	f.op("JZ store")
	for i := range t.rows {
		for j := range t.vectors {
			f.op("VPADDD %d(DX), %s, %s", (i*t.wide+j)*t.width(), acc(0, i, j), acc(0, i, j))
		}
	}
	f.line("store:")
	for i := range t.rows {
		for j := range t.vectors {
			f.op("%s %s, %d(DX)", store, acc(0, i, j), (i*t.wide+j)*t.width())
		}
	}
	f.op("VZEROUPPER")
	f.op("RET")
}

// x86Pack writes the function that packs rows of a left operand, four at a time:
// cells of four bytes each, as they are or (pairs) two elements widened. Each byte
// is changed by an exclusive or with flip before.
func (f *file) x86Pack(name string, product x86Product) {
	f.function(name, "dst *byte, rows int, src *byte, offsets, pieces *int, count, n, flip int", 8)
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ rows+8(FP), BX")
	f.op("SHLQ $2, BX") // from one column of cells to the next
	f.op("MOVQ flip+56(FP), AX")
	f.op("VMOVD AX, X15")
	f.op("VPBROADCASTB X15, X15")
	f.op("LEAQ (BX)(BX*2), R13")
	f.line("piece:")
	f.op("MOVQ offsets+24(FP), DX")
	f.op("XORQ R14, R14") // where the rows' cells are in a column
	f.line("rows:")
	f.op("MOVQ pieces+32(FP), AX")
	f.op("MOVQ (AX), SI")
	f.op("ADDQ src+16(FP), SI")
	for i := range 4 {
		f.op("MOVQ %d(DX), R%d", 8*i, 8+i)
		f.op("ADDQ SI, R%d", 8+i)
	}
	f.op("ADDQ $32, DX")
	f.op("LEAQ (DI)(R14*1), R15")
	f.op("MOVQ n+48(FP), CX")
	f.op("XORQ SI, SI")
	step := 16
	if product == pairs {
		step = 8
	}
	f.line("loop:")
	f.op("CMPQ CX, $%d", step)
	f.op("JLT rest")
	for i := range 4 {
		if product == pairs {
			f.op("VMOVQ (R%d)(SI*1), X%d", 8+i, i)
			f.op("VPXOR X15, X%d, X%d", i, i)
			f.op("VPMOVSXBW X%d, X%d", i, i)
		} else {
			f.op("VPXOR (R%d)(SI*1), X15, X%d", 8+i, i)
		}
	}
	f.op("VPUNPCKLDQ X1, X0, X4")
	f.op("VPUNPCKHDQ X1, X0, X5")
	f.op("VPUNPCKLDQ X3, X2, X6")
	f.op("VPUNPCKHDQ X3, X2, X7")
	f.op("VPUNPCKLQDQ X6, X4, X0")
	f.op("VPUNPCKHQDQ X6, X4, X1")
	f.op("VPUNPCKLQDQ X7, X5, X2")
	f.op("VPUNPCKHQDQ X7, X5, X3")
	f.op("VMOVDQU X0, (R15)")
	f.op("VMOVDQU X1, (R15)(BX*1)")
	f.op("VMOVDQU X2, (R15)(BX*2)")
	f.op("VMOVDQU X3, (R15)(R13*1)")
	f.op("LEAQ (R15)(BX*4), R15")
	f.op("ADDQ $%d, SI", step)
	f.op("SUBQ $%d, CX", step)
	f.op("JMP loop")
	f.line("rest:")
	f.op("TESTQ CX, CX")
	f.op("JLE packed")
	for i := range 4 {
		if product == pairs {
			f.op("MOVWLZX (R%d)(SI*1), AX", 8+i)
		} else {
			f.op("MOVL (R%d)(SI*1), AX", 8+i)
		}
		f.op("VMOVD AX, X%d", i)
		f.op("VPXOR X15, X%d, X%d", i, i)
		if product == pairs {
			f.op("VPMOVSXBW X%d, X%d", i, i)
		}
		f.op("VMOVD X%d, %d(R15)", i, 4*i)
	}
	f.op("ADDQ BX, R15")
	f.op("ADDQ $%d, SI", step/4)
	f.op("SUBQ $%d, CX", step/4)
	f.op("JMP rest")
	f.line("packed:")
	f.op("ADDQ $16, R14")
	f.op("CMPQ R14, BX")
	f.op("JLT rows")
	f.op("SUBQ R14, R15") // behind the last column of the last four rows
	f.op("LEAQ 16(R15), DI")
	f.op("ADDQ $8, pieces+32(FP)")
	f.op("DECQ count+40(FP)")
	f.op("JNZ piece")
	f.op("RET")
}

// x86RequantizeAVX512 and x86RequantizeAVX2 write Integer.Requantize: see the
// scalar one for the arithmetic. The simple one has nothing to shift left, no
// halves to round away from zero, and all of int8 for the outputs. Columns go by 16 (8) at a time, whose parameters
// stay in registers while the rows go by.
//
// Registers: 0 sums, 1–4 products, 5 a constant; parameters from 16 (8) on.
func (f *file) x86RequantizeAVX512(simple bool) {
	name := "requantizeAVX512"
	if simple {
		name += "Simple"
	}
	f.requantizeHead(name)
	f.op("VPBROADCASTD zero+64(FP), Z24")
	if !simple {
		f.op("VPBROADCASTD low+72(FP), Z25")
		f.op("VPBROADCASTD high+80(FP), Z26")
	}
	f.op("MOVQ $0x40000000, AX")
	f.op("VPBROADCASTQ AX, Z27")
	f.op("MOVQ $0xAAAA, AX")
	f.op("KMOVW AX, K2")
	f.line("block:")
	f.op("MOVQ $0xFFFF, AX")
	f.op("CMPQ CX, $16")
	f.op("JGE whole")
	f.op("MOVQ $-1, AX")
	f.op("SHLQ CX, AX")
	f.op("NOTQ AX")
	f.line("whole:")
	f.op("KMOVW AX, K1")
	f.requantizeParameters("VMOVDQU32", "Z", 16)
	f.op("VPSRLQ $32, Z17, Z28") // multipliers of the odd columns
	f.op("MOVQ SI, R10")
	f.op("MOVQ DI, R11")
	f.op("MOVQ rows+32(FP), R12")
	f.line("row:")
	f.op("VPADDD (R10), Z16, Z0")
	if !simple {
		f.op("VPSLLVD Z18, Z0, Z0")
	}
	f.op("VPSRLQ $32, Z0, Z2")
	f.op("VPMULDQ Z17, Z0, Z1")
	f.op("VPMULDQ Z28, Z2, Z2")
	f.op("VPADDQ Z27, Z1, Z1")
	f.op("VPADDQ Z27, Z2, Z2")
	f.op("VPSRLQ $31, Z1, Z1")
	f.op("VPADDQ Z2, Z2, Z2")
	f.op("VMOVDQA32 Z2, K2, Z1") // y: 16 high halves
	if !simple {
		f.op("VPSRAD $31, Z1, Z3")
		f.op("VPANDD Z21, Z3, Z3")
		f.op("VPADDD Z3, Z1, Z1") // less one, for halves away from zero
	}
	f.op("VPSRAVD Z22, Z1, Z1") // right − 1 bits, or none
	f.op("VPADDD Z20, Z1, Z1")
	f.op("VPSRAVD Z20, Z1, Z1") // and the last one, rounded upward
	f.op("VPADDD Z24, Z1, Z1")
	if simple {
		f.op("VPMOVSDB Z1, K1, (R11)")
	} else {
		f.op("VPMAXSD Z25, Z1, Z1")
		f.op("VPMINSD Z26, Z1, Z1")
		f.op("VPMOVDB Z1, K1, (R11)")
	}
	f.op("ADDQ R8, R10")
	f.op("ADDQ BX, R11")
	f.op("DECQ R12")
	f.op("JNZ row")
	f.op("ADDQ $64, SI")
	f.op("ADDQ $16, DI")
	f.op("ADDQ $64, DX")
	f.op("SUBQ $16, CX")
	f.op("JG block")
	f.op("VZEROUPPER")
	f.op("RET")
}

// requantizeHead: DI dst, BX its stride, SI sums, R8 their stride, CX columns, DX
// parameters, R9 the size of one array of parameters.
func (f *file) requantizeHead(name string) {
	f.function(name, "dst *byte, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zero, low, high int", 11)
	f.op("MOVQ dst+0(FP), DI")
	f.op("MOVQ stride+8(FP), BX")
	f.op("MOVQ sums+16(FP), SI")
	f.op("MOVQ sumStride+24(FP), R8")
	f.op("MOVQ columns+40(FP), CX")
	f.op("MOVQ parameters+48(FP), DX")
	f.op("MOVQ size+56(FP), R9")
	f.op("SHLQ $2, R8")
	f.op("SHLQ $2, R9")
}

func (f *file) requantizeParameters(load, letter string, first int) {
	f.op("MOVQ DX, R10")
	// bias, mantissa, left, right, round, away, right − 1
	for i := range 7 {
		f.op("%s (R10), %s%d", load, letter, first+i)
		f.op("ADDQ R9, R10")
	}
}

func (f *file) x86RequantizeAVX2() {
	f.requantizeHead("requantizeAVX2")
	f.op("VPBROADCASTD zero+64(FP), Y13")
	f.op("VPBROADCASTD low+72(FP), Y14")
	f.op("VPBROADCASTD high+80(FP), Y15")
	f.op("MOVQ $0x40000000, AX")
	f.op("VMOVQ AX, X12")
	f.op("VPBROADCASTQ X12, Y12")
	f.line("block:")
	f.requantizeParameters("VMOVDQU", "Y", 4)
	f.op("VPSRLQ $32, Y5, Y11") // multipliers of the odd columns
	f.op("MOVQ SI, R10")
	f.op("MOVQ DI, R11")
	f.op("MOVQ rows+32(FP), R12")
	f.line("row:")
	f.op("VPADDD (R10), Y4, Y0")
	f.op("VPSLLVD Y6, Y0, Y0")
	f.op("VPSRLQ $32, Y0, Y2")
	f.op("VPMULDQ Y5, Y0, Y1")
	f.op("VPMULDQ Y11, Y2, Y2")
	f.op("VPADDQ Y12, Y1, Y1")
	f.op("VPADDQ Y12, Y2, Y2")
	f.op("VPSRLQ $31, Y1, Y1")
	f.op("VPADDQ Y2, Y2, Y2")
	f.op("VPBLENDD $0xAA, Y2, Y1, Y1") // y: 8 high halves
	f.op("VPSRAD $31, Y1, Y3")
	f.op("VPAND Y9, Y3, Y3")
	f.op("VPADDD Y3, Y1, Y1")   // less one, for halves away from zero
	f.op("VPSRAVD Y10, Y1, Y1") // right − 1 bits, or none
	f.op("VPADDD Y8, Y1, Y1")
	f.op("VPSRAVD Y8, Y1, Y1") // and the last one, rounded upward
	f.op("VPADDD Y13, Y1, Y1")
	f.op("VPMAXSD Y14, Y1, Y1")
	f.op("VPMINSD Y15, Y1, Y1")
	f.packBytes(1, 2)
	f.op("CMPQ CX, $8")
	f.op("JLT part")
	f.op("VMOVQ X1, (R11)")
	f.line("next:")
	f.op("ADDQ R8, R10")
	f.op("ADDQ BX, R11")
	f.op("DECQ R12")
	f.op("JNZ row")
	f.op("ADDQ $32, SI")
	f.op("ADDQ $8, DI")
	f.op("ADDQ $32, DX")
	f.op("SUBQ $8, CX")
	f.op("JG block")
	f.op("VZEROUPPER")
	f.op("RET")
	f.line("part:")
	f.op("VMOVQ X1, AX")
	f.op("XORQ R13, R13")
	f.line("byte:")
	f.op("MOVB AX, (R11)(R13*1)")
	f.op("SHRQ $8, AX")
	f.op("INCQ R13")
	f.op("CMPQ R13, CX")
	f.op("JLT byte")
	f.op("JMP next")
}

// integerAMD64 writes what amd64 has for 8-bit integers.
func integerAMD64() {
	f := newFile()
	for _, rows := range []int{12, 8, 4, 1} {
		for _, vectors := range []int{2, 1} {
			f.x86Integer(x86IntegerTile{"VNNI", "Z", quads, rows, vectors, 2})
			f.x86Integer(x86IntegerTile{"AVX512", "Z", pairs, rows, vectors, 2})
		}
	}
	for _, rows := range []int{4, 1} {
		for _, vectors := range []int{2, 1} {
			f.x86Integer(x86IntegerTile{"AVX2", "Y", pairs, rows, vectors, 2})
		}
	}
	f.x86Pack("packQuads", quads)
	f.x86Pack("packPairs", pairs)
	f.x86RequantizeAVX512(false)
	f.x86RequantizeAVX512(true)
	f.x86RequantizeAVX2()
	f.x86Rows()
	f.amx()
	f.write("integer_amd64.s")
}
