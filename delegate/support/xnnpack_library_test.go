//go:build tflite

package support

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tphakala/go-tflite/delegates/xnnpack"

	"nanoflux/delegate"
	"nanoflux/delegate/delegatetest"
	"nanoflux/delegate/tflite"
	"nanoflux/graph"
	"nanoflux/graph/schema"
	"nanoflux/models/bundle/pocket"
)

// left are the operators that the real XNNPACK leaves to the interpreter. The
// error says why the interpreter does not take the model at all.
func left(t *testing.T, m *graph.Model) ([]int, error) {
	t.Helper()
	for op := range m.Subgraphs[0].Ops {
		if r := tflite.Supports(m, 0, op); r != nil {
			return nil, r
		}
	}
	e, err := tflite.Compile(t.Context(), m, tflite.Config{Name: "xnnpack", Threads: 1, Delegate: func() (tflite.Delegate, error) {
		return xnnpack.New(xnnpack.DelegateOptions{NumThreads: 1}).(*xnnpack.Delegate), nil
	}})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	return e.(delegate.Delegated).Taken().Left, nil
}

// feedsOne reports whether op is a DEQUANTIZE whose output one of ops uses.
func feedsOne(g *graph.Subgraph, op int, ops []int) bool {
	return g.Ops[op].Code == schema.BuiltinOperatorDEQUANTIZE && slices.ContainsFunc(ops, func(user int) bool {
		return slices.Contains(g.Ops[user].Inputs, g.Ops[op].Outputs[0])
	})
}

// The real XNNPACK takes what its table takes: on the cases of the compliance
// suite, and on each row's sample in each type.
func TestXNNPACKTakesWhatItsTableSays(t *testing.T) {
	tab := mustTable(t, "xnnpack")
	agreed, more := 0, 0
	check := func(name string, m *graph.Model) {
		rest, err := left(t, m)
		if err != nil {
			t.Logf("%s: TensorFlow Lite does not take it: %v", name, err)
			return
		}
		g := &m.Subgraphs[0]
		for op := range g.Ops {
			refusal := tab.Check(m, 0, op)
			isLeft := slices.Contains(rest, op)
			switch {
			case refusal == nil && isLeft && feedsOne(g, op, rest):
				// Constants are unpacked where all their users are taken.
			case refusal == nil && isLeft:
				t.Errorf("%s: the library leaves op %d, %s, which the table takes", name, op, g.Ops[op].Name())
			case refusal != nil && !isLeft:
				more++
				t.Logf("%s: the library takes op %d, %s, which the table refuses by %v", name, op, g.Ops[op].Name(), refusal)
			default:
				agreed++
			}
		}
	}
	for _, c := range delegatetest.Cases() {
		check(c.Name, c.Model)
	}
	for _, stored := range []string{"float32", "float16", "int8", "int8 rows", "hybrid", "computed"} {
		for _, shape := range [][]int{{1, 8}, {3, 8}, {1, 3, 8}} {
			m, _ := built(t, schema.BuiltinOperatorFULLY_CONNECTED, func(b *graph.Builder) graph.T {
				return b.FullyConnected(b.Input("x", graph.Float32, shape...), weights(b, stored, 4, 8), graph.ConstOf(b, "bias", make([]float32, 4)), graph.ActNone)
			})
			check(fmt.Sprint("weights ", stored, shape), m)
		}
	}
	b, err := pocket.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for part := range b.Manifest().Parts {
		m, err := b.Model(part)
		if err != nil {
			t.Fatal(err)
		}
		check(part, m)
	}
	for _, w := range writtenRows(t, "xnnpack.psv", nil) {
		switch w.name {
		case "CUSTOM", "DENSIFY", "STABLEHLO_COMPOSITE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE":
			continue // their samples are no models that run
		}
		for _, to := range []graph.TensorType{graph.Float32, graph.Int8, graph.Uint8} {
			m := w.sample(t, tab)
			if to != graph.Float32 {
				w.retype(m, []int{dataInput(&m.Subgraphs[0].Ops[0])}, to)
			}
			check(fmt.Sprint(w.name, " ", to), m)
		}
	}
	if agreed < 200 {
		t.Errorf("only %d operators were tried; the library takes %d more", agreed, more)
	}
}
