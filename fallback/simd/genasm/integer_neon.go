package main

import "fmt"

// What Go's assembler lacks, by the Arm Architecture Reference Manual, C7.2. The
// numbers are those of registers.

func (f *file) encoded(bits int, format string, args ...any) {
	f.op("WORD $0x%08x // %s", uint32(bits), fmt.Sprintf(format, args...))
}

// three is an instruction on three registers of four numbers.
func (f *file) three(bits int, name string, d, n, m int) {
	f.encoded(bits|m<<16|n<<5|d, "%s V%d.4S, V%d.4S, V%d.4S", name, d, n, m)
}

func (f *file) add4(d, n, m int)       { f.three(0x4EA08400, "ADD", d, n, m) }
func (f *file) sub4(d, n, m int)       { f.three(0x6EA08400, "SUB", d, n, m) }
func (f *file) mul4(d, n, m int)       { f.three(0x4EA09C00, "MUL", d, n, m) }
func (f *file) mls4(d, n, m int)       { f.three(0x6EA09400, "MLS", d, n, m) }
func (f *file) smax4(d, n, m int)      { f.three(0x4EA06400, "SMAX", d, n, m) }
func (f *file) smin4(d, n, m int)      { f.three(0x4EA06C00, "SMIN", d, n, m) }
func (f *file) sshl4(d, n, m int)      { f.three(0x4EA04400, "SSHL", d, n, m) }
func (f *file) srshl4(d, n, m int)     { f.three(0x4EA05400, "SRSHL", d, n, m) }
func (f *file) highHalf4(d, n, m int)  { f.three(0x6EA0B400, "SQRDMULH", d, n, m) }
func (f *file) addFloats(d, n, m int)  { f.three(0x4E20D400, "FADD", d, n, m) }
func (f *file) mulFloats(d, n, m int)  { f.three(0x6E20DC00, "FMUL", d, n, m) }
func (f *file) leastFloat(d, n, m int) { f.three(0x4EA0F400, "FMIN", d, n, m) }
func (f *file) mostFloat(d, n, m int)  { f.three(0x4E20F400, "FMAX", d, n, m) }

func (f *file) neg4(d, n int)      { f.encoded(0x6EA0B800|n<<5|d, "NEG V%d.4S, V%d.4S", d, n) }
func (f *file) signs4(d, n int)    { f.encoded(0x4F210400|n<<5|d, "SSHR V%d.4S, V%d.4S, #31", d, n) }
func (f *file) toFloats(d, n int)  { f.encoded(0x4E21D800|n<<5|d, "SCVTF V%d.4S, V%d.4S", d, n) }
func (f *file) roundEven(d, n int) { f.encoded(0x4E21A800|n<<5|d, "FCVTNS V%d.4S, V%d.4S", d, n) }
func (f *file) roundAway(d, n int) { f.encoded(0x4E21C800|n<<5|d, "FCVTAS V%d.4S, V%d.4S", d, n) }
func (f *file) narrow4(d, n int)   { f.encoded(0x0E612800|n<<5|d, "XTN V%d.4H, V%d.4S", d, n) }
func (f *file) narrow8(d, n int)   { f.encoded(0x0E212800|n<<5|d, "XTN V%d.8B, V%d.8H", d, n) }
func (f *file) evenHalves(d, n, m int) {
	f.encoded(0x4E401800|m<<16|n<<5|d, "UZP1 V%d.8H, V%d.8H, V%d.8H", d, n, m)
}

// widen8 makes eight numbers of 16 bits of the lower, or upper, eight bytes.
func (f *file) widen8(d, n int, upper, unsigned bool) {
	bits, name := 0x0F08A400, "SXTL"
	if unsigned {
		bits, name = 0x2F08A400, "UXTL"
	}
	if upper {
		f.encoded(bits|1<<30|n<<5|d, "%s2 V%d.8H, V%d.16B", name, d, n)
		return
	}
	f.encoded(bits|n<<5|d, "%s V%d.8H, V%d.8B", name, d, n)
}

