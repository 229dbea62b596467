package fallback

import (
	"fmt"
	"math"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// byRow applies a function to each line of the last dimension.
func byRow(x tensor, f func(out, in []float64)) tensor {
	y := newTensor(x.shape...)
	width := x.shape[len(x.shape)-1]
	for i := 0; i+width <= len(x.data) && width > 0; i += width {
		f(y.data[i:i+width], x.data[i:i+width])
	}
	return y
}

func exactSoftmax(beta float64) func(out, in []float64) {
	return func(out, in []float64) {
		top := in[0]
		for _, v := range in {
			top = max(top, v)
		}
		sum := 0.0
		for i, v := range in {
			out[i] = math.Exp(beta * (v - top))
			sum += out[i]
		}
		for i := range out {
			out[i] /= sum
		}
	}
}

func TestRowsAreNormalizedOnTheirOwn(t *testing.T) {
	for _, c := range []struct {
		name    string
		code    graph.OpCode
		options any
		f       func(out, in []float64)
	}{
		{"softmax", schema.BuiltinOperatorSOFTMAX, &schema.SoftmaxOptionsT{Beta: 1}, exactSoftmax(1)},
		{"softmax, beta 0.5", schema.BuiltinOperatorSOFTMAX, &schema.SoftmaxOptionsT{Beta: 0.5}, exactSoftmax(0.5)},
		{"log softmax", schema.BuiltinOperatorLOG_SOFTMAX, nil, func(out, in []float64) {
			exactSoftmax(1)(out, in)
			for i, v := range out {
				out[i] = math.Log(v)
			}
		}},
		{"l2 normalization", schema.BuiltinOperatorL2_NORMALIZATION, nil, func(out, in []float64) {
			sum := 0.0
			for _, v := range in {
				sum += v * v
			}
			for i, v := range in {
				out[i] = v / max(math.Sqrt(sum), 1e-6)
			}
		}},
	} {
		for _, shape := range [][]int{{1}, {7}, {3, 1}, {2, 3, 88}, {1, 3, 88, 88}, {4, 500}, {0, 3}, {3, 0}} {
			t.Run(fmt.Sprintf("%s of %v", c.name, shape), func(t *testing.T) {
				x := random(seeded(t), graph.Float32, shape...)
				got := evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T {
					return b.Op(c.code, 0, c.options, in, graph.Tensor{Type: graph.Float32, Shape: shape, HasRank: true})[0]
				}), x)
				same(t, got[0], byRow(tensorOf(x), c.f), 1e-6)
			})
		}
	}
}

func TestSoftmaxOfLargeAndInfiniteValues(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct{ in, want []float32 }{
		{[]float32{1e30, 1e30, 0}, []float32{0.5, 0.5, 0}},
		{[]float32{-1e30, -inf, -1e30}, []float32{0.5, 0, 0.5}}, // as an attention mask does
		{[]float32{1000, 0, -1000}, []float32{1, 0, 0}},
	} {
		got := evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T { return b.Softmax(in[0]) }), floats32(c.in...))
		same(t, got[0], tensorOf(floats32(c.want...)), 1e-6)
	}
}

func TestReductionsCombineTheElementsAlongTheirAxes(t *testing.T) {
	type operation struct {
		code  graph.OpCode
		types []graph.TensorType
		start float64
		step  func(a, b float64) float64
	}
	numbers := []graph.TensorType{graph.Float32, graph.Int32, graph.Int64}
	plus := func(a, b float64) float64 { return a + b }
	for _, o := range []operation{
		{schema.BuiltinOperatorSUM, numbers, 0, plus},
		{schema.BuiltinOperatorMEAN, numbers[:1], 0, plus},
		{schema.BuiltinOperatorREDUCE_PROD, numbers, 1, func(a, b float64) float64 { return a * b }},
		{schema.BuiltinOperatorREDUCE_MAX, numbers, math.Inf(-1), math.Max},
		{schema.BuiltinOperatorREDUCE_MIN, numbers, math.Inf(1), math.Min},
		{schema.BuiltinOperatorREDUCE_ANY, []graph.TensorType{graph.Bool}, 0, math.Max},
		{schema.BuiltinOperatorREDUCE_ALL, []graph.TensorType{graph.Bool}, 1, math.Min},
	} {
		for _, typ := range o.types {
			for _, c := range []struct {
				shape, axes []int
			}{
				{[]int{5}, []int{0}}, {[]int{2, 3, 4}, []int{-1}}, {[]int{2, 3, 4}, []int{0}}, {[]int{2, 3, 4}, []int{1}}, {[]int{2, 3, 4}, []int{0, 2}},
				{[]int{2, 3, 4}, []int{2, 1, 0}}, {[]int{2, 3, 4}, []int{0, -1}}, {[]int{1, 6, 5, 7}, []int{1, 2}}, {[]int{1, 88, 13}, []int{2}}, {[]int{1}, []int{0}},
				// Whole rows at a time, in one block and in several, and lines between.
				{[]int{2, 3, 5, 8}, []int{1, 2}}, {[]int{3, 7, 75}, []int{1}}, {[]int{4, 3, 150}, []int{0}}, {[]int{2, 5, 3, 20}, []int{1, 3}}, {[]int{3, 2, 2, 9}, []int{0, 2}},
			} {
				if o.code == schema.BuiltinOperatorREDUCE_PROD && sizeOf(c.shape) > 100 {
					continue // the product of so many integers overflows
				}
				for _, keep := range []bool{false, true} {
					t.Run(fmt.Sprintf("%v %v %v along %v, kept %v", o.code, typ, c.shape, c.axes, keep), func(t *testing.T) {
						x := random(seeded(t), typ, c.shape...)
						got := evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T { return b.Reduce(o.code, in[0], c.axes, keep) }), x)
						gone := make([]bool, len(c.shape))
						for _, a := range c.axes {
							gone[(a+len(gone))%len(gone)] = true
						}
						var kept []int // with every dimension, those reduced of size 1
						var shape []int
						count := 1.0
						for i, d := range c.shape {
							switch {
							case !gone[i]:
								kept, shape = append(kept, d), append(shape, d)
								continue
							case keep:
								shape = append(shape, 1)
							}
							kept = append(kept, 1)
							count *= float64(d)
						}
						want, elements := newTensor(kept...), tensorOf(x)
						for i := range want.data {
							want.data[i] = o.start
						}
						every(c.shape, func(i []int) {
							j := append([]int(nil), i...)
							for k := range j {
								if gone[k] {
									j[k] = 0
								}
							}
							at := want.flat(j...)
							want.data[at] = o.step(want.data[at], elements.at(i...))
						})
						if o.code == schema.BuiltinOperatorMEAN {
							for i := range want.data {
								want.data[i] /= count
							}
						}
						want.shape = shape
						same(t, got[0], want, 1e-5)
					})
				}
			}
		}
	}
}
