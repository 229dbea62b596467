package onnx

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"nanoflux/delegate/delegatetest"
	"nanoflux/graph"
)

// fields reads a message: what stands in each field, in order.
func fields(t *testing.T, m []byte) map[protowire.Number][]any {
	t.Helper()
	out := map[protowire.Number][]any{}
	for len(m) > 0 {
		number, kind, n := protowire.ConsumeTag(m)
		if n < 0 {
			t.Fatal("no tag")
		}
		m = m[n:]
		switch kind {
		case protowire.VarintType:
			v, n := protowire.ConsumeVarint(m)
			if n < 0 {
				t.Fatal("no number")
			}
			out[number], m = append(out[number], v), m[n:]
		case protowire.BytesType:
			v, n := protowire.ConsumeBytes(m)
			if n < 0 {
				t.Fatal("no bytes")
			}
			out[number], m = append(out[number], v), m[n:]
		case protowire.Fixed32Type:
			v, n := protowire.ConsumeFixed32(m)
			if n < 0 {
				t.Fatal("no fixed number")
			}
			out[number], m = append(out[number], v), m[n:]
		default:
			t.Fatalf("a field of kind %v", kind)
		}
	}
	return out
}

// names are the texts in field of each message of a list.
func names(t *testing.T, list []any, field protowire.Number) (out []string) {
	for _, m := range list {
		for _, name := range fields(t, m.([]byte))[field] {
			out = append(out, string(name.([]byte)))
		}
	}
	return out
}

func TestWhatIsWrittenNamesEveryValueBeforeItIsRead(t *testing.T) {
	for _, c := range slices.Concat(delegatetest.Cases(), delegatetest.QuantizedCases(1)) {
		t.Run(c.Name, func(t *testing.T) {
			for op := range c.Model.Subgraphs[0].Ops {
				if r := Check(c.Model, 0, op); r != nil {
					t.Fatal(r)
				}
			}
			m, err := Convert(c.Model, nil)
			if err != nil {
				t.Fatal(err)
			}
			data, err := m.Encode()
			if err != nil {
				t.Fatal(err)
			}
			file := fields(t, data)
			if file[1][0] != uint64(fileFormat) || len(file[7]) != 1 || len(file[8]) != 1 {
				t.Fatalf("the file has fields %v", file)
			}
			g := fields(t, file[7][0].([]byte))
			known := map[string]bool{"": true} // an operand that is left out
			for _, name := range slices.Concat(names(t, g[5], 8), names(t, g[11], 1)) {
				if known[name] {
					t.Errorf("%s twice", name)
				}
				known[name] = true
			}
			for _, n := range g[1] {
				node := fields(t, n.([]byte))
				for _, in := range node[1] {
					if !known[string(in.([]byte))] {
						t.Errorf("%s reads %s before anything writes it", node[3][0], in)
					}
				}
				for _, out := range node[2] {
					known[string(out.([]byte))] = true
				}
				if _, ok := OperatorOf(string(node[3][0].([]byte))); !ok && !strings.HasPrefix(string(node[3][0].([]byte)), "op-1") {
					t.Errorf("node %s belongs to no operator", node[3][0])
				}
			}
			for _, name := range names(t, g[12], 1) {
				if !known[name] {
					t.Errorf("nothing writes the output %s", name)
				}
			}
			if len(g[12]) != len(c.Model.Subgraphs[0].Outputs) {
				t.Errorf("%d outputs", len(g[12]))
			}
			for _, i := range g[5] {
				constant := fields(t, i.([]byte))
				n := 1
				for shape := constant[1][0].([]byte); len(shape) > 0; {
					d, used := protowire.ConsumeVarint(shape)
					n, shape = n*int(d), shape[used:]
				}
				if size := len(constant[9][0].([]byte)); n > 0 && (size%n != 0 || size == 0) {
					t.Errorf("%s has %d bytes for %d elements", constant[8][0], size, n)
				}
			}
		})
	}
}

func TestPicturesAreTransposedOnceBetweenConvolutions(t *testing.T) {
	b := graph.NewBuilder("two convolutions")
	w := b.Const("w", graph.NewArray(graph.Float32, 4, 3, 3, 4))
	bias := b.Const("b", graph.NewArray(graph.Float32, 4))
	x := b.Input("x", graph.Float32, 1, 8, 8, 4)
	y := b.Conv2D(x, w, graph.None, 1, graph.Same, graph.ActNone)
	y = b.Add(b.Logistic(b.Add(y, bias)), y)
	y = b.Conv2D(b.ResizeNearestNeighbor(y, 16, 16, false, false), w, graph.None, 1, graph.Same, graph.ActNone)
	b.Output("y", b.Concat(-1, y, y))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	o, err := Convert(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, n := range o.nodes {
		if n.op == "Transpose" {
			count++
		}
	}
	if count != 2 {
		t.Errorf("%d transpositions, must be one at each end", count)
	}
}

func TestDamagedModelsEndInErrorsNotInPanics(t *testing.T) {
	written := 0
	for n, c := range slices.Concat(delegatetest.Cases(), delegatetest.QuantizedCases(1)) {
		for k := range 100 {
			r := rand.New(rand.NewPCG(uint64(n), uint64(k)))
			m := delegatetest.Damaged(r, c.Model)
			if graph.Check(m) != nil {
				continue
			}
			for op := range m.Subgraphs[0].Ops {
				if r := Check(m, 0, op); r != nil && strings.Contains(r.Detail, "mistake") {
					t.Errorf("%s, %d: %v", c.Name, k, r)
				}
			}
			size := 0
			for i := range m.Subgraphs[0].Tensors {
				n, err := graph.ByteSize(m.Subgraphs[0].Tensors[i].Type, m.Subgraphs[0].Tensors[i].Shape)
				if err != nil || n > 1<<24 {
					size = 1 << 24
				}
			}
			o, err := Convert(m, nil)
			switch {
			case err != nil && strings.Contains(err.Error(), "mistake"):
				t.Errorf("%s, %d: %v", c.Name, k, err)
			case err == nil && size == 0:
				if _, err := o.Encode(); err != nil {
					t.Errorf("%s, %d: %v", c.Name, k, err)
				}
				written++
			}
		}
	}
	if written < 1000 {
		t.Errorf("only %d damaged models were written: the changes are too coarse", written)
	}
}

func TestANodeTellsItsOperator(t *testing.T) {
	for name, want := range map[string]int{"op0_0_Add": 0, "op12_3_MatMul_token_5": 12, "op7": 7} {
		if op, ok := OperatorOf(name); !ok || op != want {
			t.Errorf("%s: %d, %v", name, op, ok)
		}
	}
	for _, name := range []string{"", "op", "op-1_2_Reshape", "in3", "Transpose_op3"} {
		if op, ok := OperatorOf(name); ok {
			t.Errorf("%s: %d", name, op)
		}
	}
}