// widen4 makes four numbers of 32 bits of the lower, or upper, four of 16.
func (f *file) widen4(d, n int, upper bool) {
	if upper {
		f.encoded(0x4F10A400|n<<5|d, "SXTL2 V%d.4S, V%d.8H", d, n)
		return
	}
	f.encoded(0x0F10A400|n<<5|d, "SXTL V%d.4S, V%d.4H", d, n)
}

// smlal adds products of four numbers of 16 bits, the lower or the upper ones.
func (f *file) smlal(d, n, m int, upper bool) {
	if upper {
		f.encoded(0x4E608000|m<<16|n<<5|d, "SMLAL2 V%d.4S, V%d.8H, V%d.8H", d, n, m)
		return
	}
	f.encoded(0x0E608000|m<<16|n<<5|d, "SMLAL V%d.4S, V%d.4H, V%d.4H", d, n, m)
}

// smlalByElement is smlal with one element of m, a register below 16.
func (f *file) smlalByElement(d, n, m, lane int, upper bool) {
	bits := 0x0F402000 | lane&1<<20 | lane>>1&1<<21 | lane>>2<<11 | m<<16 | n<<5 | d
	if upper {
		f.encoded(bits|1<<30, "SMLAL2 V%d.4S, V%d.8H, V%d.H[%d]", d, n, m, lane)
		return
	}
	f.encoded(bits, "SMLAL V%d.4S, V%d.4H, V%d.H[%d]", d, n, m, lane)
}

func (f *file) sdotByElement(d, n, m, lane int) {
	f.encoded(0x4F80E000|lane&1<<21|lane>>1<<11|m<<16|n<<5|d, "SDOT V%d.4S, V%d.16B, V%d.4B[%d]", d, n, m, lane)
}

func (f *file) smmla(d, n, m int) {
	f.encoded(0x4E80A400|m<<16|n<<5|d, "SMMLA V%d.4S, V%d.16B, V%d.16B", d, n, m)
}

func registersOf(first, count int, arrangement string) string {
	text := "["
	for i := range count {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("V%d.%s", first+i, arrangement)
	}
	return text + "]"
}

// loadRegisters and storeRegisters move count registers of 16 bytes, up to four an
// instruction, and advance the address.
func (f *file) loadRegisters(address string, first, count int) {
	for count > 0 {
		n := min(count, 4)
		f.op("VLD1.P %d(%s), %s", 16*n, address, registersOf(first, n, "B16"))
		first, count = first+n, count-n
	}
}

func (f *file) storeRegisters(address string, first, count int) {
	for count > 0 {
		n := min(count, 4)
		f.op("VST1.P %s, %d(%s)", registersOf(first, n, "B16"), 16*n, address)
		first, count = first+n, count-n
	}
}

func (f *file) neonTileHead(name string, from, to int) {
	f.function(name, "groups int, a, b *byte, sums *int32, more int", 5)
	f.op("MOVD groups+0(FP), R0")
	f.op("MOVD a+8(FP), R1")
	f.op("MOVD b+16(FP), R2")
	f.op("MOVD sums+24(FP), R3")
	f.op("MOVD more+32(FP), R4")
	for i := from; i < to; i++ {
		f.op("VEOR V%d.B16, V%d.B16, V%d.B16", i, i, i)
	}
}

// neonTileEnd adds what is there and stores rows × vectors registers, from first
// on; registers 0…3 are free.
func (f *file) neonTileEnd(rows, vectors, first int) {
	f.op("CBZ R4, store")
	f.op("MOVD R3, R5")
	for i := range rows {
		f.loadRegisters("R5", 0, vectors)
		for j := range vectors {
			r := first + i*vectors + j
			f.add4(r, r, j)
		}
	}
	f.line("store:")
	for i := range rows {
		f.storeRegisters("R3", first+i*vectors, vectors)
	}
	f.op("RET")
}

