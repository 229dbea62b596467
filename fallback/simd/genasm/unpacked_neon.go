package main

// unpackedNEON writes the tiles of NEON that read the rows of a where they lie,
// and their Go side.
func unpackedNEON() {
	f := newFile()
	for _, rows := range neonRows {
		for vectors := 1; vectors <= neonPanel; vectors++ {
			f.unpackedNEONTile(rows, vectors)
		}
	}
	f.write("unpacked_arm64.s")
	writeUnpackedGo("unpacked_neon_arm64.go", "NEON", 4, neonPanel, neonRows)
}

// unpackedNEONTile writes a tile of rows × vectors registers. Four elements of a
// row are loaded at once. There are registers for those of four rows, so that
// eight rows take four steps of b in two halves. Registers: b in V0…, a from V3
// on, c from V8 on; each row of a has a pointer, from R6 on.
func (f *file) unpackedNEONTile(rows, vectors int) {
	const (
		unroll   = 4
		pointers = 6
		firstA   = 3
		firstC   = 8
	)
	names := f.unpackedHeader("NEON", rows, vectors)
	for i, register := range []string{"R0", "R1", "R6", "R3", "R4", "R2", "R5", "R19", "R20"} {
		f.op("MOVD %s+%d(FP), %s", names[i], 8*i, register)
	}
	f.op("SUB R1, R4, R4") // what lies between the end of a run and the next one
	for _, register := range []string{"R3", "R4", "R19"} {
		f.op("LSL $2, %s", register)
	}
	for i := 1; i < rows; i++ {
		f.op("ADD R3, R%d, R%d", pointers+i-1, pointers+i)
	}
	c := func(i int) string { return registerList(firstC+vectors*i, vectors) }
	// The tile begins as it is, or every row as row.
	f.op("MOVD R5, R21")
	f.op("MOVD R19, R22")
	f.op("CBZ R20, load")
	f.op("MOVD R20, R21")
	f.op("MOVD $0, R22")
	f.line("load:")
	for i := range rows {
		f.op("VLD1 (R21), %s", c(i))
		f.op("ADD R22, R21, R21")
	}
	step := func(steps int) {
		for from := 0; from < rows; from += unroll {
			group := min(unroll, rows-from)
			for i := range group {
				if steps == unroll {
					f.op("VLD1.P 16(R%d), [V%d.S4]", pointers+from+i, firstA+i)
				} else {
					f.op("FMOVS.P 4(R%d), F%d", pointers+from+i, firstA+i)
				}
			}
			for u := range steps {
				at := u * neonPanel * 16
				if vectors > 1 {
					f.op("FLDPQ %d(R2), (F0, F1)", at)
				}
				if vectors != 2 {
					f.op("FMOVQ %d(R2), F%d", at+16*(vectors-1), vectors-1)
				}
				for i := range group {
					for j := range vectors {
						f.fmlaByElement(firstC+vectors*(from+i)+j, j, firstA+i, u)
					}
				}
			}
		}
		f.op("ADD $%d, R2, R2", steps*neonPanel*16)
	}
	f.line("run:")
	f.op("LSR $2, R1, R23")
	f.op("CBZ R23, rest")
	f.line("loop:")
	step(unroll)
	f.op("SUBS $1, R23, R23")
	f.op("BNE loop")
	f.line("rest:")
	f.op("ANDS $3, R1, R23")
	f.op("BEQ next")
	f.line("one:")
	step(1)
	f.op("SUBS $1, R23, R23")
	f.op("BNE one")
	f.line("next:")
	for i := range rows {
		f.op("ADD R4, R%d, R%d", pointers+i, pointers+i)
	}
	f.op("SUBS $1, R0, R0")
	f.op("BNE run")
	for i := range rows {
		f.op("VST1 %s, (R5)", c(i))
		f.op("ADD R19, R5, R5")
	}
	f.op("RET")
}
