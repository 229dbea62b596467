package support

import (
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestRowsOfTheCompilersAnswersAreChecked(t *testing.T) {
	for name, c := range map[string]struct{ row, want string }{
		"a row":                         {"ADD|0|F|1-5|68 69 73 75 79 81|", ""},
		"nobody takes it":               {"ADD|0|F|1|-|no", ""},
		"another number":                {"ADD|1|F|1|-|no", "ADD is not operator 1"},
		"no such operator":              {"ADDD|0|F|1|-|no", "not operator"},
		"no such type":                  {"ADD|0|Q|1|-|no", `no type "Q"`},
		"a name of two types":           {"ADD|0|Q8|1|-|no", `no type "Q8"`},
		"dimensions are no number":      {"ADD|0|F|x|-|no", `ranks "x"`},
		"dimensions end before they do": {"ADD|0|F|3-2|-|no", `ranks "3-2"`},
		"no dimensions":                 {"ADD|0|F|0|-|no", `ranks "0"`},
		"an HTP that was not asked":     {"ADD|0|F|1|66|no", `HTP "66"`},
		"an HTP twice":                  {"ADD|0|F|1|68 68|no", `HTP "68 68"`},
		"a refusal without a message":   {"ADD|0|F|1|68|", "message"},
		"a message without a refusal":   {"ADD|0|F|1|68 69 73 75 79 81|no", "message"},
		"dimensions twice":              {"ADD|0|F|1-3|-|no\nADD|0|F|3|-|no", `ranks "3" twice`},
		"a cell too few":                {"ADD|0|F|1|-", "5 cells"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseHTP(htpColumns + "\n" + c.row + "\n")
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// abs is ABS of a type and shape.
func abs(t *testing.T, typ graph.TensorType, q *graph.Quantization, shape ...int) *graph.Model {
	t.Helper()
	b := graph.NewBuilder("abs")
	x := b.Input("x", typ, shape...)
	if q != nil {
		x = b.QuantizedInput("q", typ, q, shape...)
	}
	b.Output("y", b.Op(schema.BuiltinOperatorABS, 1, nil, []graph.T{x}, graph.Tensor{Type: typ, Shape: shape, Quantization: q})[0])
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAChipAnswersAsItsCompilerDid(t *testing.T) {
	for _, c := range []struct {
		name, soc string
		model     *graph.Model
		want      delegate.Reason
	}{
		{"floats on v69", "SM8450", abs(t, graph.Float32, nil, 2, 3), ""},
		{"floats on v68, which has none", "SM8350", abs(t, graph.Float32, nil, 2, 3), delegate.ReasonSoC},
		{"a number is one dimension", "SM8750", abs(t, graph.Float32, nil), ""},
		{"more dimensions than were asked", "SM8750", abs(t, graph.Float32, nil, 1, 1, 1, 1, 2, 3), delegate.ReasonRank},
		{"a type that was not asked", "SM8750", abs(t, graph.Float64, nil, 2), delegate.ReasonType},
	} {
		t.Run(c.name, func(t *testing.T) {
			table, err := HTP(QNNOptions{SoC: c.soc})
			if err != nil {
				t.Fatal(err)
			}
			r := table.Check(c.model, 0, len(c.model.Subgraphs[0].Ops)-1)
			if (r == nil) != (c.want == "") || r != nil && r.Reason != c.want {
				t.Errorf("%v, want %q", r, c.want)
			}
		})
	}
	table, err := HTP(QNNOptions{SoC: "SM8350", Floats: graph.Int16})
	if err != nil {
		t.Fatal(err)
	}
	if r := table.Check(abs(t, graph.Float32, nil, 2, 3), 0, 0); r != nil {
		t.Errorf("floats that v68 computes with integers: %v", r)
	}
	if _, err := HTP(QNNOptions{SoC: "SM8250"}); err == nil || !strings.Contains(err.Error(), "v66") {
		t.Errorf("a chip before v68: %v", err)
	}
}

func TestAnOperandIsTheOneThatTheCompilerIsAskedBy(t *testing.T) {
	q := &graph.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{0}}
	b := graph.NewBuilder("operands")
	x := b.Input("x", graph.Float32, 2, 3)
	ids := b.Input("ids", graph.Int32, 4)
	on := b.Input("on", graph.Bool, 1, 2, 3)
	n := b.Input("n", graph.Int32, 2, 3)
	i8 := b.QuantizedInput("i8", graph.Int8, q, 2, 3, 4)
	table := b.Const("table", graph.Array{Type: graph.Float32, Shape: []int{5, 7}, Data: graph.Bytes(make([]float32, 35))})
	for _, y := range []graph.T{
		b.Gather(x, ids, 0), b.Gather(table, ids, 0), b.SelectV2(on, n, n), b.Cast(n, graph.Float32), b.Dequantize(i8), b.Pack(0, x, x),
	} {
		b.Output("y", y)
	}
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		typ  graph.TensorType
		rank int
	}{{graph.Float32, 2}, {graph.Float32, 2}, {graph.Int32, 3}, {graph.Int32, 2}, {graph.Int8, 3}, {graph.Float32, 3}} {
		if typ, rank := HTPOperand(m, 0, i); typ != want.typ || rank != want.rank {
			t.Errorf("%v: %v of %d dimensions, want %v of %d", m.Subgraphs[0].Ops[i].Name(), typ, rank, want.typ, want.rank)
		}
	}
}