// neonCells loads the cells, of four bytes each, of one group of the left panel.
func (f *file) neonCells(rows, to int) {
	switch rows {
	case 8:
		f.op("VLD1.P 32(R1), [V%d.B16, V%d.B16]", to, to+1)
	case 4:
		f.op("VLD1.P 16(R1), [V%d.B16]", to)
	case 1:
		f.op("FMOVS (R1), F%d", to)
		f.op("ADD $4, R1")
	}
}

// neonDot writes a tile of rows × 12 by SDOT: a group of b in V0–V2, one of a
// behind it, sums from V8 on.
func (f *file) neonDot(rows int) {
	const vectors = 3
	f.neonTileHead(fmt.Sprintf("integerDot%d", rows), 8, 8+rows*vectors)
	f.line("loop:")
	f.op("VLD1.P 48(R2), [V0.B16, V1.B16, V2.B16]")
	f.neonCells(rows, 3)
	for i := range rows {
		for j := range vectors {
			f.sdotByElement(8+i*vectors+j, j, 3+i/4, i%4)
		}
	}
	f.op("SUBS $1, R0, R0")
	f.op("BNE loop")
	f.neonTileEnd(rows, vectors, 8)
}

// neonLong writes a tile of rows × 8 by SMLAL: the four columns of bytes of a
// group of b in V4–V7, widened one by one into V8; a widened in V0–V3.
func (f *file) neonLong(rows int) {
	const vectors = 2
	f.neonTileHead(fmt.Sprintf("integerLong%d", rows), 16, 16+rows*vectors)
	f.line("loop:")
	f.op("VLD4.P 32(R2), [V4.B8, V5.B8, V6.B8, V7.B8]")
	f.neonCells(rows, 9)
	for i := range (rows + 1) / 2 {
		f.widen8(i, 9+i/2, i%2 == 1, false)
	}
	for k := range 4 {
		f.widen8(8, 4+k, false, false)
		for i := range rows {
			f.smlalByElement(16+i*vectors, 8, i/2, i%2*4+k, false)
			f.smlalByElement(17+i*vectors, 8, i/2, i%2*4+k, true)
		}
	}
	f.op("SUBS $1, R0, R0")
	f.op("BNE loop")
	f.neonTileEnd(rows, vectors, 16)
}

// neonMatrix writes a tile of rows × 8 by SMMLA: a group of 8 elements of pairs of
// rows from V0 on, of pairs of columns in V4–V7; sums of 2×2 from V16 on.
func (f *file) neonMatrix(rows int) {
	pairs := rows / 2
	f.neonTileHead(fmt.Sprintf("integerMatrix%d", rows), 16, 16+pairs*4)
	f.line("loop:")
	f.loadRegisters("R1", 0, pairs)
	f.op("VLD1.P 64(R2), [V4.B16, V5.B16, V6.B16, V7.B16]")
	for i := range pairs {
		for j := range 4 {
			f.smmla(16+4*i+j, i, 4+j)
		}
	}
	f.op("SUBS $1, R0, R0")
	f.op("BNE loop")
	// Rows of sums out of squares: their first halves, then their second ones.
	for i := range pairs {
		for j := 0; j < 4; j += 2 {
			a, b := 16+4*i+j, 17+4*i+j
			f.op("VZIP1 V%d.D2, V%d.D2, V%d.D2", b, a, j/2)
			f.op("VZIP2 V%d.D2, V%d.D2, V%d.D2", b, a, 2+j/2)
		}
		for j := range 4 { // two of the first row, two of the second
			f.op("VORR V%d.B16, V%d.B16, V%d.B16", j, j, 16+4*i+j)
		}
	}
	f.neonTileEnd(rows, 2, 16)
}

