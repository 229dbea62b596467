package support

import (
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestWhatCoreMLStretches(t *testing.T) {
	for _, c := range []struct {
		name  string
		x, y  []int
		fixed bool // y is a constant
		taken bool
	}{
		{"equal shapes", []int{4, 6, 6, 8}, []int{4, 6, 6, 8}, false, true},
		{"a bias of channels, one batch", []int{1, 6, 6, 8}, []int{8}, true, true},
		{"a bias of channels, four batches", []int{4, 6, 6, 8}, []int{8}, true, false},
		{"a constant scalar, four batches", []int{4, 6, 6, 8}, []int{}, true, true},
		{"a constant of one element, four batches", []int{4, 6, 6, 8}, []int{1, 1, 1, 1}, true, true},
		{"a computed scalar, four batches", []int{4, 6, 6, 8}, []int{}, false, false},
		{"a computed scalar, one batch", []int{1, 6, 6, 8}, []int{}, false, true},
		{"one channel", []int{1, 6, 6, 8}, []int{1, 6, 6, 1}, false, true},
		{"one row of many", []int{1, 6, 6, 8}, []int{1, 6, 1, 8}, false, false},
		{"tokens and a row of channels", []int{1, 6, 8}, []int{1, 1, 8}, false, true},
		{"tokens and a column of scales", []int{1, 6, 8}, []int{1, 6, 1}, false, true},
		{"heads of tokens and a column of scales", []int{4, 6, 8}, []int{1, 6, 8}, false, false}, // heads are the height
		{"both sides stretched", []int{1, 1, 1, 8}, []int{1, 6, 6, 1}, false, true},
		{"five dimensions", []int{1, 1, 6, 6, 8}, []int{8}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, swap := range []bool{false, true} {
				m, op := built(t, schema.BuiltinOperatorMUL, func(b *graph.Builder) graph.T {
					x, y := b.Input("x", graph.Float32, c.x...), graph.None
					if n := elementsOf(c.y); c.fixed {
						y = graph.ConstOf(b, "y", make([]float32, n), c.y...)
					} else {
						y = b.Input("y", graph.Float32, c.y...)
					}
					if swap {
						x, y = y, x
					}
					return b.Mul(x, y)
				})
				if r := mustTable(t, "coreml-3").Check(m, 0, op); (r == nil) != c.taken {
					t.Errorf("swapped %v: %v", swap, r)
				}
			}
		})
	}
}

func TestNNAPIMultipliesMatricesWithoutBroadcasting(t *testing.T) {
	for _, c := range []struct {
		x, y  []int
		taken bool
	}{
		{[]int{2, 4, 8}, []int{2, 8, 5}, true},
		{[]int{4, 8}, []int{8, 5}, true},
		{[]int{2, 4, 8}, []int{1, 8, 5}, false},
		{[]int{2, 4, 8}, []int{8, 5}, false},
		{[]int{2, 3, 4, 8}, []int{2, 3, 8, 5}, true},
		{[]int{1, 2, 3, 4, 8}, []int{1, 2, 3, 8, 5}, false},
	} {
		m, op := built(t, schema.BuiltinOperatorBATCH_MATMUL, func(b *graph.Builder) graph.T {
			return b.BatchMatMul(b.Input("x", graph.Float32, c.x...), b.Input("y", graph.Float32, c.y...), false, false)
		})
		if r := mustTable(t, "nnapi-fl6").Check(m, 0, op); (r == nil) != c.taken {
			t.Errorf("%v · %v: %v", c.x, c.y, r)
		}
	}
}

func TestCoreMLMultipliesOneVectorByWeights(t *testing.T) {
	for _, c := range []struct {
		x     []int
		taken bool
	}{{[]int{1, 8}, true}, {[]int{2, 8}, false}} {
		m, op := built(t, schema.BuiltinOperatorFULLY_CONNECTED, func(b *graph.Builder) graph.T {
			return b.FullyConnected(b.Input("x", graph.Float32, c.x...), weights(b, "float16", 4, 8), graph.None, graph.ActNone)
		})
		if r := mustTable(t, "coreml-2").Check(m, 0, op); (r == nil) != c.taken {
			t.Errorf("%v: %v", c.x, r)
		}
	}
}
