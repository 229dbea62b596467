package main

import "fmt"

// unpackedX86 writes the tiles that read the rows of a where they lie, and their
// Go side.
func unpackedX86() {
	f := newFile()
	for _, l := range []struct {
		level, letter string
		width         int
		rows          []int
	}{{"AVX2", "Y", 32, avx2Rows}, {"AVX512", "Z", 64, avx512Rows}} {
		for _, rows := range l.rows {
			for vectors := 1; vectors <= x86Panel; vectors++ {
				f.unpackedTile(l.level, rows, vectors, l.letter, l.width)
			}
		}
		writeUnpackedGo(fmt.Sprintf("unpacked_%s_amd64.go", lowerAll(l.level)), l.level, l.width/4, x86Panel, l.rows)
	}
	f.write("unpacked_amd64.s")
}

// unpackedHeader begins a tile and returns the names of its arguments.
func (f *file) unpackedHeader(level string, rows, vectors int) []string {
	name := fmt.Sprintf("unpacked%s%dx%d", level, rows, vectors)
	f.line("")
	f.line("// func %s(%s)", name, unpackedArguments)
	f.line("TEXT ·%s(SB), NOSPLIT, $0-72", name)
	return []string{"count", "length", "a", "step", "apart", "b", "c", "stride", "row"}
}

// unpackedTile writes a tile of rows × vectors registers. Rows of a are step
// apart: three pointers, each with one to three steps, reach twelve. Registers as
// in x86Tile.
func (f *file) unpackedTile(level string, rows, vectors int, letter string, width int) {
	names := f.unpackedHeader(level, rows, vectors)
	for i, register := range []string{"CX", "R8", "SI", "R9", "R13", "DI", "DX", "BX", "R15"} {
		f.op("MOVQ %s+%d(FP), %s", names[i], 8*i, register)
	}
	f.op("SUBQ R8, R13") // what lies between the end of a run and the next one
	for _, register := range []string{"R9", "R13", "BX"} {
		f.op("SHLQ $2, %s", register)
	}
	f.op("LEAQ (R9)(R9*2), R10")
	pointers := []string{"SI"}
	if rows > 4 {
		f.op("LEAQ (SI)(R9*4), R11")
		pointers = append(pointers, "R11")
	}
	if rows > 8 {
		f.op("LEAQ (R11)(R9*4), R12")
		pointers = append(pointers, "R12")
	}
	c := func(i, j int) string { return fmt.Sprintf("%s%d", letter, i*vectors+j) }
	b := func(j int) string { return fmt.Sprintf("%s%d", letter, rows*vectors+j) }
	firstA := rows*vectors + vectors
	free := 16 - firstA
	if letter == "Z" {
		free = 32 - firstA
	}
	f.op("TESTQ R15, R15")
	f.op("JZ load")
	for i := range rows {
		for j := range vectors {
			if i > 0 {
				f.op("VMOVAPS %s, %s", c(0, j), c(i, j))
			} else {
				f.op("VMOVUPS %d(R15), %s", j*width, c(i, j))
			}
		}
	}
	f.op("JMP run")
	f.line("load:")
	f.op("MOVQ DX, R15")
	for i := range rows {
		for j := range vectors {
			f.op("VMOVUPS %d(R15), %s", j*width, c(i, j))
		}
		f.op("ADDQ BX, R15")
	}
	step := func(u int) {
		for j := range vectors {
			f.op("VMOVUPS %d(DI), %s", (u*x86Panel+j)*width, b(j))
		}
		for i := range rows {
			a := fmt.Sprintf("%s%d", letter, firstA+i%free)
			at := pointers[i/4] + []string{")", ")(R9*1)", ")(R9*2)", ")(R10*1)"}[i%4]
			f.op("VBROADCASTSS %d(%s, %s", 4*u, at, a)
			for j := range vectors {
				f.op("VFMADD231PS %s, %s, %s", a, b(j), c(i, j))
			}
		}
	}
	advance := func(by string) {
		for _, p := range pointers {
			f.op("ADDQ %s, %s", by, p)
		}
	}
	const unroll = 4
	f.line("run:")
	f.op("MOVQ R8, AX")
	f.op("SHRQ $2, AX")
	f.op("JZ rest")
	f.line("loop:")
	for u := range unroll {
		step(u)
	}
	f.op("ADDQ $%d, DI", unroll*x86Panel*width)
	advance(fmt.Sprintf("$%d", 4*unroll))
	f.op("DECQ AX")
	f.op("JNZ loop")
	f.line("rest:")
	f.op("MOVQ R8, AX")
	f.op("ANDQ $3, AX")
	f.op("JZ next")
	f.line("one:")
	step(0)
	f.op("ADDQ $%d, DI", x86Panel*width)
	advance("$4")
	f.op("DECQ AX")
	f.op("JNZ one")
	f.line("next:")
	advance("R13")
	f.op("DECQ CX")
	f.op("JNZ run")
	for i := range rows {
		for j := range vectors {
			f.op("VMOVUPS %s, %d(DX)", c(i, j), j*width)
		}
		f.op("ADDQ BX, DX")
	}
	f.op("VZEROUPPER")
	f.op("RET")
}
