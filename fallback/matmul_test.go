package fallback

import (
	"fmt"
	"math"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestFullyConnectedIsTheProductWithTransposedWeights(t *testing.T) {
	// Sizes around those of tiles, panels, blocks of rows and of depth.
	for _, s := range []struct{ rows, in, out int }{
		{1, 1, 1}, {1, 5, 3}, {2, 3, 33}, {5, 17, 6}, {12, 32, 32}, {13, 31, 65}, {88, 192, 96},
		{97, 383, 31}, {100, 384, 16}, {7, 385, 64}, {3, 800, 70}, {200, 33, 47}, {0, 4, 3},
	} {
		t.Run(fmt.Sprintf("%d×%d to %d", s.rows, s.in, s.out), func(t *testing.T) {
			r := seeded(t)
			x, w, bias := random(r, graph.Float32, s.rows, s.in), random(r, graph.Float32, s.out, s.in), random(r, graph.Float32, s.out)
			got := evaluate(t, one(func(b *graph.Builder, x []graph.T) graph.T {
				return b.FullyConnected(x[0], x[1], x[2], graph.ActNone)
			}), x, w, bias)
			want := newTensor(s.rows, s.out)
			a, c, d := tensorOf(x), tensorOf(w), tensorOf(bias)
			every(want.shape, func(i []int) {
				sum := d.at(i[1])
				for k := range s.in {
					sum += a.at(i[0], k) * c.at(i[1], k)
				}
				want.data[want.flat(i...)] = sum
			})
			same(t, got[0], want, 1e-6*float64(s.in+8))
		})
	}
}

func TestFullyConnectedFusesItsActivation(t *testing.T) {
	r := seeded(t)
	x, w := random(r, graph.Float32, 9, 20), random(r, graph.Float32, 40, 20)
	run := func(act graph.Activation) graph.Array {
		return evaluate(t, one(func(b *graph.Builder, x []graph.T) graph.T {
			return b.FullyConnected(x[0], x[1], graph.None, act)
		}), x, w)[0]
	}
	plain := tensorOf(run(graph.ActNone))
	for act, f := range map[graph.Activation]func(float64) float64{
		graph.ActRelu:       func(v float64) float64 { return max(v, 0) },
		graph.ActRelu6:      func(v float64) float64 { return min(max(v, 0), 6) },
		graph.ActReluN1To1:  func(v float64) float64 { return min(max(v, -1), 1) },
		graph.ActTanh:       math.Tanh,
		graph.Activation(0): func(v float64) float64 { return v },
	} {
		want := newTensor(plain.shape...)
		for i, v := range plain.data {
			want.data[i] = f(v)
		}
		same(t, run(act), want, 3e-7) // tanh is within 4 units in the last place
	}
}

func TestBatchMatMulMultipliesEachPairOfMatrices(t *testing.T) {
	for _, c := range []struct {
		x, y       []int
		adjX, adjY bool
	}{
		{x: []int{3, 4}, y: []int{4, 5}},
		{x: []int{2, 3, 4}, y: []int{2, 4, 5}},
		{x: []int{1, 3, 88, 32}, y: []int{1, 3, 88, 32}, adjY: true},
		{x: []int{1, 3, 32, 13}, y: []int{1, 3, 32, 9}, adjX: true},
		{x: []int{2, 7, 3}, y: []int{2, 5, 7}, adjX: true, adjY: true},
		{x: []int{2, 3, 4, 5}, y: []int{5, 6}},
		{x: []int{4, 5}, y: []int{2, 3, 5, 6}},
		{x: []int{2, 1, 4, 5}, y: []int{1, 3, 5, 6}},
		{x: []int{3, 1, 40, 50}, y: []int{1, 1, 50, 60}},
		{x: []int{2, 5, 4}, y: []int{1, 5, 6}, adjX: true},
		{x: []int{2, 3, 0}, y: []int{2, 0, 5}},
		{x: []int{0, 3, 4}, y: []int{0, 4, 5}},
		{x: []int{1, 1, 400}, y: []int{1, 400, 1}},
	} {
		t.Run(fmt.Sprintf("%v by %v, transposed %v %v", c.x, c.y, c.adjX, c.adjY), func(t *testing.T) {
			r := seeded(t)
			x, y := random(r, graph.Float32, c.x...), random(r, graph.Float32, c.y...)
			got := evaluate(t, one(func(b *graph.Builder, x []graph.T) graph.T {
				return b.BatchMatMul(x[0], x[1], c.adjX, c.adjY)
			}), x, y)
			a, d := matrices(tensorOf(x), c.adjX), matrices(tensorOf(y), c.adjY)
			batch, err := broadcastShapes(c.x[:len(c.x)-2], c.y[:len(c.y)-2])
			if err != nil {
				t.Fatal(err)
			}
			rows, depth, columns := a.shape[len(c.x)-2], a.shape[len(c.x)-1], d.shape[len(c.y)-1]
			want := newTensor(append(append([]int(nil), batch...), rows, columns)...)
			every(want.shape, func(i []int) {
				sum := 0.0
				outer, row, column := i[:len(i)-2], i[len(i)-2], i[len(i)-1]
				for k := range depth {
					sum += a.stretched(append(append([]int(nil), outer...), row, k)) * d.stretched(append(append([]int(nil), outer...), k, column))
				}
				want.data[want.flat(i...)] = sum
			})
			same(t, got[0], want, 1e-6*float64(depth+8))
		})
	}
}

// matrices transposes the last two dimensions when asked to.
func matrices(x tensor, adjoint bool) tensor {
	if !adjoint {
		return x
	}
	n := len(x.shape)
	shape := append([]int(nil), x.shape...)
	shape[n-2], shape[n-1] = shape[n-1], shape[n-2]
	out := newTensor(shape...)
	every(x.shape, func(i []int) {
		j := append([]int(nil), i...)
		j[n-2], j[n-1] = j[n-1], j[n-2]
		out.data[out.flat(j...)] = x.at(i...)
	})
	return out
}

func TestRightHandSidesMayChangeBetweenRuns(t *testing.T) {
	r := seeded(t)
	picture, kernel := []int{1, 4, 5, 3}, []int{6, 2, 2, 3}
	for name, c := range map[string]struct {
		x, w  []int
		build builder
	}{
		"fully connected": {[]int{3, 20}, []int{9, 20}, one(func(b *graph.Builder, x []graph.T) graph.T {
			return b.FullyConnected(x[0], x[1], graph.None, graph.ActNone)
		})},
		"batch matmul": {[]int{2, 3, 20}, []int{2, 20, 9}, one(func(b *graph.Builder, x []graph.T) graph.T { return b.BatchMatMul(x[0], x[1], false, false) })},
		"convolution": {picture, kernel, one(func(b *graph.Builder, x []graph.T) graph.T {
			return b.Conv2D(x[0], x[1], graph.None, 1, graph.Same, graph.ActNone)
		})},
		"transposed convolution": {picture, kernel, one(func(b *graph.Builder, x []graph.T) graph.T {
			return b.TransposeConv(x[0], x[1], graph.None, 8, 10, graph.ConvOptions{StrideH: 2, StrideW: 2, Padding: graph.Same})
		})},
	} {
		x := random(r, graph.Float32, c.x...)
		m, _ := modelOf(t, c.build, never, x, random(r, graph.Float32, c.w...))
		e := compiled(t, m, 2)
		for range 3 {
			w := random(r, graph.Float32, c.w...)
			sameBytes(t, name, ran(t, e, 1, x, w)[0], ran(t, compiled(t, m, 1), 1, x, w)[0])
		}
	}
}

func TestOperandsThatDoNotGoTogetherAreErrors(t *testing.T) {
	float := func(shape ...int) graph.Tensor {
		return graph.Tensor{Type: graph.Float32, Shape: shape, HasRank: true}
	}
	for name, c := range map[string]struct {
		code    graph.OpCode
		options any
		in      [][]int
	}{
		"weights of another depth": {schema.BuiltinOperatorFULLY_CONNECTED, &schema.FullyConnectedOptionsT{}, [][]int{{2, 3}, {4, 5}}},
		"a bias of another size":   {schema.BuiltinOperatorFULLY_CONNECTED, &schema.FullyConnectedOptionsT{}, [][]int{{2, 3}, {4, 3}, {5}}},
		"weights of depth 0":       {schema.BuiltinOperatorFULLY_CONNECTED, &schema.FullyConnectedOptionsT{}, [][]int{{2, 0}, {4, 0}}},
		"matrices of other depths": {schema.BuiltinOperatorBATCH_MATMUL, &schema.BatchMatMulOptionsT{}, [][]int{{2, 3}, {4, 5}}},
		"a vector as a matrix":     {schema.BuiltinOperatorBATCH_MATMUL, &schema.BatchMatMulOptionsT{}, [][]int{{3}, {3, 5}}},
		"channels that differ":     {schema.BuiltinOperatorCONV_2D, &schema.Conv2DOptionsT{StrideH: 1, StrideW: 1}, [][]int{{1, 4, 4, 3}, {8, 3, 3, 2}}},
		"a stride of 0":            {schema.BuiltinOperatorCONV_2D, &schema.Conv2DOptionsT{}, [][]int{{1, 4, 4, 3}, {8, 3, 3, 3}}},
		"a picture of 3 dimensions": {schema.BuiltinOperatorCONV_2D, &schema.Conv2DOptionsT{StrideH: 1, StrideW: 1},
			[][]int{{4, 4, 3}, {8, 3, 3, 3}}},
		"depthwise channels that differ": {schema.BuiltinOperatorDEPTHWISE_CONV_2D, &schema.DepthwiseConv2DOptionsT{StrideH: 1, StrideW: 1},
			[][]int{{1, 4, 4, 3}, {1, 3, 3, 4}}},
		"a pool without size":        {schema.BuiltinOperatorMAX_POOL_2D, &schema.Pool2DOptionsT{StrideH: 1, StrideW: 1}, [][]int{{1, 4, 4, 3}}},
		"shapes that do not stretch": {schema.BuiltinOperatorADD, &schema.AddOptionsT{}, [][]int{{2, 3}, {2}}},
		"a scalar in rows":           {schema.BuiltinOperatorSOFTMAX, &schema.SoftmaxOptionsT{Beta: 1}, [][]int{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := graph.NewBuilder("bad")
			var in []graph.T
			for i, s := range c.in {
				in = append(in, b.Input(fmt.Sprint("x", i), graph.Float32, s...))
			}
			b.Output("y", b.Op(c.code, 0, c.options, in, float(1))[0])
			m, err := b.Model()
			if err != nil {
				t.Fatal(err)
			}
			e, err := New(Options{}).Compile(t.Context(), m)
			if err == nil {
				_ = e.Close()
				t.Fatal("it was compiled")
			}
			t.Log(err)
		})
	}
}
