package compiler

import (
	"testing"

	"nanoflux/graph"
)

func TestReasonsAreTheVendors(t *testing.T) {
	b := graph.NewBuilder("m")
	x := b.Input("x", graph.Float32, 2, 3)
	b.Output("y", b.Elu(b.Add(b.Elu(x), x)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		said string
		want map[int]string
	}{
		"OpenVINO names a code": {"INFO: [openvino_compiler_plugin.cc:497] op type 111 is not supported\n",
			map[int]string{0: "the compiler has no such operator", 2: "the compiler has no such operator"}},
		"Qualcomm names an operator by number": {"ERROR: [qnn_compose_graph.cc:1722] \nLiteRT Op #2 'Elu' (code=111) is not supported in Qualcomm Compiler.\n",
			map[int]string{2: "not supported as Elu"}},
		"and its library why": {`     0.0ms [ ERROR ]   <E> Unsupported datatypes for 'Elu' in the node 'Elu_0'. A mismatch.
QNN op validation failed: 'Elu_0' (type=Elu)
ERROR: [qnn_compiler_plugin.cc:538]
LiteRT Op #0 'Elu' (code=111) is not supported in Qualcomm Compiler.
`, map[int]string{0: "Unsupported datatypes for 'Elu' in the node 'Elu_0'. A mismatch."}},
		"a number of something else":       {"LiteRT Op #1 'Elu' (code=111) is not supported\nLiteRT Op #7 'Elu' (code=111) is not supported\n", map[int]string{}},
		"a number that is too large":       {"op type 99999999999999999999 is not supported\nLiteRT Op #99999999999999999999 'Elu' (code=111) is not supported\n", map[int]string{}},
		"nothing about single operators":   {"WARNING: hm\n", map[int]string{}},
		"a node that nothing more is said": {"QNN op validation failed: 'Elu_9' (type=Elu)\nLiteRT Op #0 'Elu' (code=111) is not supported\n", map[int]string{0: "not supported as Elu"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := reasons(&m.Subgraphs[0], c.said)
			if len(got) != len(c.want) {
				t.Errorf("%v", got)
			}
			for op, reason := range c.want {
				if got[op] != reason {
					t.Errorf("operator %d: %q, want %q", op, got[op], reason)
				}
			}
		})
	}
}

// FuzzReadCompiled: code is a file from anywhere.
func FuzzReadCompiled(f *testing.F) {
	b := graph.NewBuilder("m")
	x := b.Input("x", graph.Float32, 2, 3)
	b.Output("y", b.Elu(b.Add(x, x)))
	m, err := b.Model()
	if err != nil {
		f.Fatal(err)
	}
	same, err := graph.Marshal(Segment(m))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(same)
	f.Add([]byte("no model"))
	f.Fuzz(func(t *testing.T, code []byte) {
		c, err := Read(code, m)
		if err == nil && len(c.Left) > 2*len(code) {
			t.Errorf("%+v", c)
		}
	})
}

func TestAFileOfTheSegmentItselfLeavesAll(t *testing.T) {
	b := graph.NewBuilder("m")
	x := b.Input("x", graph.Float32, 2, 3)
	b.Output("y", b.Elu(b.Add(x, x)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	code, err := graph.Marshal(Segment(m))
	if err != nil {
		t.Fatal(err)
	}
	c, err := Read(code, m)
	if err != nil || len(c.Left) != 2 || c.Partitions != 0 {
		t.Errorf("%+v, %v", c, err)
	}
}
