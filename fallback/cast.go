package fallback

import (
	"fmt"
	"math"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"

	"github.com/x448/float16"
)

func init() {
	register(schema.BuiltinOperatorCAST, kernel{
		accepts: func(o operands) *delegate.Refusal {
			castable := []graph.TensorType{graph.Float32, graph.Float64, graph.Float16, graph.Int8, graph.Uint8, graph.Int16, graph.Uint16, graph.Int32, graph.Uint32, graph.Int64, graph.Bool}
			return firstRefusal(o.counts(1, 1, 1), o.types(0, castable...), o.outTypes(0, castable...))
		},
		prepare: func(n *node) (compute, error) {
			if err := n.shape(0, n.in[0].shape...); err != nil {
				return nil, err
			}
			total := n.in[0].elements()
			convert := converter(n.in[0].tensor.Type, n.out[0].tensor.Type)
			some := func(from, to int) { convert(n.out[0].data, n.in[0].data, from, to) }
			return func() { n.pool.chunks(total, 1<<12, some) }, nil
		},
	})
	register(schema.BuiltinOperatorDEQUANTIZE, kernel{accepts: acceptsDequantize, prepare: prepareDequantize})
}

// converter is the function that converts elements from to to−1.
func converter(in, out graph.TensorType) func(dst, src []byte, from, to int) {
	type pair struct{ in, out graph.TensorType }
	switch (pair{in, out}) {
	case pair{graph.Float16, graph.Float32}:
		return between(vectors.FromFloat16)
	case pair{graph.Float32, graph.Float16}:
		return between(vectors.ToFloat16)
	case pair{graph.Int8, graph.Float32}:
		return between(func(out []float32, in []int8) { vectors.FromInt8(out, in, 0, 1) })
	case pair{graph.Uint8, graph.Float32}:
		return between(func(out []float32, in []uint8) { vectors.FromUint8(out, in, 0, 1) })
	case pair{graph.Int32, graph.Float32}:
		return between(toFloats[int32])
	case pair{graph.Int64, graph.Float32}:
		return between(toFloats[int64])
	}
	return func(dst, src []byte, from, to int) {
		read, write := reader(in, src), writer(out, dst)
		for i := from; i < to; i++ {
			write(i, read(i))
		}
	}
}

// between makes a converter of a function of slices.
func between[T, U graph.Element](f func(out []U, in []T)) func(dst, src []byte, from, to int) {
	return func(dst, src []byte, from, to int) { f(graph.View[U](dst)[from:to], graph.View[T](src)[from:to]) }
}

func toFloats[T int32 | int64](out []float32, in []T) {
	for i, v := range in {
		out[i] = float32(v)
	}
}

// number64 holds a value of any castable type exactly.
type number64 struct {
	float   float64
	integer int64
	isFloat bool
}

func reader(t graph.TensorType, data []byte) func(i int) number64 {
	whole := func(v int64) number64 { return number64{integer: v, float: float64(v)} }
	real := func(v float64) number64 { return number64{float: v, isFloat: true} }
	switch t {
	case graph.Float32:
		return func(i int) number64 { return real(float64(graph.View[float32](data)[i])) }
	case graph.Float64:
		return func(i int) number64 { return real(graph.View[float64](data)[i]) }
	case graph.Float16:
		return func(i int) number64 { return real(float64(float16.Frombits(graph.View[uint16](data)[i]).Float32())) }
	case graph.Int8:
		return func(i int) number64 { return whole(int64(int8(data[i]))) }
	case graph.Uint8:
		return func(i int) number64 { return whole(int64(data[i])) }
	case graph.Bool:
		return func(i int) number64 { return whole(int64(min(data[i], 1))) }
	case graph.Int16:
		return func(i int) number64 { return whole(int64(graph.View[int16](data)[i])) }
	case graph.Uint16:
		return func(i int) number64 { return whole(int64(graph.View[uint16](data)[i])) }
	case graph.Uint32:
		return func(i int) number64 { return whole(int64(graph.View[uint32](data)[i])) }
	case graph.Int64:
		return func(i int) number64 { return whole(graph.View[int64](data)[i]) }
	}
	return func(i int) number64 { return whole(int64(graph.View[int32](data)[i])) }
}

