package main

import (
	"slices"
	"strings"
	"testing"
)

const disassembly = `
program:	file format elf64-littleaarch64

Disassembly of section .text:

0000000000010000 <runtime.other.abi0>:
   10000:      	b	0x10000 <runtime.other.abi0>

0000000000011000 <nanoflux/fallback/simd.vectorAddNEON.abi0>:
   11000:      	ldr	x0, [sp, #0x8]
   11004:      	mov	x3, x1
   11008:      	ldp	q0, q1, [x2]
   1100c:      	b.lt	0x11010 <nanoflux/fallback/simd.vectorAddNEON.abi0+0x10>
   11010:      	fadd	v0.4s, v0.4s, v1.4s
   11014:      	st1	{ v0.4s }, [x1], #16
   11018:      	b.ge	0x11008 <nanoflux/fallback/simd.vectorAddNEON.abi0+0x8>
   1101c:      	str	q0, [x1]
   11020:      	cbnz	x0, 0x1101c <nanoflux/fallback/simd.vectorAddNEON.abi0+0x1c>
   11024:      	b	0x11004 <nanoflux/fallback/simd.vectorAddNEON.abi0+0x4>
   11028:      	ret

0000000000012000 <nanoflux/fallback/simd.inGo>:
   12000:      	b	0x12000 <nanoflux/fallback/simd.inGo>

0000000000013000 <nanoflux/fallback/simd.straight.abi0>:
   13000:      	ret
`

func TestTheLongestInnerLoopOfEachAssemblyFunctionIsFound(t *testing.T) {
	loops := loopsIn(disassembly)
	if len(loops) != 1 || loops[0].function != "vectorAddNEON" {
		t.Fatalf("loops %v", loops)
	}
	l := loops[0]
	if len(l.instructions) != 5 || !strings.HasPrefix(l.instructions[0], "ldp ") || !strings.HasPrefix(l.instructions[4], "b.ge ") {
		t.Errorf("instructions %q", l.instructions)
	}
	want := []string{"loop:", "ldp q0, q1, [x2]", "b.lt loop", "fadd v0.4s, v0.4s, v1.4s", "st1 { v0.4s }, [x1], #16", "b.ge loop", ""}
	if got := strings.Split(l.source(), "\n"); !slices.Equal(got, want) {
		t.Errorf("source %q, want %q", got, want)
	}
	if s, r := stored(l), loaded(l); s != 4 || r != 8 {
		t.Errorf("%d elements stored and %d loaded, want 4 and 8", s, r)
	}
	if n := l.count("fadd", "st1"); n != 2 {
		t.Errorf("%d of the instructions, want 2", n)
	}
}

func TestTheSummaryGivesCyclesAndTheirBound(t *testing.T) {
	got, err := parse("Iterations:        1000\nInstructions:      5000\nTotal Cycles:      2503\n\nDispatch Width:    2\nBlock RThroughput: 2.0\n")
	if err != nil || got != (cost{2.503, 2}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := parse("error: no such processor"); err == nil {
		t.Error("an error message is no summary")
	}
}
