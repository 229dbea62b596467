package main

import (
	"fmt"
	"math"
	"slices"
)

// vectorKernel describes a loop over float32 slices once, for all processors. It
// is a function
//
//	vector<Name><Level>(n int, out, a, b, sums *float32, s, t float32)
//
// that goes through n vectors of its slices. What it leaves out of this is nil
// or 0.
type vectorKernel struct {
	name string
	// inputs is how many of a and b are read along the loop; scalars how many of
	// s and t there are.
	inputs, scalars int
	// reads is the type of a's elements, which become float32, and makes that of
	// out's; empty for float32.
	reads, makes elementType
	// lanes: b is one vector for each copy of the body, the same for all n.
	lanes bool
	// writes: the result goes to out; adds: what is there is the body's last
	// input.
	writes, adds bool
	// folds, not empty, is how the result goes into sums ("add" or "max"), a
	// vector that is read at the beginning and written at the end.
	folds string
	// copies of the body follow one another in the loop, so that they can run at
	// the same time, each with its own sum; n that is left over is done one by
	// one. Zero: as many as the tile of the matrix product has vectors of
	// columns; sums is as many vectors then, and n a multiple of it.
	copies int
	body   func(m *machine, in []operand, scalars []operand) operand
}

// elementType is a type of elements in memory that is not float32.
type elementType string

const (
	float16 elementType = "float16"
	int8s   elementType = "int8"
	uint8s  elementType = "uint8"
	// The lower or the upper half of a byte is a signed integer.
	int4sLower elementType = "lower int4"
	int4sUpper elementType = "upper int4"
)

// size is that of an element in bytes.
func (t elementType) size() int {
	switch t {
	case float16:
		return 2
	case int8s, uint8s, int4sLower, int4sUpper:
		return 1
	}
	return 4
}

// InGo is the type in Go.
func (t elementType) InGo() string {
	switch t {
	case float16:
		return "uint16"
	case "":
		return "float32"
	case int4sLower, int4sUpper:
		return "int8"
	}
	return string(t)
}

// operand is a value of a kernel's body: computed by an instruction, or a
// constant, or made before the loop.
type operand struct {
	id       int
	constant bool
}

// instruction computes one value.
type instruction struct {
	op   string
	to   int
	args []operand
}

// machine records the body of a kernel as instructions on as many values as it
// likes; a processor's writer finds registers for them.
type machine struct {
	values       int
	instructions []instruction
	// constants by their bits, in order of first use.
	constants []uint32
	// pinned values keep their register throughout.
	pinned map[int]bool
}

func newMachine() *machine { return &machine{pinned: map[int]bool{}} }

func (m *machine) value() operand {
	m.values++
	return operand{id: m.values - 1}
}

// outside is a value that is made before the loop.
func (m *machine) outside() operand {
	v := m.value()
	m.pinned[v.id] = true
	return v
}

func (m *machine) do(op string, args ...operand) operand {
	to := m.value()
	m.instructions = append(m.instructions, instruction{op, to.id, args})
	return to
}

// number is a float32 constant, bits one given by its bits.
func (m *machine) number(x float64) operand { return m.bits(math.Float32bits(float32(x))) }

func (m *machine) bits(x uint32) operand {
	i := slices.Index(m.constants, x)
	if i < 0 {
		i = len(m.constants)
		m.constants = append(m.constants, x)
	}
	return operand{id: i, constant: true}
}

func (m *machine) add(a, b operand) operand { return m.do("add", a, b) }
func (m *machine) sub(a, b operand) operand { return m.do("sub", a, b) }
func (m *machine) mul(a, b operand) operand { return m.do("mul", a, b) }
func (m *machine) div(a, b operand) operand { return m.do("div", a, b) }
func (m *machine) sqrt(a operand) operand   { return m.do("sqrt", a) }

// max and min are NaN when b is; when only a is, that is left to the processor.
func (m *machine) max(a, b operand) operand { return m.do("max", a, b) }
func (m *machine) min(a, b operand) operand { return m.do("min", a, b) }

// fma is a·b + c, fnma is c − a·b, each rounded once.
func (m *machine) fma(a, b, c operand) operand  { return m.do("fma", a, b, c) }
func (m *machine) fnma(a, b, c operand) operand { return m.do("fnma", a, b, c) }

// floor, ceil and even round to a whole number: down, up, to the nearest with
// halves to the even one.
func (m *machine) floor(a operand) operand { return m.do("floor", a) }
func (m *machine) ceil(a operand) operand  { return m.do("ceil", a) }
func (m *machine) even(a operand) operand  { return m.do("even", a) }

// real is the whole number that the bits of a are.
func (m *machine) real(a operand) operand { return m.do("toReal", a) }