func writer(t graph.TensorType, data []byte) func(i int, v number64) {
	switch t {
	case graph.Float32:
		return func(i int, v number64) { graph.View[float32](data)[i] = float32(v.float) }
	case graph.Float64:
		return func(i int, v number64) { graph.View[float64](data)[i] = v.float }
	case graph.Float16:
		return func(i int, v number64) {
			graph.View[uint16](data)[i] = float16.Fromfloat32(float32(v.float)).Bits()
		}
	case graph.Bool:
		return func(i int, v number64) {
			data[i] = 0
			if v.float != 0 {
				data[i] = 1
			}
		}
	case graph.Int8, graph.Uint8:
		return func(i int, v number64) { data[i] = byte(v.whole()) }
	case graph.Int16, graph.Uint16:
		return func(i int, v number64) { graph.View[uint16](data)[i] = uint16(v.whole()) }
	case graph.Int64:
		return func(i int, v number64) { graph.View[int64](data)[i] = v.whole() }
	}
	return func(i int, v number64) { graph.View[int32](data)[i] = int32(v.whole()) }
}

// whole cuts off the fraction; NaN is 0, and what no int64 holds is the nearest.
func (v number64) whole() int64 {
	switch {
	case !v.isFloat:
		return v.integer
	case v.float != v.float:
		return 0
	case v.float >= math.MaxInt64:
		return math.MaxInt64
	case v.float <= math.MinInt64:
		return math.MinInt64
	}
	return int64(v.float)
}

func acceptsDequantize(o operands) *delegate.Refusal {
	if r := firstRefusal(o.counts(1, 1, 1), o.types(0, graph.Float16, graph.Int8, graph.Uint8, graph.Int16), o.outTypes(0, graph.Float32)); r != nil {
		return r
	}
	if q := o.in(0).Quantization; o.in(0).Type != graph.Float16 && (q == nil || len(q.Scale) == 0 || q.Details != nil) {
		return delegate.Refuse(delegate.ReasonQuantization, "input 0 has no affine quantization")
	}
	return nil
}

// prepareDequantize is scale[c]·(x − zero point[c]), or float16 to float32.
func prepareDequantize(n *node) (compute, error) {
	x := n.in[0]
	if err := n.shape(0, x.shape...); err != nil {
		return nil, err
	}
	total := x.elements()
	switch x.tensor.Type {
	case graph.Float16:
		some := func(from, to int) {
			vectors.FromFloat16(n.out[0].floats()[from:to], graph.View[uint16](x.data)[from:to])
		}
		return func() { n.pool.chunks(total, 1<<13, some) }, nil
	case graph.Int8:
		return dequantizeIntegers[int8](n)
	case graph.Uint8:
		return dequantizeIntegers[uint8](n)
	}
	return dequantizeIntegers[int16](n)
}

func dequantizeIntegers[T int8 | uint8 | int16](n *node) (compute, error) {
	x := n.in[0]
	q := x.tensor.Quantization
	channels, inner := 1, x.elements()
	if len(q.Scale) > 1 {
		if q.Dimension >= len(x.shape) || x.shape[q.Dimension] != len(q.Scale) {
			return nil, fmt.Errorf("%d scales do not go with dimension %d of shape %v", len(q.Scale), q.Dimension, x.shape)
		}
		channels, inner = len(q.Scale), sizeOf(x.shape[q.Dimension+1:])
	}
	outer := x.elements() / max(1, channels*inner)
	some := func(from, to int) {
		in, out := graph.View[T](x.data), n.out[0].floats()
		for i := from; i < to; i++ {
			c := i % channels
			zero := int32(0)
			if c < len(q.ZeroPoint) {
				zero = int32(q.ZeroPoint[c])
			}
			scaleLine(out[i*inner:(i+1)*inner], in[i*inner:(i+1)*inner], zero, q.Scale[c])
		}
	}
	return func() { n.pool.chunks(outer*channels, 1+(1<<13)/max(1, inner), some) }, nil
}

// scaleLine is scale·(x − zero).
func scaleLine[T int8 | uint8 | int16](out []float32, x []T, zero int32, scale float32) {
	const fewest = 8 // elements worth a call
	if exact := zero > -1<<23 && zero < 1<<23; exact && len(x) >= fewest {
		switch x := any(x).(type) {
		case []int8:
			vectors.FromInt8(out, x, float32(zero), scale)
			return
		case []uint8:
			vectors.FromUint8(out, x, float32(zero), scale)
			return
		}
	}
	for i, v := range x {
		out[i] = scale * float32(int32(v)-zero)
	}
}
