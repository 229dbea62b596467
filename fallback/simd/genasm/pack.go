package main

// packX86 writes packAVX2: eight columns of four rows at a time, transposed
// within the halves of registers.
func (f *file) packX86() {
	f.line("")
	f.line("// func packAVX2(n int, dst *float32, height int, src *float32, stride int)")
	f.line("TEXT ·packAVX2(SB), NOSPLIT, $0-40")
	f.op("MOVQ n+0(FP), CX")
	f.op("MOVQ dst+8(FP), DI")
	f.op("MOVQ height+16(FP), R8")
	f.op("SHLQ $2, R8")
	f.op("MOVQ src+24(FP), SI")
	f.op("MOVQ stride+32(FP), R9")
	f.op("SHLQ $2, R9")
	f.op("LEAQ (R9)(R9*2), R10")
	f.op("LEAQ (R8)(R8*2), R11")
	f.line("loop:")
	for i, at := range []string{"(SI)", "(SI)(R9*1)", "(SI)(R9*2)", "(SI)(R10*1)"} {
		f.op("VMOVUPS %s, Y%d", at, i)
	}
	f.op("VUNPCKLPS Y1, Y0, Y4")
	f.op("VUNPCKHPS Y1, Y0, Y5")
	f.op("VUNPCKLPS Y3, Y2, Y6")
	f.op("VUNPCKHPS Y3, Y2, Y7")
	f.op("VUNPCKLPD Y6, Y4, Y0")
	f.op("VUNPCKHPD Y6, Y4, Y1")
	f.op("VUNPCKLPD Y7, Y5, Y2")
	f.op("VUNPCKHPD Y7, Y5, Y3")
	f.op("LEAQ (DI)(R8*4), R12")
	for i, at := range []string{"(%s)", "(%s)(R8*1)", "(%s)(R8*2)", "(%s)(R11*1)"} {
		f.op("VMOVUPS X%d, "+at, i, "DI")
		f.op("VEXTRACTF128 $1, Y%d, "+at, i, "R12")
	}
	f.op("ADDQ $32, SI")
	f.op("LEAQ (DI)(R8*8), DI")
	f.op("DECQ CX")
	f.op("JNZ loop")
	f.op("VZEROUPPER")
	f.op("RET")
}

// packNEON writes packNEON: four columns of four rows at a time.
func (f *file) packNEON() {
	f.line("")
	f.line("// func packNEON(n int, dst *float32, height int, src *float32, stride int)")
	f.line("TEXT ·packNEON(SB), NOSPLIT, $0-40")
	f.op("MOVD n+0(FP), R0")
	f.op("MOVD dst+8(FP), R1")
	f.op("MOVD height+16(FP), R2")
	f.op("LSL $2, R2")
	f.op("MOVD src+24(FP), R3")
	f.op("MOVD stride+32(FP), R4")
	f.op("LSL $2, R4")
	f.op("ADD R4, R3, R5")
	f.op("ADD R4, R5, R6")
	f.op("ADD R4, R6, R7")
	f.line("loop:")
	for i, pointer := range []string{"R3", "R5", "R6", "R7"} {
		f.op("VLD1.P 16(%s), [V%d.S4]", pointer, i)
	}
	f.op("VTRN1 V1.S4, V0.S4, V4.S4")
	f.op("VTRN2 V1.S4, V0.S4, V5.S4")
	f.op("VTRN1 V3.S4, V2.S4, V6.S4")
	f.op("VTRN2 V3.S4, V2.S4, V7.S4")
	f.op("VTRN1 V6.D2, V4.D2, V0.D2")
	f.op("VTRN1 V7.D2, V5.D2, V1.D2")
	f.op("VTRN2 V6.D2, V4.D2, V2.D2")
	f.op("VTRN2 V7.D2, V5.D2, V3.D2")
	for i := range 4 {
		f.op("VST1 [V%d.S4], (R1)", i)
		f.op("ADD R2, R1, R1")
	}
	f.op("SUBS $1, R0, R0")
	f.op("BNE loop")
	f.op("RET")
}