// Bit by bit.
func (m *machine) and(a, b operand) operand { return m.do("and", a, b) }
func (m *machine) or(a, b operand) operand  { return m.do("or", a, b) }
func (m *machine) xor(a, b operand) operand { return m.do("xor", a, b) }

// less is yes where x < y, else no.
func (m *machine) less(x, y, yes, no operand) operand { return m.do("less", x, y, yes, no) }

// scale is x·2ⁿ for a whole number n, −252 ≤ n ≤ 254, rounded once.
func (m *machine) scale(x, n operand) operand { return m.do("scale", x, n) }

// lastUses is, for each value, the index of the last instruction that reads it.
func (m *machine) lastUses() []int {
	last := make([]int, m.values)
	for i := range last {
		last[i] = -1
	}
	for i, in := range m.instructions {
		for _, a := range in.args {
			if !a.constant {
				last[a.id] = i
			}
		}
	}
	return last
}

// registers hands out a processor's vector registers.
type registers struct {
	free *[]int      // shared by the copies of a body that run side by side
	of   map[int]int // register of a value
	last []int       // see machine.lastUses
	m    *machine
}

// noRegister is the panic of a body that takes too many registers.
const noRegister = "too many values for the registers"

// firstRegisters are registers 0 to n−1.
func firstRegisters(n int) *[]int {
	var list []int
	for i := range n {
		list = append(list, i)
	}
	return &list
}

func (r *registers) take() int {
	if len(*r.free) == 0 {
		panic(noRegister)
	}
	x := (*r.free)[0]
	*r.free = (*r.free)[1:]
	return x
}

func (r *registers) give(x int) {
	i, _ := slices.BinarySearch(*r.free, x)
	*r.free = slices.Insert(*r.free, i, x)
}

// dies reports whether instruction i is the last to read the value and may
// write over its register.
func (r *registers) dies(a operand, i int) bool {
	return !a.constant && !r.m.pinned[a.id] && r.last[a.id] == i
}

// release gives back the registers of what instruction i reads last, but for
// keep.
func (r *registers) release(i int, keep int) {
	seen := map[int]bool{}
	for _, a := range r.m.instructions[i].args {
		if r.dies(a, i) && !seen[a.id] && r.of[a.id] != keep {
			seen[a.id] = true
			r.give(r.of[a.id])
		}
	}
}

// inputs are the operands of a recorded body.
type inputs struct {
	slices, scalars []operand
	sum, folded     operand
}

// record notes down the body of a kernel, and its folding. The instruction
// "keep" stands where the result is complete and may be stored.
func (k *vectorKernel) record() (*machine, inputs, operand) {
	m := newMachine()
	var in inputs
	for range k.inputs {
		in.slices = append(in.slices, m.value())
	}
	if k.lanes {
		in.slices = append(in.slices, m.outside())
	}
	if k.adds {
		in.slices = append(in.slices, m.value())
	}
	for range k.scalars {
		in.scalars = append(in.scalars, m.outside())
	}
	y := k.body(m, in.slices, in.scalars)
	if y.constant {
		panic(k.name + ": the result is a constant")
	}
	if slices.ContainsFunc(m.instructions, func(i instruction) bool { return i.op == "scale" }) {
		m.bits(127) // the exponent's bias
	}
	if k.folds != "" {
		in.sum = m.outside()
		in.folded = m.do(k.folds, in.sum, y)
	}
	m.do("keep", y)
	return m, in, y
}

// function is a kernel's name in the assembly.
func (k *vectorKernel) function(level string) string { return fmt.Sprintf("vector%s%s", k.name, level) }

// vectorArguments is the signature of every vector kernel, of vectorFrame bytes.
const (
	vectorArguments = "n int, out, a, b, sums *float32, s, t float32"
	vectorFrame     = 48
)

// vectors writes the vector kernels for all processors.
func vectors() {
	kernels := vectorKernels()
	amd64 := newFile()
	amd64.features()
	constants := map[uint32]bool{}
	for _, v := range []x86Vectors{
		{file: amd64, level: "AVX2", letter: "Y", width: 32, count: 16, columns: 2, constants: constants},
		{file: amd64, level: "AVX512", letter: "Z", width: 64, count: 32, columns: 2, constants: constants},
	} {
		for i := range kernels {
			v.write(&kernels[i])
		}
		if v.level == "AVX512" {
			v.data(constants)
		}
	}
	amd64.write("vector_amd64.s")
	writeVectorGo("vector_avx2_amd64.go", "AVX2", 8, 16, kernels)
	writeVectorGo("vector_avx512_amd64.go", "AVX512", 16, 32, kernels)

	arm64 := newFile()
	neon := neonVectors{file: arm64, columns: 3}
	for i := range kernels {
		neon.write(&kernels[i])
	}
	arm64.write("vector_arm64.s")
	writeVectorGo("vector_neon_arm64.go", "NEON", 4, 12, kernels)
}