// neonPack writes the function that packs four rows in cells of four bytes, or two
// rows in cells of eight, 16 bytes of each at a time. stride is from one column of
// cells to the next.
func (f *file) neonPack(name string, cell int) {
	rows := 16 / cell
	f.function(name, "dst *byte, stride int, src *byte, offsets *int, n int, flip int", 6)
	f.op("MOVD dst+0(FP), R0")
	f.op("MOVD stride+8(FP), R1")
	f.op("MOVD src+16(FP), R2")
	f.op("MOVD offsets+24(FP), R3")
	f.op("MOVD n+32(FP), R4")
	f.op("MOVD flip+40(FP), R5")
	f.op("VDUP R5, V16.B16")
	for i := range rows {
		f.op("MOVD %d(R3), R%d", 8*i, 6+i)
		f.op("ADD R2, R%d, R%d", 6+i, 6+i)
	}
	f.line("loop:")
	f.op("CMP $16, R4")
	f.op("BLT rest")
	for i := range rows {
		f.op("VLD1.P 16(R%d), [V%d.B16]", 6+i, i)
		f.op("VEOR V16.B16, V%d.B16, V%d.B16", i, i)
	}
	if rows == 4 {
		for i := range 2 {
			f.op("VZIP1 V%d.S4, V%d.S4, V%d.S4", 2*i+1, 2*i, 4+2*i)
			f.op("VZIP2 V%d.S4, V%d.S4, V%d.S4", 2*i+1, 2*i, 5+2*i)
		}
		f.op("VZIP1 V6.D2, V4.D2, V0.D2")
		f.op("VZIP2 V6.D2, V4.D2, V1.D2")
		f.op("VZIP1 V7.D2, V5.D2, V2.D2")
		f.op("VZIP2 V7.D2, V5.D2, V3.D2")
	} else {
		f.op("VZIP2 V1.D2, V0.D2, V2.D2")
		f.op("VZIP1 V1.D2, V0.D2, V0.D2")
		f.op("VORR V2.B16, V2.B16, V1.B16")
	}
	for i := range rows {
		f.op("VST1 [V%d.B16], (R0)", i)
		f.op("ADD R1, R0")
	}
	f.op("SUB $16, R4")
	f.op("B loop")
	f.line("rest:")
	f.op("CBZ R4, done")
	for i := range rows {
		register, size := "S", 4
		if cell == 8 {
			register, size = "D", 8
		}
		f.op("FMOV%s (R%d), F%d", register, 6+i, i)
		f.op("ADD $%d, R%d", size, 6+i)
		f.op("VEOR V16.B16, V%d.B16, V%d.B16", i, i)
		f.op("FMOV%s F%d, %d(R0)", register, i, cell*i)
	}
	f.op("ADD R1, R0")
	f.op("SUB $%d, R4", cell)
	f.op("B rest")
	f.line("done:")
	f.op("RET")
}

// neonRequantize writes Integer.Requantize for columns in fours: see the scalar
// one for the arithmetic. SQRDMULH is the rounded high half of the double product,
// SRSHL a right shift that rounds upward.
func (f *file) neonRequantize() {
	f.function("requantizeNEON", "dst *byte, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zero, low, high int", 11)
	for i, name := range []string{"dst", "stride", "sums", "sumStride", "rows", "columns", "parameters", "size", "zero", "low", "high"} {
		f.op("MOVD %s+%d(FP), R%d", name, 8*i, i)
	}
	f.op("LSL $2, R3")
	f.op("LSL $2, R7")
	for i := range 3 {
		f.op("VDUP R%d, V%d.S4", 8+i, 16+i)
	}
	f.line("block:")
	f.op("MOVD R6, R11")
	for i := range 6 { // bias, mantissa, left, right, round, away
		f.op("VLD1 (R11), [V%d.S4]", 20+i)
		f.op("ADD R7, R11")
	}
	f.neg4(23, 23)
	f.op("MOVD R2, R12")
	f.op("MOVD R0, R13")
	f.op("MOVD R4, R14")
	f.line("row:")
	f.op("VLD1 (R12), [V0.S4]")
	f.add4(0, 0, 20)
	f.sshl4(0, 0, 22)
	f.highHalf4(0, 0, 21)
	f.signs4(1, 0)
	f.op("VAND V25.B16, V1.B16, V1.B16")
	f.add4(0, 0, 1)
	f.srshl4(0, 0, 23)
	f.add4(0, 0, 16)
	f.smax4(0, 0, 17)
	f.smin4(0, 0, 18)
	f.narrow4(0, 0)
	f.narrow8(0, 0)
	f.op("FMOVS F0, (R13)")
	f.op("ADD R3, R12")
	f.op("ADD R1, R13")
	f.op("SUBS $1, R14, R14")
	f.op("BNE row")
	f.op("ADD $16, R2")
	f.op("ADD $4, R0")
	f.op("ADD $16, R6")
	f.op("SUBS $4, R5, R5")
	f.op("BGT block")
	f.op("RET")
}

