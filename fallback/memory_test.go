package fallback

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"nanoflux/graph"
)

// A random model of 24 numbers in each tensor, with the reference's values kept
// beside. Numbers are small integers, so that float32 is exact.
type randomModel struct {
	*graph.Builder
	r       *rand.Rand
	tensors []graph.T
	values  [][]float32
}

func (m *randomModel) add(x graph.T, values []float32) {
	m.tensors, m.values = append(m.tensors, x), append(m.values, values)
}

// shapes24 are the shapes that tensors have.
var shapes24 = [][]int{{24}, {4, 6}, {2, 3, 4}, {1, 24}, {6, 1, 4}}

// step adds one operator on tensors that are there.
func (m *randomModel) step() {
	i := m.r.IntN(len(m.tensors))
	x, v := m.tensors[i], m.values[i]
	out := make([]float32, len(v))
	switch m.r.IntN(5) {
	case 0: // y = −x
		for k := range v {
			out[k] = -v[k]
		}
		m.add(m.Neg(x), out)
	case 1, 2: // the same bytes in another shape
		copy(out, v)
		m.add(m.Reshape(x, shapes24[m.r.IntN(len(shapes24))]...), out)
	case 3: // x + y, y brought to x's shape
		j := m.r.IntN(len(m.tensors))
		for k := range v {
			out[k] = min(v[k]+m.values[j][k], 6)
		}
		m.add(m.Minimum(m.Add(x, m.Reshape(m.tensors[j], m.Shape(x)...)), m.Scalar(fmt.Sprint("six", len(m.tensors)), 6)), out)
	case 4: // a column first
		t := m.Transpose(m.Reshape(x, 4, 6), 1, 0)
		for k := range v {
			out[k] = v[k%4*6+k/4]
		}
		m.add(t, out)
	}
}

func TestRandomModelsComputeEveryTensorAsIfMemoryWereNeverShared(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		m := &randomModel{Builder: graph.NewBuilder("random"), r: r}
		var inputs []graph.Array
		for i := range 1 + r.IntN(3) {
			x := random(r, graph.Int32, 24)
			f := graph.NewArray(graph.Float32, 24)
			for k, v := range graph.View[int32](x.Data) {
				graph.View[float32](f.Data)[k] = float32(v)
			}
			inputs = append(inputs, f)
			m.add(m.Input(fmt.Sprint("x", i), graph.Float32, 24), graph.View[float32](f.Data))
		}
		for range 3 + r.IntN(25) {
			m.step()
		}
		var outputs []int
		for i := range m.tensors {
			if i == len(m.tensors)-1 || r.IntN(6) == 0 {
				outputs = append(outputs, i)
				m.Output(fmt.Sprint("y", i), m.tensors[i])
			}
		}
		model, err := m.Model()
		if err != nil {
			t.Fatal(err)
		}
		e := compiled(t, model, 1+int(seed%2))
		for range 2 {
			for k, got := range ran(t, e, len(outputs), inputs...) {
				want := m.values[outputs[k]]
				for j, v := range graph.View[float32](got.Data) {
					if v != want[j] {
						t.Fatalf("model %d: element %d of tensor %d is %v, want %v", seed, j, outputs[k], v, want[j])
					}
				}
			}
		}
	}
}
