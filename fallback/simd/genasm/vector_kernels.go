package main

import "math"

// vectorKernels are the loops on float32 slices. Formulas and errors stand with
// the functions of package simd (vector.go).
func vectorKernels() []vectorKernel {
	var list []vectorKernel
	binary := func(name string, f func(m *machine, a, b operand) operand) {
		list = append(list,
			vectorKernel{name: name, inputs: 2, writes: true, copies: 4, body: func(m *machine, x, _ []operand) operand { return f(m, x[0], x[1]) }},
			vectorKernel{name: name + "Scalar", inputs: 1, scalars: 1, writes: true, copies: 4, body: func(m *machine, x, s []operand) operand { return f(m, x[0], s[0]) }})
	}
	unary := func(name string, copies int, f func(m *machine, x operand) operand) {
		list = append(list, vectorKernel{name: name, inputs: 1, writes: true, copies: copies, body: func(m *machine, x, _ []operand) operand { return f(m, x[0]) }})
	}
	binary("Add", (*machine).add)
	binary("Sub", (*machine).sub)
	binary("Mul", (*machine).mul)
	binary("Div", (*machine).div)
	binary("Max", (*machine).max)
	binary("Min", (*machine).min)
	binary("SquaredDifference", func(m *machine, a, b operand) operand {
		d := m.sub(a, b)
		return m.mul(d, d)
	})
	list = append(list,
		vectorKernel{name: "ScalarSub", inputs: 1, scalars: 1, writes: true, copies: 4, body: func(m *machine, x, s []operand) operand { return m.sub(s[0], x[0]) }},
		vectorKernel{name: "ScalarDiv", inputs: 1, scalars: 1, writes: true, copies: 4, body: func(m *machine, x, s []operand) operand { return m.div(s[0], x[0]) }},
		vectorKernel{name: "Clamp", inputs: 1, scalars: 2, writes: true, copies: 4, body: func(m *machine, x, s []operand) operand {
			return m.min(s[1], m.max(s[0], x[0]))
		}},
		vectorKernel{name: "LeakyRelu", inputs: 1, scalars: 1, writes: true, copies: 4, body: func(m *machine, x, s []operand) operand {
			return m.less(x[0], m.number(0), m.mul(x[0], s[0]), x[0])
		}},
		vectorKernel{name: "PRelu", inputs: 2, writes: true, copies: 4, body: func(m *machine, x, _ []operand) operand {
			return m.less(x[0], m.number(0), m.mul(x[0], x[1]), x[0])
		}},
		vectorKernel{name: "Mix", inputs: 2, scalars: 2, writes: true, copies: 4, body: func(m *machine, x, s []operand) operand {
			return m.fma(x[0], s[0], m.mul(x[1], s[1]))
		}},
		vectorKernel{name: "MulAdd", inputs: 2, adds: true, writes: true, copies: 4, body: func(m *machine, x, _ []operand) operand {
			return m.fma(x[0], x[1], x[2])
		}},
		vectorKernel{name: "ScaleShift", inputs: 1, scalars: 2, writes: true, copies: 4, body: func(m *machine, x, s []operand) operand {
			return m.fma(x[0], s[0], s[1])
		}},
	)
	unary("Neg", 4, func(m *machine, x operand) operand { return m.xor(x, m.bits(1<<31)) })
	unary("Abs", 4, func(m *machine, x operand) operand { return m.and(x, m.bits(1<<31-1)) })
	unary("Sqrt", 2, func(m *machine, x operand) operand { return m.sqrt(x) })
	unary("Rsqrt", 2, func(m *machine, x operand) operand { return m.div(m.number(1), m.sqrt(x)) })
	unary("Exp", 2, exp)
	unary("Logistic", 2, logistic)
	unary("Tanh", 2, tanh)
	unary("GeluTanh", 2, geluTanh)
	unary("GeluErf", 2, geluErf)
	unary("Elu", 2, elu)
	unary("Floor", 4, (*machine).floor)
	unary("Ceil", 4, (*machine).ceil)
	unary("Round", 4, (*machine).even)
	unary("Log", 2, logarithm)
	unary("SinNear", 2, func(m *machine, x operand) operand { return wave(m, x, 0) })
	unary("CosNear", 2, func(m *machine, x operand) operand { return wave(m, x, 1) })
	unary("Sign", 4, func(m *machine, x operand) operand {
		return m.less(x, m.number(0), m.number(-1), m.less(m.number(0), x, m.number(1), x))
	})
	unary("HardSwish", 2, func(m *machine, x operand) operand {
		return m.mul(x, m.mul(m.min(m.number(6), m.max(m.number(0), m.add(x, m.number(3)))), m.number(1.0/6)))
	})

	fold := func(name string, copies int, folds string, f func(m *machine, x operand) operand) {
		list = append(list, vectorKernel{name: name, inputs: 1, copies: copies, folds: folds, body: func(m *machine, x, _ []operand) operand { return f(m, x[0]) }})
	}
	same := func(_ *machine, x operand) operand { return x }
	fold("Sum", 4, "add", same)
	fold("Largest", 4, "max", same)
	fold("Smallest", 4, "min", same)
	fold("LargestOfColumns", 0, "max", same)
	list = append(list,
		vectorKernel{name: "SumSquares", inputs: 1, scalars: 1, copies: 4, folds: "add", body: func(m *machine, x, s []operand) operand {
			d := m.sub(x[0], s[0])
			return m.mul(d, d)
		}},
		vectorKernel{name: "CountBeyond", inputs: 1, scalars: 1, copies: 4, folds: "add", body: func(m *machine, x, s []operand) operand {
			return m.less(s[0], m.and(x[0], m.bits(1<<31-1)), m.number(1), m.number(0))
		}},
		vectorKernel{name: "ExpSum", inputs: 1, scalars: 2, writes: true, copies: 2, folds: "add", body: func(m *machine, x, s []operand) operand {
			return exp(m, m.mul(m.sub(x[0], s[0]), s[1]))
		}},
		vectorKernel{name: "ExpSumOfColumns", inputs: 1, lanes: true, scalars: 1, writes: true, folds: "add", body: func(m *machine, x, s []operand) operand {
			return exp(m, m.mul(m.sub(x[0], x[1]), s[0]))
		}})
	x0 := func(_ *machine, x, _ []operand) operand { return x[0] }
	fromZero := func(m *machine, x, s []operand) operand { return m.mul(m.sub(x[0], s[0]), s[1]) }
	return append(list,
		vectorKernel{name: "FromFloat16", inputs: 1, writes: true, copies: 4, reads: float16, body: x0},
		vectorKernel{name: "ToFloat16", inputs: 1, writes: true, copies: 4, makes: float16, body: x0},
		vectorKernel{name: "FromInt8", inputs: 1, scalars: 2, writes: true, copies: 4, reads: int8s, body: fromZero},
		vectorKernel{name: "Choose", inputs: 2, adds: true, writes: true, copies: 4, reads: uint8s, body: func(m *machine, x, _ []operand) operand {
			return m.less(m.number(0), x[0], x[1], x[2])
		}},
		vectorKernel{name: "ChooseScalar", inputs: 1, scalars: 1, adds: true, writes: true, copies: 4, reads: uint8s, body: func(m *machine, x, s []operand) operand {
			return m.less(m.number(0), x[0], s[0], x[1])
		}},
		vectorKernel{name: "FromUint8", inputs: 1, scalars: 2, writes: true, copies: 4, reads: uint8s, body: fromZero},
		ofColumns("FromInt8OfColumns", int8s),
		ofColumns("FromLowerInt4OfColumns", int4sLower),
		ofColumns("FromUpperInt4OfColumns", int4sUpper))
}

