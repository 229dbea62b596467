package main

import (
	"fmt"
	"slices"
)

// x86Vectors writes vector kernels for AVX2 with FMA (letter Y) or AVX-512 (Z).
type x86Vectors struct {
	*file
	level, letter string
	width         int // of a register in bytes
	count         int // of registers
	columns       int // vectors of a tile of the matrix product
	constants     map[uint32]bool
}

func (v *x86Vectors) register(i int) string { return fmt.Sprintf("%s%d", v.letter, i) }

// constant is where a constant lies: it fills a register of AVX2, and AVX-512
// repeats the first element.
func (v *x86Vectors) constant(bits uint32) string {
	v.constants[bits] = true
	return fmt.Sprintf("·vector%08x<>(SB)", bits)
}

// data writes the constants.
func (v *x86Vectors) data(constants map[uint32]bool) {
	var list []uint32
	for c := range constants {
		list = append(list, c)
	}
	slices.Sort(list)
	for _, c := range list {
		v.line("")
		for at := 0; at < 32; at += 4 {
			v.line("DATA ·vector%08x<>+%d(SB)/4, $0x%08x", c, at, c)
		}
		v.line("GLOBL ·vector%08x<>(SB), RODATA|NOPTR, $32", c)
	}
}

// write writes one kernel.
func (v *x86Vectors) write(k *vectorKernel) {
	copies, exact := k.copies, k.copies == 0
	if exact {
		copies = v.columns
	}
	v.line("")
	v.line("// func %s(%s)", k.function(v.level), vectorArguments)
	v.line("TEXT ·%s(SB), NOSPLIT, $0-%d", k.function(v.level), vectorFrame)
	v.op("MOVQ n+0(FP), CX")
	if k.writes {
		v.op("MOVQ out+8(FP), DI")
	}
	v.op("MOVQ a+16(FP), SI")
	if k.inputs > 1 || k.lanes {
		v.op("MOVQ b+24(FP), DX")
	}
	if k.folds != "" {
		v.op("MOVQ sums+32(FP), R8")
	}
	next := v.count - 1
	fixed := func() int { next--; return next + 1 }
	var scalars, sums, lanes []int
	for i, name := range []string{"s", "t"}[:k.scalars] {
		scalars = append(scalars, fixed())
		v.op("VBROADCASTSS %s+%d(FP), %s", name, 40+4*i, v.register(scalars[i]))
	}
	if k.folds != "" {
		for c := range copies {
			sums = append(sums, fixed())
			switch {
			case exact || c == 0:
				v.op("VMOVUPS %d(R8), %s", c*v.width, v.register(sums[c]))
			case k.folds != "add":
				v.op("VMOVAPS %s, %s", v.register(sums[0]), v.register(sums[c]))
			default:
				zero := v.register(sums[c])
				v.op("%s %s, %s, %s", v.names()["xor"], zero, zero, zero)
			}
		}
	}
	if k.lanes {
		for c := range copies {
			lanes = append(lanes, fixed())
			v.op("VMOVUPS %d(DX), %s", c*v.width, v.register(lanes[c]))
		}
	}
	free := next + 1
	if copies > 1 {
		v.op("SUBQ $%d, CX", copies)
		v.op("JL rest")
		v.line("loop:")
		for c := range copies {
			v.body(k, c, free, scalars, sums, lanes)
		}
		v.advance(k, copies)
		v.op("SUBQ $%d, CX", copies)
		v.op("JGE loop")
		v.line("rest:")
		v.op("ADDQ $%d, CX", copies)
	}
	if !exact || copies == 1 {
		v.op("TESTQ CX, CX")
		v.op("JZ done")
		v.line("one:")
		v.body(k, 0, free, scalars, sums, lanes)
		v.advance(k, 1)
		v.op("DECQ CX")
		v.op("JNZ one")
		v.line("done:")
	}
	if !exact {
		for len(sums) > 1 {
			last := v.register(sums[len(sums)-1])
			sums = sums[:len(sums)-1]
			to := v.register(sums[len(sums)-1])
			v.op("%s %s, %s, %s", v.names()[k.folds], last, to, to)
		}
	}
	for c, s := range sums {
		v.op("VMOVUPS %s, %d(R8)", v.register(s), c*v.width)
	}
	v.op("VZEROUPPER")
	v.op("RET")
}

func (v *x86Vectors) advance(k *vectorKernel, vectors int) {
	if k.writes {
		v.op("ADDQ $%d, DI", vectors*v.width/4*k.makes.size())
	}
	v.op("ADDQ $%d, SI", vectors*v.width/4*k.reads.size())
	if k.inputs > 1 {
		v.op("ADDQ $%d, DX", vectors*v.width)
	}
}

