package rewrite

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"nanoflux/graph"
)

// randomModel makes a graph of a dozen operators that the passes look for,
// each on any of the values so far.
func randomModel(r *rand.Rand) func(b *graph.Builder) {
	return func(b *graph.Builder) {
		shapes := [][]int{{1, 4, 6}, {1, 1, 4, 6}, {4, 6}, {2, 2, 6}, {1, 2, 2, 6}, {2, 1, 2, 1, 6}}
		values := []graph.T{b.Input("x", graph.Float32, 1, 4, 6), b.Input("z", graph.Float32, 1, 1, 4, 6)}
		pick := func() graph.T { return values[len(values)-1-r.IntN(min(3, len(values)))] }
		last := func(x graph.T) int { return b.Shape(x)[len(b.Shape(x))-1] }
		for range 14 {
			x := pick()
			rank := len(b.Shape(x))
			var y graph.T
			switch r.IntN(16) {
			case 0, 1:
				y = b.Reshape(x, shapes[r.IntN(len(shapes))]...)
			case 2:
				y = b.Transpose(x, r.Perm(rank)...)
			case 3, 4:
				y = b.FullyConnected(x, weights(b, "w", 6, last(x)), graph.None, graph.ActRelu)
			case 5:
				y = b.Gelu(x, true)
			case 6:
				y = b.Mul(x, b.Logistic(x))
			case 7:
				centred := b.Sub(x, b.Mean(x, []int{rank - 1}, true))
				y = b.Mul(centred, b.Rsqrt(b.Add(b.Mean(b.Square(centred), []int{-1}, true), b.Scalar("eps", 0.1))))
			case 8:
				y = b.Softmax(x)
			case 9:
				y = b.Div(x, b.Sqrt(b.Add(b.Square(x), b.Scalar("one", 1))))
			case 10:
				y = b.Add(x, weights(b, "v", last(x)))
			case 11:
				y = b.Squeeze(b.ExpandDims(b.Neg(x), 1), 1)
			case 12:
				parts := b.Unpack(b.Reshape(x, 2, 12), 0)
				y = b.Reshape(b.Pack(1, parts[1], parts[0]), 4, 6)
			case 13:
				q := b.Reshape(x, 2, 2, 6)
				y = b.BatchMatMul(b.Softmax(b.BatchMatMul(q, q, false, true)), q, false, false)
			case 14:
				w := pick()
				y = b.SquaredDifference(b.Reshape(x, 1, 4, 6), b.Reshape(w, 1, 1, 4, 6))
			case 15:
				y = b.Concat(0, b.Split(b.Reshape(x, 4, 6), 0, 2)...)
			}
			// Everything has 24 elements, so that everything goes with it, and
			// stays small.
			if elements(b.Shape(y)) != 24 {
				continue
			}
			values = append(values, b.Tanh(y))
		}
		b.Output("y", b.Abs(values[len(values)-1]))
		b.Output("z", b.Neg(values[len(values)-2]))
	}
}

// Any passes in the order of Passes keep what random models compute.
func TestRandomModelsAreTheSameAfterAnyPasses(t *testing.T) {
	for seed := range rounds(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 11))
			m := built(t, randomModel(r))
			names := everyPass()
			r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
			names = names[:1+r.IntN(len(names))]
			passes, err := ByName(names)
			if err != nil {
				t.Fatal(err)
			}
			out, _, err := Apply(m, passes)
			if err != nil {
				t.Fatalf("%v: %v", names, err)
			}
			sameInterface(t, m, out)
			inputs := randomInputs(r, m, false)
			want, got := ran(t, m, inputs), ran(t, out, inputs)
			for i := range want {
				if err := near(got[i], want[i], 1e-4, 0); err != nil {
					t.Fatalf("%v: output %d: %v\n%s\nbecame\n%s", names, i, err, listed(m), listed(out))
				}
			}
			for _, p := range passes {
				applied(t, p, m)
			}
		})
	}
}

// rounds is how often a random test is tried: a tenth where time is short, as on
// an emulated machine.
func rounds(n uint64) uint64 {
	if testing.Short() {
		return n / 10
	}
	return n
}
