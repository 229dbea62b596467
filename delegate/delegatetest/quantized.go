package delegatetest

import (
	"math"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// QuantizedCases makes the cases of quantized operators, with the constants,
// scales and inputs of a seed. They stand apart from Cases because their
// outputs are one library's very bytes: TensorFlow Lite's built-in kernels
// (XNNPACK rounds otherwise). Seed 1 has golden outputs.
func QuantizedCases(seed uint64) []Case {
	var cases []Case
	for _, table := range [][]definition{quantizedLayers, quantizedElementwise, quantizedShapes, hybridLayers} {
		for _, d := range table {
			cases = append(cases, d.seeded(seed))
		}
	}
	return cases
}

// RunQuantized checks that a backend gives TensorFlow Lite's integers for every
// quantized case.
func RunQuantized(t *testing.T, b delegate.Backend) {
	wanted, err := quantizedGoldens()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range QuantizedCases(1) {
		t.Run(c.Name, func(t *testing.T) {
			want, known := wanted[c.Name]
			if !known {
				t.Fatal("no golden outputs; record them with -update")
			}
			if r := refusal(b, c.Model); r != nil {
				t.Fatalf("%s refuses: %v", b.Name(), r)
			}
			got := run(t, b, c)
			for i := range want {
				if d := Differ(got[i], want[i]); d != "" {
					t.Errorf("output %d: %s", i, d)
				}
			}
		})
	}
}

// scale is a random scale near size, exact in 12 bits.
func (m *maker) scale(size float64) float32 {
	return float32(math.Ldexp(1+float64(m.random.IntN(4096))/4096, int(math.Floor(math.Log2(size)))))
}

// affine is a random quantization with a scale near size, for values of type t.
func (m *maker) affine(t graph.TensorType, size float64) *graph.Quantization {
	zero := int64(0)
	switch t {
	case graph.Int8:
		zero = int64(m.random.IntN(80) - 40)
	case graph.Uint8:
		zero = int64(m.random.IntN(80) + 88)
	}
	return &graph.Quantization{Scale: []float32{m.scale(size)}, ZeroPoint: []int64{zero}}
}

// quantized is a tensor with its quantization.
type quantized struct {
	graph.T
	*graph.Quantization
}

// input adds a quantized input.
func (m *maker) input(name string, t graph.TensorType, size float64, shape ...int) quantized {
	q := m.affine(t, size)
	return quantized{m.QuantizedInput(name, t, q, shape...), q}
}

// constant adds a quantized constant with random values.
func (m *maker) constant(name string, t graph.TensorType, low, high int, q *graph.Quantization, shape ...int) quantized {
	return quantized{m.QuantizedConst(name, m.integers(t, low, high, shape...), q), q}
}

// weights are int8 from −127 to 127 with zero point 0, and a scale for each
// element of the given dimension, or one for all where it is negative.
func (m *maker) weights(name string, dimension int, shape ...int) quantized {
	q := &graph.Quantization{Dimension: max(0, dimension)}
	n := 1
	if dimension >= 0 {
		n = shape[dimension]
	}
	for range n {
		q.Scale = append(q.Scale, m.scale(1.0/128))
		q.ZeroPoint = append(q.ZeroPoint, 0)
	}
	return m.constant(name, graph.Int8, -127, 127, q, shape...)
}

func (m *maker) integers(t graph.TensorType, low, high int, shape ...int) graph.Array {
	a := graph.NewArray(t, shape...)
	size := graph.ElementBits(t) / 8
	for i := range len(a.Data) / size {
		v := uint64(low + m.random.IntN(high-low+1))
		for k := range size {
			a.Data[i*size+k] = byte(v >> (8 * k))
		}
	}
	return a
}

// bias is an int32 bias with the scales that x and w give, as large as the sums.
func (m *maker) bias(x, w quantized, n int) graph.T {
	q := &graph.Quantization{}
	for _, s := range w.Scale {
		q.Scale = append(q.Scale, x.Scale[0]*s)
		q.ZeroPoint = append(q.ZeroPoint, 0)
	}
	return m.constant("bias", graph.Int32, -20000, 20000, q, n).T
}

// layer gives the output of a layer a scale that suits sums of depth products.
func (m *maker) layer(t graph.TensorType, x quantized, depth int, y graph.T) []graph.T {
	q := m.affine(t, float64(x.Scale[0])*math.Sqrt(float64(depth))/2)
	return one(m.Quantized(y, q.Scale[0], q.ZeroPoint[0]))
}

// dense is FULLY_CONNECTED with int8 or uint8 operands.
func (m *maker) dense(t graph.TensorType, rows, in, out, channels int, bias bool, act graph.Activation) []graph.T {
	x := m.input("x", t, 0.05, rows, in)
	var w quantized
	if t == graph.Uint8 {
		w = m.constant("w", t, 0, 255, m.affine(t, 1.0/128), out, in)
	} else {
		w = m.weights("w", channels, out, in)
	}
	b := graph.None
	if bias {
		b = m.bias(x, w, out)
	}
	return m.layer(t, x, in, m.FullyConnected(x.T, w.T, b, act))
}

// convolve is CONV_2D, or DEPTHWISE_CONV_2D where multiplier is not 0.
func (m *maker) convolve(t graph.TensorType, shape [4]int, kernel [2]int, out, multiplier int, perChannel bool, o graph.ConvOptions) []graph.T {
	x := m.input("x", t, 0.05, shape[:]...)
	wShape, dimension := []int{out, kernel[0], kernel[1], shape[3]}, 0
	if multiplier > 0 {
		out = shape[3] * multiplier
		wShape, dimension = []int{1, kernel[0], kernel[1], out}, 3
	}
	if !perChannel {
		dimension = -1
	}
	var w quantized
	if t == graph.Uint8 {
		w = m.constant("w", t, 0, 255, m.affine(t, 1.0/128), wShape...)
	} else {
		w = m.weights("w", dimension, wShape...)
	}
	b := m.bias(x, w, out)
	depth := kernel[0] * kernel[1]
	if multiplier > 0 {
		return m.layer(t, x, depth, m.DepthwiseConv2DWith(x.T, w.T, b, o))
	}
	return m.layer(t, x, depth*shape[3], m.Conv2DWith(x.T, w.T, b, o))
}

// unary is an operator on one quantized tensor, with scale and zero point of
// the output; scale 0 keeps the input's.
func (m *maker) unary(t graph.TensorType, size float64, f func(x graph.T) graph.T, scale float32, zero int64) []graph.T {
	y := f(m.input("x", t, size, 3, 130).T)
	if scale != 0 {
		y = m.Quantized(y, scale, zero)
	}
	return one(y)
}

// binary is an operator on two quantized tensors with scales of their own.
func (m *maker) binary(t graph.TensorType, f func(x, y graph.T) graph.T, size float64, xs, ys []int) []graph.T {
	z := f(m.input("x", t, 0.05, xs...).T, m.input("y", t, 0.05, ys...).T)
	q := m.affine(t, size)
	return one(m.Quantized(z, q.Scale[0], q.ZeroPoint[0]))
}
