package fallback

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// rowModel is a random model of operators that work on rows.
func rowModel(r *rand.Rand, b *graph.Builder, inputs []graph.T) []graph.T {
	shape := b.Shape(inputs[0])
	rank := len(shape)
	width := shape[rank-1]
	tensors := []graph.T{inputs[0]}
	pick := func() graph.T { return tensors[r.IntN(len(tensors))] }
	for range 2 + r.IntN(12) {
		x := pick()
		var y graph.T
		switch r.IntN(9) {
		case 0:
			y = b.Add(x, pick())
		case 1:
			y = b.MulAct(x, inputs[1+r.IntN(len(inputs)-1)], graph.ActRelu6)
		case 2:
			y = b.Sub(inputs[1+r.IntN(len(inputs)-1)], x)
		case 3:
			y = b.Logistic(x)
		case 4:
			y = b.Mul(x, b.Rsqrt(b.Add(b.Mean(b.Mul(x, x), []int{rank - 1}, true), b.Scalar("", 1e-3))))
		case 5:
			y = b.Softmax(x)
		case 6:
			if width%2 == 0 {
				halves := b.Split(x, rank-1, 2)
				y = b.Concat(rank-1, halves[1], b.Neg(halves[0]))
				break
			}
			y = b.Neg(x)
		case 7:
			flat := b.Reshape(x, sizeOf(shape)/width, width)
			y = b.Reshape(b.Tanh(flat), shape...)
		case 8:
			y = b.Sub(x, b.Reduce(schema.BuiltinOperatorREDUCE_MAX, x, []int{rank - 1}, true))
		}
		tensors = append(tensors, y)
	}
	outputs := tensors[len(tensors)-1:]
	if r.IntN(2) == 0 && len(tensors) > 2 {
		outputs = append(outputs, tensors[1+r.IntN(len(tensors)-2)])
	}
	return outputs
}

func TestFusedRowsAreTheSameBytesAsOperatorsOneByOne(t *testing.T) {
	shapes := [][]int{{1, 12, 24}, {2, 3, 4, 16}, {130, 3}, {1, 700}, {5, 1, 9, 10}, {64, 192}, {3, 257}}
	fused := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 11))
		shape := shapes[r.IntN(len(shapes))]
		arrays := []graph.Array{random(r, graph.Float32, shape...)}
		// Operands that stretch: any of the dimensions may be 1.
		for range 3 {
			s := append([]int(nil), shape...)
			for i := range s {
				if r.IntN(2) == 0 {
					s[i] = 1
				}
			}
			arrays = append(arrays, random(r, graph.Float32, s[r.IntN(len(s)):]...))
		}
		m, inputs := modelOf(t, func(b *graph.Builder, x []graph.T) []graph.T { return rowModel(r, b, x) },
			func(i int) bool { return i == 2 }, arrays...)
		var want []graph.Array
		for _, o := range []Options{{Threads: 1, NoFusion: true}, {Threads: 1}, {Threads: 3}} {
			e := compiledWith(t, m, o)
			for range 2 {
				got := ran(t, e, len(m.Subgraphs[0].Outputs), inputs...)
				if want == nil {
					want = got
				}
				for i := range got {
					if !bytes.Equal(got[i].Data, want[i].Data) {
						t.Fatalf("model %d of shape %v, %+v: output %d differs", seed, shape, o, i)
					}
				}
			}
			for _, s := range e.(*executable).steps {
				if s.run != nil {
					fused++
				}
			}
		}
	}
	if fused < 200 {
		t.Errorf("%d steps of several operators in 200 models", fused)
	}
}

func TestANormAfterAProductIsOneStep(t *testing.T) {
	r := seeded(t)
	x, w := random(r, graph.Float32, 70, 24), random(r, graph.Float32, 32, 24)
	m, _ := modelOf(t, one(func(b *graph.Builder, in []graph.T) graph.T {
		y := b.FullyConnected(in[0], in[1], graph.None, graph.ActNone)
		heads := b.Reshape(y, 70, 4, 8)
		return b.Mul(heads, b.Rsqrt(b.Add(b.Mean(b.Mul(heads, heads), []int{2}, true), b.Scalar("eps", 1e-6))))
	}), func(i int) bool { return i == 1 }, x, w)
	e := compiledWith(t, m, Options{Threads: 2})
	alone := compiledWith(t, m, Options{Threads: 2, NoFusion: true})
	if n, without := len(e.(*executable).steps), len(alone.(*executable).steps); n != 1 || without != len(m.Subgraphs[0].Ops) {
		t.Errorf("%d steps, %d without fusion", n, without)
	}
	sameBytes(t, "fused", ran(t, e, 1, x)[0], ran(t, alone, 1, x)[0])
	if with, without := e.(*executable).arenaBytes, alone.(*executable).arenaBytes; with >= without {
		t.Errorf("%d bytes between operators, %d without fusion", with, without)
	}
}