// body writes copy c of the body, with free registers from 0 on.
func (v *x86Vectors) body(k *vectorKernel, c, free int, scalars, sums, lanes []int) {
	m, in, y := k.record()
	r := &registers{free: firstRegisters(free), of: map[int]int{}, m: m}
	load := func(x operand, pointer string) {
		r.of[x.id] = r.take()
		v.op("VMOVUPS %d(%s), %s", c*v.width, pointer, v.register(r.of[x.id]))
	}
	r.of[in.slices[0].id] = r.take()
	v.load(k.reads, fmt.Sprintf("%d(SI)", c*v.width/4*k.reads.size()), v.register(r.of[in.slices[0].id]))
	rest := in.slices[1:]
	if k.inputs > 1 {
		load(rest[0], "DX")
		rest = rest[1:]
	}
	if k.lanes {
		r.of[rest[0].id] = lanes[c]
		rest = rest[1:]
	}
	if k.adds {
		load(rest[0], "DI")
	}
	for i, s := range in.scalars {
		r.of[s.id] = scalars[i]
	}
	if k.folds != "" {
		r.of[in.sum.id], r.of[in.folded.id] = sums[c], sums[c]
	}
	r.last = m.lastUses()
	for i, instruction := range m.instructions {
		if instruction.op == "keep" {
			switch {
			case k.makes == float16:
				v.op("VCVTPS2PH $0, %s, %d(DI)", v.register(r.of[y.id]), c*v.width/2)
			case k.writes:
				v.op("VMOVUPS %s, %d(DI)", v.register(r.of[y.id]), c*v.width)
			}
			r.release(i, -1)
			continue
		}
		v.instruction(r, i, instruction)
	}
}

// load reads a vector of elements and makes them float32.
func (v *x86Vectors) load(t elementType, from, to string) {
	switch t {
	case float16:
		v.op("VCVTPH2PS %s, %s", from, to)
	case int8s, uint8s:
		v.op("%s %s, %s", map[elementType]string{int8s: "VPMOVSXBD", uint8s: "VPMOVZXBD"}[t], from, to)
		v.op("VCVTDQ2PS %s, %s", to, to)
	case int4sLower, int4sUpper:
		v.op("VPMOVSXBD %s, %s", from, to)
		shift := 4
		if t == int4sLower {
			shift = 28
			v.op("VPSLLD $28, %s, %s", to, to)
		}
		v.op("VPSRAD $%d, %s, %s", shift, to, to)
		v.op("VCVTDQ2PS %s, %s", to, to)
	default:
		v.op("VMOVUPS %s, %s", from, to)
	}
}

// names of the instructions of two operands.
func (v *x86Vectors) names() map[string]string {
	names := map[string]string{"add": "VADDPS", "sub": "VSUBPS", "mul": "VMULPS", "div": "VDIVPS", "max": "VMAXPS", "min": "VMINPS", "and": "VANDPS", "or": "VORPS", "xor": "VXORPS"}
	if v.letter == "Z" {
		names["and"], names["or"], names["xor"] = "VPANDD", "VPORD", "VPXORD"
	}
	return names
}

