package main

import (
	"fmt"
	"strings"
)

// neonVectors writes vector kernels for NEON: four elements a register. Go's
// assembler lacks most of the instructions, which stand as words (Arm
// Architecture Reference Manual, C7.2; a test compares them with GNU's
// assembler).
type neonVectors struct {
	*file
	columns int // vectors of a tile of the matrix product
}

// neonWords are instructions on four float32 or 32-bit lanes; operands are
// Vd | Vn<<5 | Vm<<16.
var neonWords = map[string]struct {
	word     uint32
	assembly string
}{
	"add":       {0x4E20D400, "FADD V%d.4S, V%d.4S, V%d.4S"},
	"sub":       {0x4EA0D400, "FSUB V%d.4S, V%d.4S, V%d.4S"},
	"mul":       {0x6E20DC00, "FMUL V%d.4S, V%d.4S, V%d.4S"},
	"div":       {0x6E20FC00, "FDIV V%d.4S, V%d.4S, V%d.4S"},
	"max":       {0x4E20F400, "FMAX V%d.4S, V%d.4S, V%d.4S"},
	"min":       {0x4EA0F400, "FMIN V%d.4S, V%d.4S, V%d.4S"},
	"fma":       {0x4E20CC00, "FMLA V%d.4S, V%d.4S, V%d.4S"},
	"fnma":      {0x4EA0CC00, "FMLS V%d.4S, V%d.4S, V%d.4S"},
	"and":       {0x4E201C00, "AND V%d.16B, V%d.16B, V%d.16B"},
	"or":        {0x4EA01C00, "ORR V%d.16B, V%d.16B, V%d.16B"},
	"xor":       {0x6E201C00, "EOR V%d.16B, V%d.16B, V%d.16B"},
	"above":     {0x6EA0E400, "FCMGT V%d.4S, V%d.4S, V%d.4S"},
	"select":    {0x6E601C00, "BSL V%d.16B, V%d.16B, V%d.16B"},
	"addInt":    {0x4EA08400, "ADD V%d.4S, V%d.4S, V%d.4S"},
	"subInt":    {0x6EA08400, "SUB V%d.4S, V%d.4S, V%d.4S"},
	"sqrt":      {0x6EA1F800, "FSQRT V%d.4S, V%d.4S"},
	"toInt":     {0x4E21A800, "FCVTNS V%d.4S, V%d.4S"},
	"halve":     {0x4F3F0400, "SSHR V%d.4S, V%d.4S, #1"},
	"even":      {0x4E218800, "FRINTN V%d.4S, V%d.4S"},
	"floor":     {0x4E219800, "FRINTM V%d.4S, V%d.4S"},
	"ceil":      {0x4EA18800, "FRINTP V%d.4S, V%d.4S"},
	"toReal":    {0x4E21D800, "SCVTF V%d.4S, V%d.4S"},
	"widen":     {0x0E217800, "FCVTL V%d.4S, V%d.4H"},
	"narrow":    {0x0E216800, "FCVTN V%d.4H, V%d.4S"},
	"int8to16":  {0x0F08A400, "SXTL V%d.8H, V%d.8B"},
	"int8to32":  {0x0F10A400, "SXTL V%d.4S, V%d.4H"},
	"uint8to16": {0x2F08A400, "UXTL V%d.8H, V%d.8B"},
	"uint8to32": {0x2F10A400, "UXTL V%d.4S, V%d.4H"},
	"shl28":     {0x4F3C5400, "SHL V%d.4S, V%d.4S, #28"},
	"sshr28":    {0x4F240400, "SSHR V%d.4S, V%d.4S, #28"},
	"sshr4":     {0x4F3C0400, "SSHR V%d.4S, V%d.4S, #4"},
	"shl23":     {0x4F375400, "SHL V%d.4S, V%d.4S, #23"},
}

// word writes an instruction of neonWords.
func (f *file) word(name string, d, n, m int) {
	w := neonWords[name]
	arguments := []any{d, n, m}[:strings.Count(w.assembly, "%d")]
	f.op("WORD $0x%08x // %s", w.word|uint32(m)<<16|uint32(n)<<5|uint32(d), fmt.Sprintf(w.assembly, arguments...))
}

// mostCopies is how many copies of a body are tried: with so many, a result is
// there when its turn to be read comes, on processors that run instructions in
// their order.
const mostCopies = 4

// write writes one kernel, with as many copies as there are registers for.
func (v *neonVectors) write(k *vectorKernel) {
	if k.copies == 0 {
		v.copies(k, v.columns)
		return
	}
	for copies := mostCopies; !v.fits(k, copies); copies-- {
	}
}

