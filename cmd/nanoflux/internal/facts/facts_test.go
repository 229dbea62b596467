package facts

import (
	"encoding/json"
	"strings"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func sample() *graph.Model {
	return &graph.Model{
		Name:        "sample.tflite",
		Description: "a sample\x1b[2J",
		Buffers:     []graph.Buffer{nil, make([]byte, 1500), make([]byte, 4)},
		Subgraphs: []graph.Subgraph{{
			Name: "main",
			Tensors: []graph.Tensor{
				{Name: "in", Type: graph.Int8, Shape: []int{1, 4}, ShapeSignature: []int{-1, 4}, Quantization: &graph.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{-3}}},
				{Name: "weight", Type: graph.Int8, Shape: []int{1500}, Buffer: 1},
				{Name: "bias", Type: graph.Int32, Shape: []int{1}, Buffer: 2},
				{Name: "out", Type: graph.Int8},
			},
			Inputs: []int{0}, Outputs: []int{3},
			Ops: []graph.Op{
				{Code: schema.BuiltinOperatorTANH, Version: 1},
				{Code: schema.BuiltinOperatorRELU, Version: 2},
				{Code: schema.BuiltinOperatorRELU, Version: 2},
				{Code: schema.BuiltinOperatorCUSTOM, CustomCode: "Mine", Version: 1},
			},
		}},
		Signatures: []graph.Signature{{Key: "serve", Inputs: []graph.NamedTensor{{Name: "x"}}, Outputs: []graph.NamedTensor{{Name: "y", Tensor: 3}}}},
		Metadata:   []graph.Metadata{{Name: "min_runtime_version", Buffer: 2}},
	}
}

func TestAModelIsSummedUp(t *testing.T) {
	f := Of(sample())
	var b strings.Builder
	f.Print(&b)
	want := `sample.tflite: 1 subgraph, 1.5 kB of constants
"a sample\x1b[2J"

subgraph 0 main: 4 ops, 4 tensors
  input      in   INT8   [-1 4]  scale 0.5, zero point -3
  output     out  INT8   []
  constants  1    INT8   1.5 kB
  constants  1    INT32  4 B
  2          RELU v2
  1          Mine v1
  1          TANH v1

signature serve of subgraph 0: x → y

metadata min_runtime_version: 4 B
`
	if got := strings.Join(strings.Fields(b.String()), " "); got != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if strings.ContainsRune(b.String(), '\x1b') {
		t.Error("a terminal escape came through")
	}
	text, err := json.Marshal(f)
	if err != nil || strings.Contains(string(text), "null") {
		t.Errorf("JSON %s, %v", text, err)
	}
}

func TestSizesAreRounded(t *testing.T) {
	for n, want := range map[int]string{0: "0 B", 999: "999 B", 1000: "1 kB", 999_400: "999 kB", 999_600: "1 MB", 15_340_000: "15.3 MB", 2_400_000_000: "2.4 GB"} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
