package rewrite

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// The Go backend has no 8-bit GELU and BATCH_MATMUL, so what they become is
// compared with the definition, in float64.

func TestExpandQuantizedGelu(t *testing.T) {
	for _, c := range []struct {
		scale float32
		zero  int64
	}{{0.02, 0}, {0.001, 3}, {0.05, -20}, {0.1, 60}, {0.3, -128}, {0.03, 127}, {1, 0}} {
		for _, approximate := range []bool{true, false} {
			t.Run(fmt.Sprintf("scale %v, zero point %d, approximate %v", c.scale, c.zero, approximate), func(t *testing.T) {
				q := graph.Quantization{Scale: []float32{c.scale}, ZeroPoint: []int64{c.zero}}
				real := func(code int8) float64 { return float64(c.scale) * (float64(code) - float64(c.zero)) }
				// The output has the range of its values.
				low, high := 0.0, float64(c.scale)
				for code := math.MinInt8; code <= math.MaxInt8; code++ {
					v := gelu(real(int8(code)), approximate)
					low, high = min(low, v), max(high, v)
				}
				step := float32((high - low) / 255)
				zero := int64(math.Round(-128 - low/float64(step)))
				m := built(t, func(b *graph.Builder) {
					x := b.QuantizedInput("x", graph.Int8, &q, 1, 256)
					b.Output("y", b.Quantized(b.Gelu(x, approximate), step, zero))
				})
				out, changed := applied(t, expandQuantizedGelu, m)
				if changed != 1 {
					t.Fatalf("%d changed", changed)
				}
				x := graph.NewArray(graph.Int8, 1, 256)
				for i := range x.Data {
					x.Data[i] = byte(i)
				}
				got := graph.View[int8](ran(t, out, []graph.Array{x})[0].Data)
				for i, v := range graph.View[int8](x.Data) {
					want := math.Round(gelu(real(v), approximate)/float64(step)) + float64(zero)
					if off := math.Abs(float64(got[i]) - want); off > 1 && off*float64(step) > 0.01 {
						t.Errorf("gelu(%v) is code %d, want %v", real(v), got[i], want)
					}
				}
				for _, op := range out.Subgraphs[0].Ops {
					if op.Version > 2 {
						t.Errorf("%s has version %d; Hexagon takes 2", op.Name(), op.Version)
					}
				}
			})
		}
	}
}

func gelu(x float64, approximate bool) float64 {
	if approximate {
		return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
	}
	return 0.5 * x * (1 + math.Erf(x/math.Sqrt2))
}

func TestSplitAttentionHeadsIn8Bits(t *testing.T) {
	const heads, rows, depth, columns = 3, 5, 8, 6
	for _, adjoint := range []bool{false, true} {
		t.Run(fmt.Sprintf("adjoint %v", adjoint), func(t *testing.T) {
			p := graph.Quantization{Scale: []float32{0.04}, ZeroPoint: []int64{-7}}
			q := graph.Quantization{Scale: []float32{0.02}, ZeroPoint: []int64{11}}
			right := []int{1, heads, depth, columns}
			if adjoint {
				right = []int{1, heads, columns, depth}
			}
			m := built(t, func(b *graph.Builder) {
				x := b.QuantizedInput("x", graph.Int8, &p, 1, heads, rows, depth)
				y := b.QuantizedInput("y", graph.Int8, &q, right...)
				b.Output("z", b.Quantized(b.BatchMatMul(x, y, false, adjoint), 0.2, 5))
			})
			out, changed := applied(t, splitAttentionHeads, m)
			if changed != 1 {
				t.Fatalf("%d changed", changed)
			}
			for _, op := range out.Subgraphs[0].Ops {
				if op.Code == schema.BuiltinOperatorBATCH_MATMUL {
					t.Fatal("it is still there")
				}
			}
			inputs := randomInputs(rand.New(rand.NewPCG(1, 1)), m, false)
			got := graph.View[int8](ran(t, out, inputs)[0].Data)
			a, b := graph.View[int8](inputs[0].Data), graph.View[int8](inputs[1].Data)
			for h := range heads {
				for i := range rows {
					for j := range columns {
						sum := 0.0
						for k := range depth {
							at := (h*depth+k)*columns + j
							if adjoint {
								at = (h*columns+j)*depth + k
							}
							sum += (float64(a[(h*rows+i)*depth+k]) + 7) * (float64(b[at]) - 11)
						}
						want := max(-128, min(127, math.Round(sum*0.04*0.02/0.2)+5))
						if at := (h*rows+i)*columns + j; math.Abs(float64(got[at])-want) > 1 {
							t.Errorf("element %d %d %d is %d, want %v", h, i, j, got[at], want)
						}
					}
				}
			}
		})
	}
}