// fits writes the kernel with so many copies if there are registers enough.
func (v *neonVectors) fits(k *vectorKernel, copies int) (ok bool) {
	defer func() {
		if r := recover(); r != nil && r != noRegister {
			panic(r)
		}
	}()
	part := neonVectors{&file{}, v.columns}
	part.copies(k, copies)
	v.Write(part.Bytes())
	return true
}

// copies writes one kernel with so many copies of its body in the loop.
func (v *neonVectors) copies(k *vectorKernel, copies int) {
	exact := k.copies == 0
	v.line("")
	v.line("// func %s(%s)", k.function("NEON"), vectorArguments)
	v.line("TEXT ·%s(SB), NOSPLIT, $0-%d", k.function("NEON"), vectorFrame)
	v.op("MOVD n+0(FP), R0")
	if k.writes {
		v.op("MOVD out+8(FP), R1")
	}
	v.op("MOVD a+16(FP), R2")
	if k.inputs > 1 || k.lanes {
		v.op("MOVD b+24(FP), R3")
	}
	if k.folds != "" {
		v.op("MOVD sums+32(FP), R4")
	}
	next := 31
	fixed := func() int {
		if next < 0 {
			panic(noRegister)
		}
		next--
		return next + 1
	}
	var scalars, sums, lanes []int
	for i, name := range []string{"s", "t"}[:k.scalars] {
		x := fixed()
		scalars = append(scalars, x)
		v.op("FMOVS %s+%d(FP), F%d", name, 40+4*i, x)
		v.op("VDUP V%d.S[0], V%d.S4", x, x)
	}
	if k.folds != "" {
		v.op("MOVD R4, R6")
		for c := range copies {
			x := fixed()
			sums = append(sums, x)
			switch {
			case exact || c == 0:
				v.op("VLD1.P 16(R6), [V%d.S4]", x)
			case k.folds != "add":
				v.op("VORR V%d.B16, V%d.B16, V%d.B16", sums[0], sums[0], x)
			default:
				v.op("VEOR V%d.B16, V%d.B16, V%d.B16", x, x, x)
			}
		}
	}
	if k.lanes {
		for range copies {
			x := fixed()
			lanes = append(lanes, x)
			v.op("VLD1.P 16(R3), [V%d.S4]", x)
		}
	}
	m, _, _ := k.record()
	m.lowered()
	constants := v.constants(m, fixed)
	free := next + 1
	if copies > 1 {
		v.op("SUBS $%d, R0, R0", copies)
		v.op("BLT rest")
		v.line("loop:")
		v.bodies(k, copies, free, scalars, sums, lanes, constants)
		v.op("SUBS $%d, R0, R0", copies)
		v.op("BGE loop")
		v.line("rest:")
		v.op("ADD $%d, R0, R0", copies)
	}
	if !exact || copies == 1 {
		v.op("CBZ R0, done")
		v.line("one:")
		v.bodies(k, 1, free, scalars, sums, lanes, constants)
		v.op("SUBS $1, R0, R0")
		v.op("BNE one")
		v.line("done:")
	}
	for !exact && len(sums) > 1 {
		last := len(sums) - 1
		v.word(k.folds, sums[last-1], sums[last-1], sums[last])
		sums = sums[:last]
	}
	for _, s := range sums {
		v.op("VST1.P [V%d.S4], 16(R4)", s)
	}
	v.op("RET")
}

// neonConstant is where a constant lies: in a register, or in one lane of it.
type neonConstant struct{ register, lane int }

// constants loads the constants of a body. Those that are only copied need one
// lane each.
func (v *neonVectors) constants(m *machine, fixed func() int) map[uint32]neonConstant {
	whole := map[uint32]bool{}
	for _, in := range m.instructions {
		for _, a := range in.args {
			if a.constant && in.op != "copy" {
				whole[m.constants[a.id]] = true
			}
		}
	}
	places := map[uint32]neonConstant{}
	shared := 0 // constants in lanes
	var register int
	for _, c := range m.constants {
		v.op("MOVD $0x%08x, R6", c)
		if whole[c] {
			x := fixed()
			places[c] = neonConstant{x, -1}
			v.op("VDUP R6, V%d.S4", x)
			continue
		}
		if shared%4 == 0 {
			register = fixed()
		}
		places[c] = neonConstant{register, shared % 4}
		v.op("VMOV R6, V%d.S[%d]", register, shared%4)
		shared++
	}
	return places
}

