package main

import "fmt"

// Go's assembler lacks the instructions on tiles (AMX); they are bytes, by Intel's
// manual. Addresses are a base register, with a stride in another; the numbers of
// the registers are those of the manual.
const (
	amxBX, amxCX          = 3, 1
	amxDX, amxSI, amxDI   = 2, 6, 7
	amxLoad, amxStore     = 0x7B, 0x7A // the prefix of TILELOADD and TILESTORED
	amxRows, amxTileBytes = 16, 1024
)

func (f *file) bytes(code []int, format string, args ...any) {
	text := ""
	for i, b := range code {
		if i > 0 {
			text += "; "
		}
		text += fmt.Sprintf("BYTE $0x%02x", b)
	}
	f.op("%s // %s", text, fmt.Sprintf(format, args...))
}

var amxNames = map[int]string{amxBX: "rbx", amxCX: "rcx", amxDX: "rdx", amxSI: "rsi", amxDI: "rdi"}

// moveTile loads or stores a tile whose rows are stride apart.
func (f *file) moveTile(prefix, tile, base, stride, at int) {
	code := []int{0xC4, 0xE2, prefix, 0x4B, 0x84 | tile<<3, stride<<3 | base}
	for i := range 4 {
		code = append(code, at>>(8*i)&0xFF)
	}
	if prefix == amxLoad {
		f.bytes(code, "tileloadd tmm%d, [%s+%s*1+%#x]", tile, amxNames[base], amxNames[stride], at)
	} else {
		f.bytes(code, "tilestored [%s+%s*1+%#x], tmm%d", amxNames[base], amxNames[stride], at, tile)
	}
}

// dotTiles adds the products of the signed bytes of tiles a and b to c.
func (f *file) dotTiles(c, a, b int) {
	f.bytes([]int{0xC4, 0xE2, 0x03 | (^b&15)<<3, 0x5E, 0xC0 | c<<3 | a}, "tdpbssd tmm%d, tmm%d, tmm%d", c, a, b)
}

// amxTile writes a tile of rows × 32 sums: those of 16 × 16 in tiles 0…3, two of a
// in 4 and 5, of b in 6 and 7.
func (f *file) amxTile(rows int) {
	f.function(fmt.Sprintf("integerAMX%d", rows), "groups int, a, b *byte, sums *int32, more int", 5)
	f.op("MOVQ groups+0(FP), AX")
	f.op("MOVQ a+8(FP), SI")
	f.op("MOVQ b+16(FP), DI")
	f.op("MOVQ sums+24(FP), DX")
	f.op("MOVQ more+32(FP), R8")
	f.op("LEAQ ·tileConfiguration(SB), R9")
	f.bytes([]int{0xC4, 0xC2, 0x78, 0x49, 0x01}, "ldtilecfg [r9]")
	f.op("MOVQ $64, BX")
	f.op("MOVQ $128, CX")
	tall := rows / amxRows
	sums := func(prefix int) {
		for i := range tall {
			for j := range 2 {
				f.moveTile(prefix, 2*i+j, amxDX, amxCX, i*16*128+j*64)
			}
		}
	}
	f.op("TESTQ R8, R8")
	f.op("JNZ more")
	for i := range 2 * tall {
		f.bytes([]int{0xC4, 0xE2, 0x7B, 0x49, 0xC0 | i<<3}, "tilezero tmm%d", i)
	}
	f.op("JMP loop")
	f.line("more:")
	sums(amxLoad)
	f.line("loop:")
	for j := range 2 {
		f.moveTile(amxLoad, 6+j, amxDI, amxBX, j*amxTileBytes)
	}
	for i := range tall {
		f.moveTile(amxLoad, 4+i, amxSI, amxBX, i*amxTileBytes)
		for j := range 2 {
			f.dotTiles(2*i+j, 4+i, 6+j)
		}
	}
	f.op("ADDQ $%d, SI", tall*amxTileBytes)
	f.op("ADDQ $%d, DI", 2*amxTileBytes)
	f.op("DECQ AX")
	f.op("JNZ loop")
	sums(amxStore)
	f.bytes([]int{0xC4, 0xE2, 0x78, 0x49, 0xC0}, "tilerelease")
	f.op("RET")
}

// amx writes what is for tiles; all of them are 16 rows of 64 bytes.
func (f *file) amx() {
	f.line("")
	// Palette 1; from byte 16 on the bytes a row, from 48 on the rows of tiles 0…7.
	for i, word := range []uint64{1, 0, 0x0040004000400040, 0x0040004000400040, 0, 0, 0x1010101010101010, 0} {
		f.line("DATA ·tileConfiguration+%d(SB)/8, $%#x", 8*i, word)
	}
	f.line("GLOBL ·tileConfiguration(SB), RODATA|NOPTR, $64")
	f.amxTile(32)
	f.amxTile(16)
}