// instruction writes one instruction. Go's assembler has the operands of Intel's
// manuals in reverse.
func (v *x86Vectors) instruction(r *registers, i int, in instruction) {
	args := slices.Clone(in.args)
	reg := func(a operand) string { return v.register(r.of[a.id]) }
	// memory is an operand that may lie in memory; suffix goes behind the name.
	memory := func(a operand) (text, suffix string) {
		if !a.constant {
			return reg(a), ""
		}
		if v.letter == "Z" {
			return v.constant(r.m.constants[a.id]), ".BCST"
		}
		return v.constant(r.m.constants[a.id]), ""
	}
	// inRegister loads a constant into a register of its own.
	var borrowed []int
	inRegister := func(a operand) string {
		if !a.constant {
			return reg(a)
		}
		x := r.take()
		borrowed = append(borrowed, x)
		v.op("VBROADCASTSS %s, %s", v.constant(r.m.constants[a.id]), v.register(x))
		return v.register(x)
	}
	defer func() {
		for _, x := range borrowed {
			r.give(x)
		}
	}()
	// result is the register of the value; it may be one that dies here.
	result := func() string {
		if to, ok := r.of[in.to]; ok {
			r.release(i, to)
			return v.register(to)
		}
		r.release(i, -1)
		r.of[in.to] = r.take()
		return reg(operand{id: in.to})
	}
	three := func(name string) {
		b, suffix := memory(args[1])
		a := inRegister(args[0])
		v.op("%s%s %s, %s, %s", name, suffix, b, a, result())
	}
	names := v.names()
	switch in.op {
	case "add", "mul", "and", "or", "xor":
		if args[0].constant {
			args[0], args[1] = args[1], args[0]
		}
		three(names[in.op])
	case "sub", "div", "max", "min":
		three(names[in.op])
	case "sqrt":
		a, suffix := memory(args[0])
		v.op("VSQRTPS%s %s, %s", suffix, a, result())
	case "toReal":
		a := inRegister(args[0])
		v.op("VCVTDQ2PS %s, %s", a, result())
	case "even", "floor", "ceil":
		name := "VROUNDPS"
		if v.letter == "Z" {
			name = "VRNDSCALEPS"
		}
		a := inRegister(args[0])
		v.op("%s $%d, %s, %s", name, map[string]int{"even": 8, "floor": 9, "ceil": 10}[in.op], a, result())
	case "fma":
		v.fused(r, i, in, "VFMADD", memory, inRegister)
	case "fnma":
		v.fused(r, i, in, "VFNMADD", memory, inRegister)
	case "less":
		y, suffix := memory(args[1])
		x := inRegister(args[0])
		yes, no := inRegister(args[2]), inRegister(args[3])
		if v.letter == "Z" {
			v.op("VCMPPS%s $1, %s, %s, K1", suffix, y, x)
			v.op("VBLENDMPS %s, %s, K1, %s", yes, no, result())
			return
		}
		mask := r.take()
		v.op("VCMPPS $1, %s, %s, %s", y, x, v.register(mask))
		r.give(mask)
		v.op("VBLENDVPS %s, %s, %s, %s", v.register(mask), yes, no, result())
	case "scale":
		x, n := inRegister(args[0]), inRegister(args[1])
		if v.letter == "Z" {
			v.op("VSCALEFPS %s, %s, %s", n, x, result())
			return
		}
		// n in two halves: 2ⁿ alone may be no normal number.
		whole, half, product := r.take(), r.take(), r.take()
		bias, _ := memory(r.m.bits(127))
		v.op("VCVTPS2DQ %s, %s", n, v.register(whole))
		v.op("VPSRAD $1, %s, %s", v.register(whole), v.register(half))
		v.op("VPSUBD %s, %s, %s", v.register(half), v.register(whole), v.register(whole))
		for _, part := range []int{whole, half} {
			v.op("VPADDD %s, %s, %s", bias, v.register(part), v.register(part))
			v.op("VPSLLD $23, %s, %s", v.register(part), v.register(part))
		}
		v.op("VMULPS %s, %s, %s", v.register(half), x, v.register(product))
		r.give(half)
		r.give(product)
		r.give(whole)
		v.op("VMULPS %s, %s, %s", v.register(whole), v.register(product), result())
	default:
		panic("no instruction " + in.op)
	}
}

// fused writes ±a·b + c. One of the three registers is overwritten: 231 that of
// c, 213 that of a.
func (v *x86Vectors) fused(r *registers, i int, in instruction, name string, memory func(operand) (string, string), inRegister func(operand) string) {
	a, b, c := in.args[0], in.args[1], in.args[2]
	if a.constant || !b.constant && r.dies(b, i) && !r.dies(a, i) {
		a, b = b, a
	}
	reg := func(x operand) string { return v.register(r.of[x.id]) }
	destination, chosen := r.of[in.to]
	switch {
	case !chosen && !c.constant && r.dies(c, i) && c.id != a.id && c.id != b.id:
		m, suffix := memory(b)
		v.op("%s231PS%s %s, %s, %s", name, suffix, m, inRegister(a), reg(c))
		r.of[in.to] = r.of[c.id]
		r.release(i, r.of[c.id])
	case !chosen && !a.constant && r.dies(a, i) && a.id != c.id && a.id != b.id:
		m, suffix := memory(c)
		v.op("%s213PS%s %s, %s, %s", name, suffix, m, inRegister(b), reg(a))
		r.of[in.to] = r.of[a.id]
		r.release(i, r.of[a.id])
	default:
		if !chosen {
			destination = r.take()
			r.of[in.to] = destination
		}
		m, suffix := memory(b)
		if c.constant {
			v.op("VBROADCASTSS %s, %s", v.constant(r.m.constants[c.id]), v.register(destination))
		} else {
			v.op("VMOVAPS %s, %s", reg(c), v.register(destination))
		}
		v.op("%s231PS%s %s, %s, %s", name, suffix, m, inRegister(a), v.register(destination))
		r.release(i, destination)
	}
}

// features writes the question to the processor that package cpu does not ask:
// what CPUID's leaf 1 has in ECX.
func (f *file) features() {
	f.line("")
	f.line("// func features() uint32")
	f.line("TEXT ·features(SB), NOSPLIT, $0-4")
	f.op("MOVL $1, AX")
	f.op("XORL CX, CX")
	f.op("CPUID")
	f.op("MOVL CX, ret+0(FP)")
	f.op("RET")
}