// neonDepthwise writes Integer.Depthwise: eight channels at a time, of up to two
// pixels.
func (f *file) neonDepthwise(name string, unsigned bool) {
	f.function("depthwiseNEON"+name, "sums *int32, src *byte, step int, taps *int, count int, w *int32, pixels, channels int", 8)
	for i, argument := range []string{"sums", "src", "step", "taps", "count", "w", "pixels", "channels"} {
		f.op("MOVD %s+%d(FP), R%d", argument, 8*i, i)
	}
	f.op("LSL $2, R7, R8") // a row of sums or weights, in bytes
	f.line("block:")
	f.op("MOVD R1, R9")
	f.op("MOVD R0, R10")
	f.op("MOVD R6, R11")
	pixels := func(n int, label string) {
		for i := range 2 * n {
			f.op("VEOR V%d.B16, V%d.B16, V%d.B16", 16+i, 16+i, 16+i)
		}
		f.op("MOVD R3, R12")
		f.op("MOVD R4, R13")
		f.op("MOVD R5, R14")
		f.line("%s:", label)
		f.op("MOVD.P 8(R12), R15")
		f.op("ADD R9, R15")
		f.op("VLD1 (R14), [V0.S4, V1.S4]")
		f.op("ADD R8, R14")
		f.evenHalves(0, 0, 1)
		for i := range n {
			f.op("VLD1 (R15), [V%d.B8]", 2+i)
			f.op("ADD R2, R15")
			f.widen8(2+i, 2+i, false, unsigned)
			f.smlal(16+2*i, 2+i, 0, false)
			f.smlal(17+2*i, 2+i, 0, true)
		}
		f.op("SUBS $1, R13, R13")
		f.op("BNE %s", label)
		for i := range n {
			f.op("VST1 [V%d.S4, V%d.S4], (R10)", 16+2*i, 17+2*i)
			f.op("ADD R8, R10")
			f.op("ADD R2, R9")
		}
	}
	f.line("four:")
	f.op("CMP $4, R11")
	f.op("BLT one")
	f.op("SUB $4, R11")
	pixels(4, "fourTaps")
	f.op("B four")
	f.line("one:")
	f.op("CBZ R11, next")
	f.op("SUB $1, R11")
	pixels(1, "oneTaps")
	f.op("B one")
	f.line("next:")
	f.op("ADD $8, R1")
	f.op("ADD $32, R0")
	f.op("ADD $32, R5")
	f.op("SUBS $8, R7, R7")
	f.op("BGT block")
	f.op("RET")
}