// ofColumns is (x − s)·b with a b for each column.
func ofColumns(name string, t elementType) vectorKernel {
	return vectorKernel{name: name, inputs: 1, lanes: true, scalars: 1, writes: true, reads: t, body: func(m *machine, x, s []operand) operand {
		return m.mul(m.sub(x[0], s[0]), x[1])
	}}
}

// exp is eˣ: x = n·ln2 + r with |r| ≤ ln2/2, ln2 in two parts (Cody and Waite),
// and eʳ by its Taylor polynomial of degree 7.
func exp(m *machine, x operand) operand {
	x = m.min(m.number(89), m.max(m.number(-104.5), x))
	n, r := halvings(m, x)
	p := m.fma(r, m.number(1.0/5040), m.number(1.0/720))
	for _, c := range []float64{1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1, 1} {
		p = m.fma(p, r, m.number(c))
	}
	return m.scale(p, n)
}

// halvings splits x into n·ln2 + r with a whole number n.
func halvings(m *machine, x operand) (n, r operand) {
	const magic = 3 << 22 // rounds to a whole number when added
	n = m.sub(m.fma(x, m.number(1.44269504), m.number(magic)), m.number(magic))
	r = m.fnma(n, m.number(0.693359375), x)
	return n, m.fnma(n, m.number(-2.12194440e-4), r)
}