// bodies writes copies of the body, with free registers from 0 on, instruction by
// instruction: processors that run instructions in their order find something
// to do while a result is on its way.
func (v *neonVectors) bodies(k *vectorKernel, copies, free int, scalars, sums, lanes []int, constants map[uint32]neonConstant) {
	all := make([]*registers, copies)
	shared := firstRegisters(free)
	m, in, y := k.record()
	m.lowered()
	for c := range all {
		r := &registers{free: shared, of: map[int]int{}, m: m, last: m.lastUses()}
		all[c] = r
		for i, s := range in.scalars {
			r.of[s.id] = scalars[i]
		}
		if k.folds != "" {
			r.of[in.sum.id], r.of[in.folded.id] = sums[c], sums[c]
		}
	}
	v.load(all, in.slices[0], "R2", k.reads)
	rest := in.slices[1:]
	if k.inputs > 1 {
		v.load(all, rest[0], "R3", "")
		rest = rest[1:]
	}
	if k.lanes {
		for c, r := range all {
			r.of[rest[0].id] = lanes[c]
		}
		rest = rest[1:]
	}
	if k.adds {
		v.load(all, rest[0], "R1", "")
	}
	for i, instruction := range m.instructions {
		if instruction.op == "keep" && k.writes {
			v.store(all, y, k.makes)
		}
		for _, r := range all {
			if instruction.op == "keep" {
				r.release(i, -1)
				continue
			}
			v.instruction(r, i, instruction, constants)
		}
	}
	v.op("ADD $%d, R2, R2", copies*4*k.reads.size())
	if k.inputs > 1 {
		v.op("ADD $%d, R3, R3", copies*16)
	}
	if k.writes {
		v.op("ADD $%d, R1, R1", copies*4*k.makes.size())
	}
}

// load reads a vector of elements for each copy and makes them float32.
func (v *neonVectors) load(all []*registers, x operand, pointer string, t elementType) {
	for _, r := range all {
		r.of[x.id] = r.take()
	}
	move, size := "FMOVQ", 16
	switch t {
	case float16:
		move, size = "FMOVD", 8
	case int8s, uint8s, int4sLower, int4sUpper:
		move, size = "FMOVS", 4
	}
	c := 0
	for ; t == "" && c+1 < len(all); c += 2 {
		v.op("FLDPQ %d(%s), (F%d, F%d)", c*size, pointer, all[c].of[x.id], all[c+1].of[x.id])
	}
	for ; c < len(all); c++ {
		v.op("%s %d(%s), F%d", move, c*size, pointer, all[c].of[x.id])
	}
	var steps []string
	switch t {
	case float16:
		steps = []string{"widen"}
	case int8s, uint8s:
		steps = []string{string(t) + "to16", string(t) + "to32", "toReal"}
	case int4sLower:
		steps = []string{"int8to16", "int8to32", "shl28", "sshr28", "toReal"}
	case int4sUpper:
		steps = []string{"int8to16", "int8to32", "sshr4", "toReal"}
	}
	for _, step := range steps {
		for _, r := range all {
			v.word(step, r.of[x.id], r.of[x.id], 0)
		}
	}
}

// store writes the results of all copies.
func (v *neonVectors) store(all []*registers, y operand, t elementType) {
	if t == float16 {
		for c, r := range all {
			half := r.take()
			v.word("narrow", half, r.of[y.id], 0)
			v.op("FMOVD F%d, %d(R1)", half, 8*c)
			r.give(half)
		}
		return
	}
	c := 0
	for ; c+1 < len(all); c += 2 {
		v.op("FSTPQ (F%d, F%d), %d(R1)", all[c].of[y.id], all[c+1].of[y.id], 16*c)
	}
	for ; c < len(all); c++ {
		v.op("FMOVQ F%d, %d(R1)", all[c].of[y.id], 16*c)
	}
}

func (v *neonVectors) instruction(r *registers, i int, in instruction, constants map[uint32]neonConstant) {
	reg := func(a operand) int {
		if a.constant {
			return constants[r.m.constants[a.id]].register
		}
		return r.of[a.id]
	}
	result := func() int {
		if to, ok := r.of[in.to]; ok {
			r.release(i, to)
			return to
		}
		r.release(i, -1)
		r.of[in.to] = r.take()
		return r.of[in.to]
	}
	switch in.op {
	case "copy":
		a := in.args[0]
		to := result()
		if a.constant {
			if at := constants[r.m.constants[a.id]]; at.lane >= 0 {
				v.op("VDUP V%d.S[%d], V%d.S4", at.register, at.lane, to)
				return
			}
		}
		v.op("VORR V%d.B16, V%d.B16, V%d.B16", reg(a), reg(a), to)
	case "fma", "fnma", "select": // overwrites its last operand
		a, b, c := in.args[0], in.args[1], in.args[2]
		r.of[in.to] = r.of[c.id]
		v.word(in.op, r.of[c.id], reg(a), reg(b))
		r.release(i, r.of[c.id])
	default:
		a, b := reg(in.args[0]), 0
		if len(in.args) > 1 {
			b = reg(in.args[1])
		}
		v.word(in.op, result(), a, b)
	}
}
