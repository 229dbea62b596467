package partition

import (
	"math"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestMACsAreThoseOfTheFormulas(t *testing.T) {
	b := graph.NewBuilder("cost")
	constant := func(shape ...int) graph.T { return b.Const("c", graph.NewArray(graph.Float32, shape...)) }
	image := b.Input("image", graph.Float32, 1, 8, 6, 4)
	rows := b.Input("rows", graph.Float32, 1, 10, 16)
	b.Output("conv", b.Conv2D(image, constant(5, 3, 3, 4), graph.None, 2, graph.Same, graph.ActNone))
	b.Output("depthwise", b.DepthwiseConv2D(image, constant(1, 3, 3, 4), graph.None, 1, graph.Same, graph.ActNone))
	b.Output("linear", b.FullyConnected(rows, constant(7, 16), graph.None, graph.ActNone))
	b.Output("matmul", b.BatchMatMul(rows, rows, false, true))
	b.Output("adjoint", b.BatchMatMul(rows, rows, true, false))
	b.Output("add", b.Add(rows, rows))
	m := built(t, b)
	want := map[string]int64{
		"conv": 4 * 3 * 5 * 3 * 3 * 4, "depthwise": 8 * 6 * 4 * 3 * 3, "linear": 10 * 7 * 16,
		"matmul": 10 * 10 * 16, "adjoint": 16 * 16 * 10, "add": 0,
	}
	for i := range m.Subgraphs[0].Ops {
		name := m.Subgraphs[0].Tensors[m.Subgraphs[0].Ops[i].Outputs[0]].Name
		if w, listed := want[name]; listed && MACs(m, 0, i) != w {
			t.Errorf("%s: %d, want %d", name, MACs(m, 0, i), w)
		}
	}
}

func TestMACsOfAbsurdShapesDoNotOverflow(t *testing.T) {
	huge := graph.Tensor{Shape: []int{1 << 40, 1 << 40}}
	m := &graph.Model{Buffers: []graph.Buffer{{}}, Subgraphs: []graph.Subgraph{{
		Tensors: []graph.Tensor{huge, huge, huge},
		Ops: []graph.Op{
			{Code: schema.BuiltinOperatorFULLY_CONNECTED, Inputs: []int{0, 1}, Outputs: []int{2}},
			{Code: schema.BuiltinOperatorFULLY_CONNECTED},
			{Code: schema.BuiltinOperatorBATCH_MATMUL, Inputs: []int{0, 1}, Outputs: []int{2}, Options: (*schema.BatchMatMulOptionsT)(nil)},
			{Code: schema.BuiltinOperatorTRANSPOSE_CONV, Inputs: []int{0}, Outputs: []int{2}},
			{Code: schema.BuiltinOperatorSVDF, Inputs: []int{0, 1}, Outputs: []int{2}},
		},
	}}}
	if got := MACs(m, 0, 0); got != math.MaxInt64 {
		t.Errorf("%d", got)
	}
	for i := range m.Subgraphs[0].Ops {
		if MACs(m, 0, i) < 0 {
			t.Errorf("operator %d: negative", i)
		}
	}
}