// elu is eˣ − 1 for negative x: 2ⁿ·(eʳ − 1) + (2ⁿ − 1), where x = n·ln2 + r, and
// eʳ − 1 is r + r²·(1/2 + r/6 + …).
func elu(m *machine, x operand) operand {
	one := m.number(1)
	n, r := halvings(m, m.min(m.number(0), m.max(m.number(-20), x)))
	p := m.fma(r, m.number(1.0/5040), m.number(1.0/720))
	for _, c := range []float64{1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5} {
		p = m.fma(p, r, m.number(c))
	}
	p = m.fma(m.mul(p, r), r, r)
	power := m.scale(one, n)
	return m.less(x, m.number(0), m.fma(power, p, m.sub(power, one)), x)
}

// geluErf is x·Φ(x), Φ the normal distribution function. With a = |x|,
// Φ(−a)·e^(a²/2)·(a+4) is a polynomial of degree 9 in (a−4)/(a+4), which
// interpolates it at Chebyshev's points of a < 14.5 and is 3e-8 off there. The
// rounding of a² is put right to the first order.
func geluErf(m *machine, x operand) operand {
	a := m.min(m.number(14.5), m.and(x, m.bits(1<<31-1)))
	near := m.div(m.number(1), m.add(a, m.number(4)))
	u := m.mul(m.sub(a, m.number(4)), near)
	p := m.fma(u, m.number(-0.000122983157), m.number(0.000194801851))
	for _, c := range []float64{0.00156931365, -0.00352357406, -0.00752721291, 0.0604064697, -0.186523006, 0.38713668, -0.607896606, 0.755285139} {
		p = m.fma(p, u, m.number(c))
	}
	p = m.mul(p, near)
	half := m.number(-0.5)
	square := m.mul(a, a)
	rest := m.fma(a, a, m.xor(square, m.bits(1<<31)))
	p = m.fma(m.mul(rest, half), p, p)
	below := m.mul(p, exp(m, m.mul(square, half)))
	return m.mul(x, m.less(x, m.number(0), below, m.sub(m.number(1), below)))
}

// logarithm is ln x: x = m·2ⁿ with √½ ≤ m < √2, and with f = m − 1, ln m is
// f − f²/2 + f³·p(f) with Cephes' polynomial (logf); ln 2 is in two parts.
func logarithm(m *machine, x operand) operand {
	// Denormal numbers become normal ones.
	small := m.number(0x1p-126)
	normal := m.less(x, small, m.mul(x, m.number(1<<23)), x)
	bias := m.less(x, small, m.number(127+23), m.number(127))
	// The exponent's bits as a whole number are 2²³ times the exponent.
	n := m.sub(m.mul(m.real(m.and(normal, m.bits(0xFF<<23))), m.number(0x1p-23)), bias)
	part := m.or(m.and(normal, m.bits(1<<23-1)), m.number(1))
	root := m.number(1.41421356)
	n = m.less(root, part, m.add(n, m.number(1)), n)
	f := m.sub(m.less(root, part, m.mul(part, m.number(0.5)), part), m.number(1))
	p := m.fma(f, m.number(7.0376836292e-2), m.number(-1.1514610310e-1))
	for _, c := range []float64{1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1} {
		p = m.fma(p, f, m.number(c))
	}
	square := m.mul(f, f)
	p = m.mul(m.mul(p, f), square)
	p = m.fma(n, m.number(-2.12194440e-4), p)
	p = m.fma(square, m.number(-0.5), p)
	y := m.fma(n, m.number(0.693359375), m.add(f, p))
	// 0 gives −∞, what is below NaN; ∞ and NaN stay.
	edge := m.less(x, m.number(0), m.bits(0x7FC00000), m.bits(0xFF800000))
	y = m.less(m.number(0), x, y, edge)
	return m.less(x, m.bits(0x7F800000), y, x)
}

