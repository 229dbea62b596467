package onnx

import (
	"fmt"
	"math"
	"slices"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// W8A16: the arithmetic of floats is done with integers. Activations have 16 bits,
// whose steps come from the ranges that calibration wrote into the segment
// (Quantization.Min and Max); weights have 8 bits. Where tensors cross the model's
// border they stay floats.

// ConvertW8A16 is Convert of a float segment, to be computed with integers. The
// error names a tensor without a range.
func ConvertW8A16(segment *graph.Model, shapes [][]int) (m *Model, err error) {
	defer guard(&err)
	c := newConverter(segment, 0)
	if err := c.useRanges(); err != nil {
		return nil, err
	}
	return c.convert(shapes)
}

// useRanges gives every computed float tensor 16 bits.
func (c *converter) useRanges() error {
	c.w8a16, c.wide = true, map[int]bool{}
	g := *c.g
	g.Tensors = slices.Clone(g.Tensors)
	c.g = &g
	computed := slices.Clone(g.Inputs)
	for _, op := range g.Ops {
		computed = append(computed, op.Outputs...)
	}
	for _, t := range computed {
		if t == graph.NoTensor || c.wide[t] || g.Tensors[t].Type != graph.Float32 || c.m.IsConstant(c.sub, t) {
			continue
		}
		x := &g.Tensors[t]
		if x.Quantization == nil || len(x.Quantization.Min) != 1 || len(x.Quantization.Max) != 1 {
			return delegate.Refuse(delegate.ReasonQuantization, "%s has no range, which precision w8a16 needs; run nanoflux calibrate on the bundle", c.m.TensorLabel(c.sub, t))
		}
		x.Type, x.Quantization = graph.Uint16, steps16(x.Quantization.Min[0], x.Quantization.Max[0])
		c.wide[t] = true
	}
	return nil
}

// steps16 divides a range, widened to hold 0, into 65535 steps.
func steps16(low, high float32) *graph.Quantization {
	const steps = 1<<16 - 1
	low, high = min(low, 0), max(high, 0)
	scale := (float64(high) - float64(low)) / steps
	// A tensor of zeros, and steps too small for float32, need some step.
	if !(scale > 1e-30) {
		scale = 1e-30
	}
	zero := math.Round(-float64(low) / scale)
	return &graph.Quantization{Scale: []float32{float32(scale)}, ZeroPoint: []int64{int64(zero)}}
}

// again16 is a value within a range in steps, as a node between two operators of
// integers needs it.
func (c *converter) again16(name string, low, high float32) string {
	q := steps16(low, high)
	scale, zero, _ := c.parameters(q, graph.Uint16, 0)
	return c.node("DequantizeLinear", []string{c.node("QuantizeLinear", []string{name, scale, zero}), scale, zero})
}

// range16 is between which values a computed tensor lies.
func range16(x *graph.Tensor) (low, high float32) {
	q := x.Quantization
	return -float32(q.ZeroPoint[0]) * q.Scale[0], float32(1<<16-1-q.ZeroPoint[0]) * q.Scale[0]
}

// constant16 is a constant in 16 bits.
func (c *converter) constant16(k *constant) *constant {
	f := k.floats()
	values := graph.View[float32](f.load())
	n := &constant{key: k.key + "a", typ: graph.Uint16, shape: k.shape}
	low, high := float32(0), float32(0)
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	n.q = steps16(low, high)
	n.load = func() []byte {
		wide := make([]int64, len(values))
		for i, v := range values {
			wide[i] = min(max(int64(math.RoundToEven(float64(v)/float64(n.q.Scale[0])))+n.q.ZeroPoint[0], 0), 1<<16-1)
		}
		return narrow(wide, graph.Uint16)
	}
	return n
}

// weights8 is a constant of floats as weights of 8 bits, with a scale for each
// index of a dimension.
func (c *converter) weights8(k *constant, dimension int) *constant {
	values := graph.View[float32](k.floats().load())
	inner := 1
	for _, d := range k.shape[dimension+1:] {
		inner *= d
	}
	channels := k.shape[dimension]
	q := &graph.Quantization{Scale: make([]float32, channels), ZeroPoint: make([]int64, channels), Dimension: dimension}
	for i, v := range values {
		at := i / inner % channels
		q.Scale[at] = max(q.Scale[at], float32(math.Abs(float64(v)))/math.MaxInt8)
	}
	for i, s := range q.Scale {
		q.Scale[i] = max(s, 1e-30)
	}
	n := &constant{key: fmt.Sprint(k.key, "w", dimension), typ: graph.Int8, shape: k.shape, q: q}
	n.load = func() []byte {
		wide := make([]int64, len(values))
		for i, v := range values {
			wide[i] = min(max(int64(math.RoundToEven(float64(v)/float64(q.Scale[i/inner%channels]))), -math.MaxInt8), math.MaxInt8)
		}
		return narrow(wide, graph.Int8)
	}
	return n
}

// bias32 is a bias of floats in the steps of a layer's sums.
func (c *converter) bias32(k *constant, x int, w *constant) *constant {
	values := graph.View[float32](k.floats().load())
	q := &graph.Quantization{Scale: make([]float32, len(w.q.Scale)), ZeroPoint: make([]int64, len(w.q.Scale))}
	for i, s := range w.q.Scale {
		q.Scale[i] = s * c.g.Tensors[x].Quantization.Scale[0]
	}
	n := &constant{key: fmt.Sprint(k.key, "b", x, w.key), typ: graph.Int32, shape: k.shape, q: q}
	n.load = func() []byte {
		wide := make([]int64, len(values))
		for i, v := range values {
			wide[i] = min(max(int64(math.RoundToEven(float64(v)/float64(q.Scale[i%len(q.Scale)]))), math.MinInt32), math.MaxInt32)
		}
		return narrow(wide, graph.Int32)
	}
	return n
}