// neonScale writes Integer.Scale for columns in fours.
func (f *file) neonScale(name string, last bool) {
	f.function("scaleNEON"+name, "dst *float32, stride int, sums *int32, sumStride, rows, columns int, parameters *int32, size int, zeros *int32, factors *float32", 10)
	for i, name := range []string{"dst", "stride", "sums", "sumStride", "rows", "columns", "parameters", "size", "zeros", "factors"} {
		f.op("MOVD %s+%d(FP), R%d", name, 8*i, i)
	}
	for _, r := range []int{1, 3, 7} {
		f.op("LSL $2, R%d", r)
	}
	f.line("block:")
	f.op("MOVD R6, R10")
	for i := range 3 { // sums, scales, biases
		f.op("VLD1 (R10), [V%d.S4]", 16+i)
		f.op("ADD R7, R10")
	}
	f.op("MOVD R2, R10")
	f.op("MOVD R0, R11")
	f.op("MOVD R4, R12")
	f.op("MOVD R8, R13")
	f.op("MOVD R9, R14")
	f.line("row:")
	f.op("VLD1 (R10), [V0.S4]")
	f.op("VLD1R.P 4(R13), [V1.S4]")
	f.op("VLD1R.P 4(R14), [V2.S4]")
	f.mls4(0, 1, 16)
	f.toFloats(0, 0)
	if last {
		f.mulFloats(0, 0, 17)
		f.mulFloats(0, 0, 2)
	} else {
		f.mulFloats(2, 2, 17)
		f.mulFloats(0, 0, 2)
	}
	f.addFloats(0, 0, 18)
	f.op("VST1 [V0.S4], (R11)")
	f.op("ADD R3, R10")
	f.op("ADD R1, R11")
	f.op("SUBS $1, R12, R12")
	f.op("BNE row")
	f.op("ADD $16, R2")
	f.op("ADD $16, R0")
	f.op("ADD $16, R6")
	f.op("SUBS $4, R5, R5")
	f.op("BGT block")
	f.op("RET")
}

// neonRange writes Integer.Range for floats in fours. FMIN and FMAX hand NaN on.
func (f *file) neonRange() {
	f.function("rangeNEON", "x *float32, n int, low, high *float32", 4)
	for i, name := range []string{"x", "n", "low", "high"} {
		f.op("MOVD %s+%d(FP), R%d", name, 8*i, i)
	}
	f.op("VEOR V1.B16, V1.B16, V1.B16")
	f.op("VEOR V2.B16, V2.B16, V2.B16")
	f.line("loop:")
	f.op("VLD1.P 16(R0), [V0.S4]")
	f.leastFloat(1, 1, 0)
	f.mostFloat(2, 2, 0)
	f.op("SUBS $4, R1, R1")
	f.op("BGT loop")
	f.encoded(0x6EB0F800|1<<5|1, "FMINV S1, V1.4S")
	f.encoded(0x6E30F800|2<<5|2, "FMAXV S2, V2.4S")
	f.op("FMOVS F1, (R2)")
	f.op("FMOVS F2, (R3)")
	f.op("RET")
}

// neonQuantize writes Integer.Quantize for floats in fours. The conversions make 0
// of NaN, and the nearest number of what is too large.
func (f *file) neonQuantize(name string, even bool) {
	f.function("quantizeNEON"+name, "dst *byte, x *float32, n int, factor float32, zero, low, high int32", 5)
	f.op("MOVD dst+0(FP), R0")
	f.op("MOVD x+8(FP), R1")
	f.op("MOVD n+16(FP), R2")
	f.op("MOVWU factor+24(FP), R3")
	f.op("MOVW zero+28(FP), R4")
	f.op("MOVW low+32(FP), R5")
	f.op("MOVW high+36(FP), R6")
	f.op("MOVD $65536, R7")
	f.op("NEG R7, R8")
	for i, r := range []int{3, 4, 5, 6, 7, 8} {
		f.op("VDUP R%d, V%d.S4", r, 16+i)
	}
	f.line("loop:")
	f.op("VLD1.P 16(R1), [V0.S4]")
	f.mulFloats(0, 0, 16)
	if even {
		f.roundEven(0, 0)
	} else {
		f.roundAway(0, 0)
	}
	f.smin4(0, 0, 20)
	f.smax4(0, 0, 21)
	f.add4(0, 0, 17)
	f.smax4(0, 0, 18)
	f.smin4(0, 0, 19)
	f.narrow4(0, 0)
	f.narrow8(0, 0)
	f.op("FMOVS F0, (R0)")
	f.op("ADD $4, R0")
	f.op("SUBS $4, R2, R2")
	f.op("BGT loop")
	f.op("RET")
}