// wave is sin(x + turn·π/2) for turn 0 or 1 and |x| ≤ 2¹⁷: x = n·π/2 + r with
// |r| ≤ π/4, π/2 in three parts (Cody and Waite), and the sine or cosine of r by
// Cephes' polynomials (sinf, cosf).
func wave(m *machine, x operand, turn int) operand {
	const magic = 3 << 22 // rounds to a whole number when added, which stands in the low bits
	sum := m.fma(x, m.number(2/math.Pi), m.number(magic))
	n := m.sub(sum, m.number(magic))
	const high = float32(math.Pi / 2)
	middle := float32(math.Pi/2 - float64(high))
	low := math.Pi/2 - float64(high) - float64(middle) + 6.123233995736766e-17
	r := m.fnma(n, m.number(float64(high)), x)
	r = m.fnma(n, m.number(float64(middle)), r)
	r = m.fnma(n, m.number(low), r)
	if turn > 0 {
		sum = m.add(sum, m.number(float64(turn)))
	}
	z := m.mul(r, r)
	sine := m.fma(z, m.number(-1.9515295891e-4), m.number(8.3321608736e-3))
	sine = m.fma(sine, z, m.number(-1.6666654611e-1))
	sine = m.fma(m.mul(sine, z), r, r)
	cosine := m.fma(z, m.number(2.443315711809948e-5), m.number(-1.388731625493765e-3))
	cosine = m.fma(cosine, z, m.number(4.166664568298827e-2))
	cosine = m.fma(cosine, z, m.number(-0.5))
	cosine = m.fma(cosine, z, m.number(1))
	one := m.number(1)
	y := m.less(one, m.or(m.and(sum, m.bits(1)), one), cosine, sine)
	y = m.xor(y, m.less(one, m.or(m.and(sum, m.bits(2)), one), m.bits(1<<31), m.bits(0)))
	if turn > 0 {
		return y
	}
	// Of small numbers the sine is the number, zeros with their sign.
	return m.less(m.and(x, m.bits(1<<31-1)), m.number(0x1p-12), x, y)
}

// logistic is 1/(1+e⁻ˣ).
func logistic(m *machine, x operand) operand {
	one := m.number(1)
	return m.div(one, m.add(exp(m, m.xor(x, m.bits(1<<31))), one))
}

// tanh: a polynomial of odd powers below 0.625 (Cephes' tanhf), else
// 1 − 2/(e²ˣ+1).
func tanh(m *machine, x operand) operand {
	sign, one := m.bits(1<<31), m.number(1)
	z := m.mul(x, x)
	p := m.fma(z, m.number(-5.70498872745e-3), m.number(2.06390887954e-2))
	for _, c := range []float64{-5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1} {
		p = m.fma(p, z, m.number(c))
	}
	near := m.fma(m.mul(p, z), x, x)
	a := m.and(x, m.bits(1<<31-1))
	e := exp(m, m.add(a, a))
	far := m.sub(one, m.div(m.number(2), m.add(e, one)))
	far = m.or(far, m.and(x, sign))
	return m.less(a, m.number(0.625), near, far)
}

// geluTanh is x/(1 + e^(−2·√(2/π)·(x + 0.044715·x³))).
func geluTanh(m *machine, x operand) operand {
	const minusTwoSqrt2OverPi = -2 * 0.7978845608028654
	x2 := m.mul(x, x)
	u := m.mul(m.fma(m.mul(x2, x), m.number(0.044715), x), m.number(minusTwoSqrt2OverPi))
	return m.div(x, m.add(exp(m, u), m.number(1)))
}