// A row operator that reads the product's rows in another order must wait for
// all of them.
func TestARowThatReadsAnotherRowOfAProductWaits(t *testing.T) {
	r := seeded(t)
	x, w, z := random(r, graph.Float32, 1, 300, 24), random(r, graph.Float32, 32, 24), random(r, graph.Float32, 2, 300, 32)
	m, _ := modelOf(t, one(func(b *graph.Builder, in []graph.T) graph.T {
		y := b.FullyConnected(in[0], in[1], graph.None, graph.ActNone)
		y = b.Reshape(y, 1, 300, 32)
		return b.Logistic(b.Add(in[2], y))
	}), func(i int) bool { return i == 1 }, x, w, z)
	e := compiledWith(t, m, Options{Threads: 3})
	sameBytes(t, "fused", ran(t, e, 1, x, z)[0], ran(t, compiledWith(t, m, Options{Threads: 1, NoFusion: true}), 1, x, z)[0])
}

// attentionCase is one way to write attention down.
type attentionCase struct {
	name                     string
	heads, queries, keys     int
	dim, valueDim            int
	scaled, biased           bool
	transposed, keysInColumn bool
}

func TestFusedAttentionIsWhatTheOperatorsCompute(t *testing.T) {
	for _, c := range []attentionCase{
		{"one head", 1, 5, 5, 8, 8, false, false, false, false},
		{"several panels", 3, 88, 88, 64, 64, false, false, false, false},
		{"more keys than a block of depth", 2, 40, 900, 16, 24, true, false, false, false},
		{"a mask for each head", 4, 24, 24, 32, 32, false, true, false, false},
		{"heads in the last dimension", 6, 33, 21, 10, 7, true, true, true, false},
		{"keys transposed already", 2, 9, 17, 5, 3, true, false, false, true},
		{"one query", 2, 1, 50, 12, 12, true, true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := seeded(t)
			matrix := func(rows, columns int) graph.Array {
				if c.transposed {
					return random(r, graph.Float32, 1, rows, c.heads, columns)
				}
				return random(r, graph.Float32, 1, c.heads, rows, columns)
			}
			xs := []graph.Array{matrix(c.queries, c.dim), matrix(c.keys, c.dim), matrix(c.keys, c.valueDim), random(r, graph.Float32, 1, 1, c.queries, c.keys)}
			m, inputs := modelOf(t, one(func(b *graph.Builder, x []graph.T) graph.T {
				q, k, v := x[0], x[1], x[2]
				if c.transposed {
					q, k, v = b.Transpose(q, 0, 2, 1, 3), b.Transpose(k, 0, 2, 1, 3), b.Transpose(v, 0, 2, 1, 3)
				}
				if c.keysInColumn {
					k = b.Transpose(k, 0, 1, 3, 2)
				}
				scores := b.BatchMatMul(q, k, false, !c.keysInColumn)
				if c.scaled {
					scores = b.Mul(scores, b.Scalar("scale", 0.3))
				}
				if c.biased {
					scores = b.Add(scores, x[3])
				}
				y := b.BatchMatMul(b.Softmax(scores), v, false, false)
				if c.transposed {
					y = b.Transpose(y, 0, 2, 1, 3)
				}
				return y
			}), never, xs...)
			want := ran(t, compiledWith(t, m, Options{Threads: 1, NoFusion: true}), 1, inputs...)[0]
			var first graph.Array
			for _, threads := range []int{1, 3} {
				e := compiledWith(t, m, Options{Threads: threads})
				if n := len(e.(*executable).steps); n != 1 {
					t.Fatalf("%d steps", n)
				}
				got := ran(t, e, 1, inputs...)[0]
				same(t, got, tensorOf(want), 3e-6)
				if first.Data == nil {
					first = got
				}
				sameBytes(t, "on more threads", got, first)
			}
		})
	}
}

func TestScoresThatAreReadElsewhereAreNotFusedAway(t *testing.T) {
	r := seeded(t)
	x := random(r, graph.Float32, 2, 6, 4)
	m, inputs := modelOf(t, func(b *graph.Builder, in []graph.T) []graph.T {
		weights := b.Softmax(b.BatchMatMul(in[0], in[0], false, true))
		return []graph.T{b.BatchMatMul(weights, in[0], false, false), weights}
	}, never, x)
	got, want := ran(t, compiledWith(t, m, Options{Threads: 1}), 2, inputs...), ran(t, compiledWith(t, m, Options{Threads: 1, NoFusion: true}), 2, inputs...)
	for i := range got {
		sameBytes(t, "fused", got[i], want[i])
	}
}
