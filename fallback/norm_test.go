package fallback

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"nanoflux/graph"
)

// normCase is a picture [1, height, width, channels] and the groups that its
// channels are normalised in.
type normCase struct {
	height, width, channels, groups int
	// squaredDifference writes the difference and its square as one operator.
	squaredDifference, active bool
	// tapped makes the centred picture an output, too.
	tapped bool
}

// groupNorm writes a norm of groups of channels as the decoder of pictures does.
func (c normCase) groupNorm(b *graph.Builder, in []graph.T) []graph.T {
	x, weight, bias := in[0], in[1], in[2]
	mean := func(x graph.T) graph.T {
		m := b.Reshape(b.Mean(x, []int{1, 2}, true), 1, 1, c.groups, c.channels/c.groups)
		return b.Reshape(b.Mul(b.Mean(m, []int{3}, true), in[3]), 1, 1, 1, c.channels)
	}
	m := mean(x)
	var centred, squares graph.T
	if c.squaredDifference {
		squares = b.SquaredDifference(x, m)
	} else {
		centred = b.Sub(x, m)
		squares = b.Mul(centred, centred)
	}
	scale := b.Mul(b.Rsqrt(b.Add(mean(squares), b.Scalar("eps", 1e-6))), weight)
	var y graph.T
	if c.squaredDifference {
		offset := b.Sub(bias, b.Mul(m, scale))
		y = b.Add(b.Mul(x, scale), offset)
	} else {
		y = b.Add(b.Mul(centred, scale), bias)
	}
	if c.active {
		y = b.Mul(y, b.Logistic(y))
	}
	if c.tapped {
		return []graph.T{y, centred}
	}
	return []graph.T{y}
}

// operands are the picture, the weights and the biases of the channels, and ones
// for the channels of a group.
func (c normCase) operands() []graph.Array {
	r := rand.New(rand.NewPCG(uint64(c.channels), uint64(c.width)))
	ones := graph.NewArray(graph.Float32, 1, 1, 1, c.channels/c.groups)
	for i := range graph.View[float32](ones.Data) {
		graph.View[float32](ones.Data)[i] = 1
	}
	return []graph.Array{random(r, graph.Float32, 1, c.height, c.width, c.channels),
		random(r, graph.Float32, c.channels), random(r, graph.Float32, c.channels), ones}
}

func TestANormOverAPictureIsOneStepAndGivesWhatItsOperatorsGive(t *testing.T) {
	for _, c := range []normCase{
		{9, 7, 64, 32, false, true, false},
		{9, 7, 64, 32, false, false, false},
		{64, 61, 128, 32, false, true, false},
		{33, 40, 512, 32, false, true, true},
		{50, 50, 24, 24, false, false, false},
		{21, 100, 8, 1, true, true, false},
		{1, 2, 1500, 3, false, true, false},
		{17, 31, 96, 4, true, false, false},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			m, inputs := modelOf(t, c.groupNorm, func(i int) bool { return i > 0 }, c.operands()...)
			outputs := len(m.Subgraphs[0].Outputs)
			alone := ran(t, compiledWith(t, m, Options{Threads: 1, NoFusion: true}), outputs, inputs...)
			var first []graph.Array
			for _, threads := range []int{1, 2, 3, 5} {
				e := compiledWith(t, m, Options{Threads: threads})
				if n := len(e.(*executable).steps); n != 1 {
					t.Errorf("%d steps", n)
				}
				for range 2 { // what a run leaves behind is not in the next one
					got := ran(t, e, outputs, inputs...)
					if first == nil {
						first = got
					}
					for i := range got {
						sameBytes(t, fmt.Sprintf("output %d on %d threads", i, threads), got[i], first[i])
						x, want := graph.View[float32](got[i].Data), graph.View[float32](alone[i].Data)
						for k := range x {
							if d := math.Abs(float64(x[k] - want[k])); !(d <= 2e-5*(1+math.Abs(float64(want[k])))) {
								t.Fatalf("output %d: element %d is %v, operators one by one give %v", i, k, x[k], want[k])
							}
						}
					}
				}
			}
		})
	}
}

func TestWhatOnlyLooksLikeANormOverAPictureStaysRight(t *testing.T) {
	for _, c := range []struct {
		name  string
		build func(b *graph.Builder, x graph.T) graph.T
	}{
		{"the mean of two pictures", func(b *graph.Builder, x graph.T) graph.T {
			c := b.Sub(x, b.Mean(x, []int{0, 1, 2}, true))
			return b.Mul(c, b.Rsqrt(b.Mean(b.Mul(c, c), []int{1, 2}, true)))
		}},
		{"squares of another picture", func(b *graph.Builder, x graph.T) graph.T {
			c := b.Sub(b.Neg(x), b.Mean(x, []int{0, 1, 2}, true))
			return b.Mul(c, b.Rsqrt(b.Mean(b.Mul(c, c), []int{0, 1, 2}, true)))
		}},
		{"the mean subtracted from is the picture", func(b *graph.Builder, x graph.T) graph.T {
			c := b.Sub(b.Mean(x, []int{0, 1, 2}, true), x)
			return b.Mul(c, b.Rsqrt(b.Mean(b.Mul(c, c), []int{0, 1, 2}, true)))
		}},
		{"a product that is no square", func(b *graph.Builder, x graph.T) graph.T {
			c := b.Sub(x, b.Mean(x, []int{0, 1, 2}, true))
			return b.Mul(c, b.Mean(b.Mul(c, x), []int{0, 1, 2}, true))
		}},
		{"squares that others read", func(b *graph.Builder, x graph.T) graph.T {
			c := b.Sub(x, b.Mean(x, []int{0, 1, 2}, true))
			s := b.Mul(c, c)
			return b.Add(b.Mul(c, b.Mean(s, []int{0, 1, 2}, true)), s)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, inputs := modelOf(t, one(func(b *graph.Builder, in []graph.T) graph.T { return c.build(b, in[0]) }),
				func(int) bool { return false }, random(seeded(t), graph.Float32, 2, 9, 8, 16))
			want := ran(t, compiledWith(t, m, Options{Threads: 1, NoFusion: true}), 1, inputs...)
			sameBytes(t, "fused", ran(t, compiledWith(t, m, Options{Threads: 2}), 1, inputs...)[0], want[0])
		})
	}
}

func BenchmarkGroupNorm(b *testing.B) {
	for _, c := range []normCase{{128, 128, 128, 32, false, true, false}, {32, 32, 512, 32, false, true, false}} {
		for _, without := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d×%d×%d, one by one: %v", c.height, c.width, c.channels, without), func(b *testing.B) {
				x := c.operands()
				g := graph.NewBuilder("norm")
				in := []graph.T{g.Input("x", graph.Float32, x[0].Shape...)}
				for _, a := range x[1:] {
					in = append(in, g.Const("", a))
				}
				g.Output("y", c.groupNorm(g, in)[0])
				m, err := g.Model()
				if err != nil {
					b.Fatal(err)
				}
				e, err := New(Options{Threads: 2, NoFusion: without}).Compile(b.Context(), m)
				if err != nil {
					b.Fatal(err)
				}
				defer e.Close()
				out := make([]graph.Array, 1)
				for b.Loop() {
					if err := e.Run(b.Context(), x[:1], out); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
