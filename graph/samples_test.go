package graph

import (
	"testing"

	"nanoflux/graph/schema"
)

// sampleModels are small models that between them use every part of the
// format that a Model can hold.
func sampleModels(t testing.TB) map[string]*Model {
	t.Helper()
	return map[string]*Model{
		"convolution": convolutionSample(t),
		"attention":   attentionSample(t),
		"features":    featuresSample(t),
	}
}

func finish(t testing.TB, b *Builder) *Model {
	t.Helper()
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// convolutionSample is a quantized image classifier in miniature.
func convolutionSample(t testing.TB) *Model {
	b := NewBuilder("convolution")
	x := b.QuantizedInput("image", Int8, &Quantization{Scale: []float32{0.05}, ZeroPoint: []int64{-3}}, 1, 6, 6, 2)
	w := b.QuantizedConst("filter", Array{Type: Int8, Shape: []int{3, 2, 2, 2}, Data: Bytes(counting[int8](24))},
		&Quantization{Scale: []float32{0.1, 0.2, 0.3}, ZeroPoint: []int64{0, 0, 0}})
	y := b.Quantized(b.Conv2D(x, w, None, 2, Same, ActRelu), 0.2, -128)
	y = b.Dequantize(b.MaxPool2D(y, PoolOptions{Height: 3, Width: 3}))
	b.Output("class", b.Softmax(b.Reshape(y, 1, -1)))
	return finish(t, b)
}

// attentionSample has several outputs, a batch of any size, and scopes.
func attentionSample(t testing.TB) *Model {
	b := NewBuilder("attention")
	x := b.Input("tokens", Float32, -1, 4, 6)
	b.Scope("block0", func() {
		qkv := b.FullyConnected(x, ConstOf(b, "qkv", counting[float32](18*6), 18, 6), None, ActNone)
		parts := b.Split(qkv, -1, 3)
		scores := b.Softmax(b.BatchMatMul(parts[0], parts[1], false, true))
		y := b.Add(b.BatchMatMul(scores, parts[2], false, false), x)
		b.Output("states", y)
		b.Output("scores", scores)
	})
	return finish(t, b)
}

// featuresSample is not runnable; it has what the others lack: strings,
// sparsity, blockwise quantization, a variable, subgraphs, a custom operator,
// metadata, options of the second union.
func featuresSample(t testing.TB) *Model {
	sparse := &schema.SparsityParametersT{
		TraversalOrder: []int32{0, 1}, BlockMap: []int32{},
		DimMetadata: []*schema.DimensionMetadataT{
			{Format: schema.DimensionTypeDENSE, DenseSize: 2},
			{
				Format:        schema.DimensionTypeSPARSE_CSR,
				ArraySegments: &schema.SparseIndexVectorT{Type: schema.SparseIndexVectorUint8Vector, Value: &schema.Uint8VectorT{Values: []byte{0, 1, 3}}},
				ArrayIndices:  &schema.SparseIndexVectorT{Type: schema.SparseIndexVectorUint16Vector, Value: &schema.Uint16VectorT{Values: []uint16{2, 0, 1}}},
			},
		},
	}
	blockwise := &schema.QuantizationDetailsT{
		Type:  schema.QuantizationDetailsBlockwiseQuantization,
		Value: &schema.BlockwiseQuantizationT{Scales: 5, ZeroPoints: -1, BlockSize: 4},
	}
	m := &Model{
		Name: "features", Description: "everything else",
		Buffers: []Buffer{
			nil,
			[]byte{2, 0, 0, 0, 16, 0, 0, 0, 18, 0, 0, 0, 19, 0, 0, 0, 'h', 'i', '!'},
			[]byte{1, 2, 3},
			[]byte{0x21, 0x43, 0x65, 0x87},
			Bytes([]float32{1, 0.5}),
			[]byte("any bytes"),
		},
		Subgraphs: []Subgraph{{
			Name: "main",
			Tensors: []Tensor{
				{Name: "in", Type: Float32, Shape: []int{2, 3}},
				{Name: "words", Type: String, Shape: []int{2}, Buffer: 1},
				{Name: "sparse", Type: Int8, Shape: []int{2, 3}, Buffer: 2, Sparsity: sparse},
				{Name: "state", Type: Float32, Shape: []int{2, 3}, IsVariable: true},
				{Name: "int4", Type: Int4, Shape: []int{2, 4}, Buffer: 3, Quantization: &Quantization{Details: blockwise}},
				{Name: "scales", Type: Float32, Shape: []int{2}, Buffer: 4},
				{Name: "out", Type: Float32, HasRank: true},
				{Name: "sum", Type: Float32, Shape: []int{2, 3}, Quantization: &Quantization{Min: []float32{-1}, Max: []float32{1}}},
				{
					Name: "list", Type: variantType, HasRank: true,
					VariantTensors: []*schema.VariantSubTypeT{{Shape: []int32{1, 2}, Type: Float32, HasRank: true}},
				},
			},
			Inputs: []int{0}, Outputs: []int{6, 7, 8},
			Ops: []Op{
				{
					Code: schema.BuiltinOperatorCUSTOM, CustomCode: "Strange", Version: 2,
					Inputs: []int{0, 1, 2, 4, NoTensor}, Outputs: []int{6, 8}, CustomOptions: []byte{1, 2, 3},
					Intermediates: []int{3}, MutatingVariableInputs: []bool{false, true},
				},
				{
					Code: schema.BuiltinOperatorSTABLEHLO_COMPOSITE, Version: 1,
					Inputs: []int{0, 3}, Outputs: []int{7},
					Options: &schema.StableHLOCompositeOptionsT{Name: "my.add", DecompositionSubgraphIndex: 1, CompositeAttributes: []byte{9}, Version: 1},
				},
			},
		}, {
			Name: "body",
			Tensors: []Tensor{
				{Name: "x", Type: Float32, Shape: []int{2, 3}},
				{Name: "y", Type: Float32, Shape: []int{2, 3}},
				{Name: "z", Type: Float32, Shape: []int{2, 3}},
			},
			Inputs: []int{0, 1}, Outputs: []int{2},
			Ops: []Op{{
				Code: schema.BuiltinOperatorADD, Version: 1, Inputs: []int{0, 1}, Outputs: []int{2},
				Options: &schema.AddOptionsT{PotScaleInt16: true},
			}},
		}},
		Metadata:   []Metadata{{Name: "note", Buffer: 5}},
		Signatures: []Signature{{Key: "run", Inputs: []NamedTensor{{"i", 0}}, Outputs: []NamedTensor{{"o", 6}}}},
	}
	if err := Check(m); err != nil {
		t.Fatal(err)
	}
	return m
}

// counting is 0, 1, 2, … in type E.
func counting[E int8 | int32 | float32](n int) []E {
	out := make([]E, n)
	for i := range out {
		out[i] = E(i)
	}
	return out
}
