package main

// lowered is a recorded body as instructions that NEON has, one for each, so that
// those of several copies can be mixed: "copy" brings a sum to the register that
// fma overwrites, "above" and "select" are less, and scale is made of shifts.
func (m *machine) lowered() {
	list := m.instructions
	m.instructions = nil
	put := func(op string, to int, args ...operand) {
		m.instructions = append(m.instructions, instruction{op, to, args})
	}
	last := make(map[int]int) // the last instruction that reads a value
	for i, in := range list {
		for _, a := range in.args {
			if !a.constant {
				last[a.id] = i
			}
		}
	}
	for i, in := range list {
		switch in.op {
		case "fma", "fnma":
			a, b, c := in.args[0], in.args[1], in.args[2]
			dies := !c.constant && !m.pinned[c.id] && last[c.id] == i && c.id != a.id && c.id != b.id
			if !dies {
				c = m.do("copy", c)
			}
			put(in.op, in.to, a, b, c)
		case "less":
			mask := m.do("above", in.args[1], in.args[0])
			put("select", in.to, in.args[2], in.args[3], mask)
		case "scale":
			// n in two halves: 2ⁿ alone may be no normal number.
			x, bias := in.args[0], m.bits(127)
			whole := m.do("toInt", in.args[1])
			half := m.do("halve", whole)
			rest := m.do("addInt", m.do("subInt", whole, half), bias)
			half = m.do("addInt", half, bias)
			rest = m.do("shl23", rest)
			half = m.do("shl23", half)
			put("mul", in.to, m.do("mul", x, rest), half)
		default:
			m.instructions = append(m.instructions, in)
		}
	}
}
