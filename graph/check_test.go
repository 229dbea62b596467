package graph

import (
	"errors"
	"math"
	"strings"
	"testing"

	"nanoflux/graph/schema"
)

// TestCheckNamesWhatIsWrong breaks one thing at a time in a good model.
func TestCheckNamesWhatIsWrong(t *testing.T) {
	features := func(change func(m *Model, g *Subgraph)) *Model {
		m := featuresSample(t)
		change(m, &m.Subgraphs[0])
		return m
	}
	convolution := func(change func(m *Model, g *Subgraph)) *Model {
		m := convolutionSample(t)
		change(m, &m.Subgraphs[0])
		return m
	}
	scale := func(v float32) *Model {
		return convolution(func(m *Model, g *Subgraph) { g.Tensors[0].Quantization.Scale[0] = v })
	}
	sparsity := func(change func(s *schema.SparsityParametersT)) *Model {
		return features(func(m *Model, g *Subgraph) { change(g.Tensors[2].Sparsity) })
	}
	words := func(i int, v byte) *Model {
		return features(func(m *Model, g *Subgraph) { m.Buffers[1][i] = v })
	}
	blockwise := func(change func(m *Model, b *schema.BlockwiseQuantizationT)) *Model {
		return features(func(m *Model, g *Subgraph) {
			change(m, g.Tensors[4].Quantization.Details.Value.(*schema.BlockwiseQuantizationT))
		})
	}
	for _, c := range []struct {
		name string
		m    *Model
		want string
	}{
		{"no subgraph", &Model{Buffers: []Buffer{nil}}, "it has no subgraph"},
		{"buffer 0 with data", features(func(m *Model, g *Subgraph) { m.Buffers[0] = []byte{1} }), "buffer 0 must be empty"},
		{"metadata without buffer", features(func(m *Model, g *Subgraph) { m.Metadata[0].Buffer = 6 }), `metadata 0 ("note"): buffer 6 of 6`},
		{"a signature of no subgraph", features(func(m *Model, g *Subgraph) { m.Signatures[0].Subgraph = 2 }), `signature 0 ("run"): subgraph 2 of 2`},
		{"a signature of no input", features(func(m *Model, g *Subgraph) { m.Signatures[0].Inputs[0].Tensor = 3 }), `input "i" stands for tensor 3`},
		{"a signature of no output", features(func(m *Model, g *Subgraph) { m.Signatures[0].Outputs[0].Tensor = -1 }), `output "o" stands for tensor -1`},
		{"an input outside", features(func(m *Model, g *Subgraph) { g.Inputs[0] = 9 }), "subgraph 0: input 0 is tensor 9 of 9"},
		{"an output left out", features(func(m *Model, g *Subgraph) { g.Outputs[0] = -1 }), "subgraph 0: output 0 is tensor -1 of 9"},
		{"an output from nowhere", features(func(m *Model, g *Subgraph) { g.Ops[0].Outputs[0] = NoTensor }), `output 0, tensor 6 "out", is not computed`},

		{"an unknown type", features(func(m *Model, g *Subgraph) { g.Tensors[0].Type = 19 }), `tensor 0 "in"`},
		{"no such buffer", features(func(m *Model, g *Subgraph) { g.Tensors[0].Buffer = 6 }), "buffer 6 of 6"},
		{"a negative dimension", features(func(m *Model, g *Subgraph) { g.Tensors[0].Shape[1] = -3 }), "has a negative dimension"},
		{"a product that overflows", features(func(m *Model, g *Subgraph) { g.Tensors[0].Shape = []int{1 << 31, 1 << 31, 4} }), "too many elements"},
		{"a dimension that is too large", features(func(m *Model, g *Subgraph) { g.Tensors[0].Shape = []int{1 << 32, 0} }), "dimension 4294967296"},
		{"a tensor of terabytes", features(func(m *Model, g *Subgraph) { g.Tensors[0].Shape = []int{1 << 20, 1 << 20} }), "GiB"},
		{"a signature of another rank", features(func(m *Model, g *Subgraph) { g.Tensors[0].ShapeSignature = []int{-1} }), "another rank"},
		{"a signature of another size", features(func(m *Model, g *Subgraph) { g.Tensors[0].ShapeSignature = []int{-1, 4} }), "does not go with the shape"},
		{"a constant with too little data", convolution(func(m *Model, g *Subgraph) { m.Buffers[1] = m.Buffers[1][:23] }), "buffer 1 has 23 bytes, the shape needs 24"},
		{"a constant variable", features(func(m *Model, g *Subgraph) { g.Tensors[5].IsVariable = true }), "a variable with constant data"},
		{"a constant resource", features(func(m *Model, g *Subgraph) { g.Tensors[5].Type = resourceType }), "cannot have constant data"},

		{"more strings than the shape has", features(func(m *Model, g *Subgraph) { g.Tensors[1].Shape[0] = 3 }), "has 2 strings, the shape says 3"},
		{"more strings than bytes", words(0, 200), "200 strings in 19 bytes"},
		{"a negative number of strings", words(3, 0x80), "strings in 19 bytes"},
		{"a string before the offsets", words(4, 12), "string 0 begins at 12"},
		{"a string that ends before it begins", words(8, 15), "string 1 begins at 15, the one before at 16"},
		{"a string behind the data", words(12, 20), "string 2 begins at 20"},

		{"a sparse constant with too little data", features(func(m *Model, g *Subgraph) { m.Buffers[2] = m.Buffers[2][:2] }), "its sparsity needs 3"},
		{"a sparse index outside", sparsity(func(s *schema.SparsityParametersT) {
			s.DimMetadata[1].ArrayIndices.Value.(*schema.Uint16VectorT).Values[2] = 3
		}), "index 3 of 3"},
		{"sparse segments that go back", sparsity(func(s *schema.SparsityParametersT) {
			s.DimMetadata[1].ArraySegments.Value.(*schema.Uint8VectorT).Values[1] = 4
		}), "segment 1 ends before"},
		{"sparse segments without indices", sparsity(func(s *schema.SparsityParametersT) { s.DimMetadata[1].ArrayIndices = nil }), "3 segments for 2 rows"},
		{"a sparse dimension of another size", sparsity(func(s *schema.SparsityParametersT) { s.DimMetadata[0].DenseSize = 1 << 30 }), "must be 2"},
		{"a traversal order with one dimension twice", sparsity(func(s *schema.SparsityParametersT) { s.TraversalOrder[1] = 0 }), "no permutation"},
		{"a traversal order that is too long", sparsity(func(s *schema.SparsityParametersT) { s.TraversalOrder = append(s.TraversalOrder, 2) }), "3 dimensions in order"},
		{"a block of a dimension that is not there", sparsity(func(s *schema.SparsityParametersT) {
			s.TraversalOrder, s.BlockMap = append(s.TraversalOrder, 2), []int32{2}
			s.DimMetadata = append(s.DimMetadata, &schema.DimensionMetadataT{DenseSize: 1})
		}), "block map"},

		{"an infinite scale", scale(float32(math.Inf(1))), "scale 0 is +Inf"},
		{"no scale at all", scale(float32(math.NaN())), "scale 0 is NaN"},
		{"a negative scale", scale(-1), "scale 0 is -1"},
		{"a scale of 0 for what is computed", scale(0), "scale 0 is 0"},
		{"scales without zero points", convolution(func(m *Model, g *Subgraph) { g.Tensors[0].Quantization.ZeroPoint = nil }), "1 scales and 0 zero points"},
		{"a zero point outside of the type", convolution(func(m *Model, g *Subgraph) { g.Tensors[0].Quantization.ZeroPoint[0] = 128 }), "zero point 0 is 128, outside of INT8"},
		{"channels of a dimension that is not there", convolution(func(m *Model, g *Subgraph) { g.Tensors[1].Quantization.Dimension = 4 }), "3 scales along dimension 4"},
		{"as many scales as another dimension", convolution(func(m *Model, g *Subgraph) { g.Tensors[1].Quantization.Dimension = 1 }), "3 scales along dimension 1"},
		{"blocks without size", blockwise(func(m *Model, b *schema.BlockwiseQuantizationT) { b.BlockSize = 0 }), "blocks of 0"},
		{"blocks without scales", blockwise(func(m *Model, b *schema.BlockwiseQuantizationT) { b.Scales = -1 }), "scales are tensor -1 of 9"},
		{"block scales that are computed", blockwise(func(m *Model, b *schema.BlockwiseQuantizationT) { b.Scales = 6 }), "not constant"},
		{"zero points that are quantized in blocks", blockwise(func(m *Model, b *schema.BlockwiseQuantizationT) { b.ZeroPoints = 4 }), "in blocks themselves"},

		{"version 0", convolution(func(m *Model, g *Subgraph) { g.Ops[0].Version = 0 }), `op 0 (CONV_2D) → tensor "conv_2d": version 0`},
		{"a negative operator", convolution(func(m *Model, g *Subgraph) { g.Ops[0].Code = -1 }), "operator number -1"},
		{"an input that is not there", convolution(func(m *Model, g *Subgraph) { g.Ops[0].Inputs[1] = 99 }), "input 1 is tensor 99"},
		{"an input of -2", convolution(func(m *Model, g *Subgraph) { g.Ops[0].Inputs[1] = -2 }), "input 1 is tensor -2"},
		{"an output that is not there", convolution(func(m *Model, g *Subgraph) { g.Ops[0].Outputs[0] = 99 }), "op 0 (CONV_2D): output 0 is tensor 99"},
		{"a scratch tensor that is not there", features(func(m *Model, g *Subgraph) { g.Ops[0].Intermediates[0] = 9 }), "intermediate 0 is tensor 9 of 9"},
		{"too few inputs", convolution(func(m *Model, g *Subgraph) { g.Ops[0].Inputs = g.Ops[0].Inputs[:1] }), "it has 1 inputs, must have 2 to 3"},
		{"too many outputs", convolution(func(m *Model, g *Subgraph) { g.Ops[0].Outputs = append(g.Ops[0].Outputs, 0) }), "it has 2 outputs, must have 1"},
		{"a required input left out", convolution(func(m *Model, g *Subgraph) { g.Ops[0].Inputs[0] = NoTensor }), "input 0 is left out"},
		{"operators in the wrong order", convolution(func(m *Model, g *Subgraph) { g.Ops[0], g.Ops[1] = g.Ops[1], g.Ops[0] }), "is only computed by op 1 (CONV_2D)"},
		{"an input from nowhere", convolution(func(m *Model, g *Subgraph) { g.Inputs = nil; m.Signatures = nil }), "has no data and nothing computes it"},
		{"a tensor computed twice", features(func(m *Model, g *Subgraph) { g.Ops[1].Outputs[0] = 6 }), "is an output of op 0 already"},
		{"a constant that is computed", features(func(m *Model, g *Subgraph) { g.Ops[1].Outputs[0] = 5 }), "is a constant or an input"},
		{"an input that is computed", features(func(m *Model, g *Subgraph) { g.Ops[1].Outputs[0] = 0 }), "is a constant or an input"},
		{"a call of no subgraph", features(func(m *Model, g *Subgraph) {
			g.Ops[1].Options.(*schema.StableHLOCompositeOptionsT).DecompositionSubgraphIndex = 2
		}), "it calls subgraph 2 of 2"},
		{"a subgraph that calls itself", features(func(m *Model, g *Subgraph) {
			g.Ops[1].Options.(*schema.StableHLOCompositeOptionsT).DecompositionSubgraphIndex = 0
		}), "that never ends"},
		{"two subgraphs that call each other", features(func(m *Model, g *Subgraph) {
			m.Subgraphs[1].Ops[0].Options = &schema.CallOptionsT{Subgraph: 0}
		}), "that never ends"},
	} {
		c.m.Name = "bad.tflite"
		err := Check(c.m)
		if !errors.Is(err, ErrModel) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
			continue
		}
		if !strings.HasPrefix(err.Error(), "bad.tflite: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestCheckAcceptsWhatIsOnlyUnusual(t *testing.T) {
	for name, change := range map[string]func(*Model, *Subgraph){
		"a scale of 0 for a channel of zeros": func(m *Model, g *Subgraph) { g.Tensors[1].Quantization.Scale[1] = 0 },
		"an operator of the future":           func(m *Model, g *Subgraph) { g.Ops[0].Code = 5000 },
		"an input that is an output too":      func(m *Model, g *Subgraph) { g.Outputs = append(g.Outputs, g.Inputs[0]) },
		"a constant that is an output too":    func(m *Model, g *Subgraph) { g.Outputs = append(g.Outputs, 1) },
		"a constant without elements": func(m *Model, g *Subgraph) {
			g.Tensors = append(g.Tensors, Tensor{Name: "none", Type: Int32, Shape: []int{0}})
			g.Ops[3].Inputs[1] = len(g.Tensors) - 1
		},
		"a computed tensor without elements": func(m *Model, g *Subgraph) {
			g.Tensors[g.Ops[0].Outputs[0]].Shape[0] = 0
		},
		"a variable that is computed": func(m *Model, g *Subgraph) {
			g.Tensors[g.Ops[0].Outputs[0]].IsVariable = true
		},
		"a call chain": func(m *Model, g *Subgraph) {
			call := func(s int) []Op {
				op := Op{Code: schema.BuiltinOperatorCALL, Version: 1, Options: &schema.CallOptionsT{Subgraph: uint32(s)}}
				return []Op{op, op}
			}
			for s := 1; s < 40; s++ { // 2³⁹ runs, but no more to check
				m.Subgraphs = append(m.Subgraphs, Subgraph{Ops: call(s + 1)})
			}
			m.Subgraphs = append(m.Subgraphs, Subgraph{})
		},
	} {
		m := convolutionSample(t)
		change(m, &m.Subgraphs[0])
		if err := Check(m); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestABlockedSparseConstantIsAccepted(t *testing.T) {
	// [4, 4] in blocks of [2, 2], of which two of four are stored.
	dense := func(n int32) *schema.DimensionMetadataT { return &schema.DimensionMetadataT{DenseSize: n} }
	tensor := Tensor{
		Type: Float32, Shape: []int{4, 4},
		Sparsity: &schema.SparsityParametersT{
			TraversalOrder: []int32{0, 1, 2, 3}, BlockMap: []int32{0, 1},
			DimMetadata: []*schema.DimensionMetadataT{
				dense(2),
				{
					Format:        schema.DimensionTypeSPARSE_CSR,
					ArraySegments: &schema.SparseIndexVectorT{Value: &schema.Int32VectorT{Values: []int32{0, 1, 2}}},
					ArrayIndices:  &schema.SparseIndexVectorT{Value: &schema.Int32VectorT{Values: []int32{1, 0}}},
				},
				dense(2), dense(2),
			},
		},
	}
	if err := checkSparsity(&tensor, make([]byte, 2*4*4)); err != nil {
		t.Error(err)
	}
	if err := checkSparsity(&tensor, make([]byte, 3*4*4)); err == nil {
		t.Error("three blocks of data for two were accepted")
	}
}

func TestLabelsFitOneLine(t *testing.T) {
	m := featuresSample(t)
	m.Subgraphs[0].Ops[0].CustomCode = "evil\nname"
	m.Subgraphs[0].Tensors[6].Name = strings.Repeat("é", 500) + "\n"
	label := m.OpLabel(0, 0)
	if strings.Contains(label, "\n") || len(label) > 200 {
		t.Errorf("%q", label)
	}
	if got, want := convolutionSample(t).OpLabel(0, 0), `subgraph 0, op 0 (CONV_2D) → tensor "conv_2d"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