// neonBytes writes Integer.Sum and Integer.Product for bytes in eights.
func (f *file) neonBytes(name string, unsigned bool) {
	head := func(function, last string) {
		f.function(function+"NEON"+name, "sums *int32, a, b *byte, n int, "+last+" *int32", 5)
		for i, argument := range []string{"sums", "a", "b", "n", last} {
			f.op("MOVD %s+%d(FP), R%d", argument, 8*i, i)
		}
	}
	load := func(address string, to int) {
		f.op("VLD1.P 8(%s), [V%d.B8]", address, to)
		f.widen8(to, to, false, unsigned)
		f.widen4(to+1, to, true)
		f.widen4(to, to, false)
	}
	head("sum", "parameters")
	for i := range 8 {
		f.op("VLD1R.P 4(R4), [V%d.S4]", 16+i)
	}
	f.neg4(19, 19)
	f.neg4(23, 23)
	f.line("loop:")
	for i, address := range []string{"R1", "R2"} {
		load(address, 2*i)
		for j := range 2 {
			r, p := 2*i+j, 16+4*i
			f.sub4(r, r, p)
			f.sshl4(r, r, p+1)
			f.highHalf4(r, r, p+2)
			f.sshl4(r, r, p+3)
		}
	}
	f.add4(0, 0, 2)
	f.add4(1, 1, 3)
	f.op("VST1.P [V0.S4, V1.S4], 32(R0)")
	f.op("SUBS $8, R3, R3")
	f.op("BGT loop")
	f.op("RET")

	head("product", "zeros")
	f.op("VLD1R.P 4(R4), [V16.S4]")
	f.op("VLD1R.P 4(R4), [V17.S4]")
	f.line("loop:")
	load("R1", 0)
	load("R2", 2)
	for j := range 2 {
		f.sub4(j, j, 16)
		f.sub4(2+j, 2+j, 17)
		f.mul4(j, j, 2+j)
	}
	f.op("VST1.P [V0.S4, V1.S4], 32(R0)")
	f.op("SUBS $8, R3, R3")
	f.op("BGT loop")
	f.op("RET")

	f.function("largestNEON"+name, "dst, src *byte, n int", 3)
	f.op("MOVD dst+0(FP), R0")
	f.op("MOVD src+8(FP), R1")
	f.op("MOVD n+16(FP), R2")
	f.line("loop:")
	f.op("VLD1 (R0), [V0.B16]")
	f.op("VLD1.P 16(R1), [V1.B16]")
	if unsigned {
		f.encoded(0x6E206400|1<<16, "UMAX V0.16B, V0.16B, V1.16B")
	} else {
		f.encoded(0x4E206400|1<<16, "SMAX V0.16B, V0.16B, V1.16B")
	}
	f.op("VST1.P [V0.B16], 16(R0)")
	f.op("SUBS $16, R2, R2")
	f.op("BGT loop")
	f.op("RET")
}

// integerARM64 writes what arm64 has for 8-bit integers.
func integerARM64() {
	f := newFile()
	for _, rows := range []int{8, 4, 1} {
		f.neonLong(rows)
		f.neonDot(rows)
	}
	for _, rows := range []int{8, 4, 2} {
		f.neonMatrix(rows)
	}
	f.neonPack("packCells4", 4)
	f.neonPack("packCells8", 8)
	f.neonRequantize()
	for _, unsigned := range []bool{false, true} {
		name := "Signed"
		if unsigned {
			name = "Unsigned"
		}
		f.neonDepthwise(name, unsigned)
		f.neonBytes(name, unsigned)
	}
	f.neonScale("First", false)
	f.neonScale("Last", true)
	f.neonRange()
	f.neonQuantize("Even", true)
	f.neonQuantize("Away", false)
	f.write("integer_arm64.s")
}
