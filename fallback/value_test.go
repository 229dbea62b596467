package fallback

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func TestCastCutsOffFractions(t *testing.T) {
	inf := float32(math.Inf(1))
	from := floats32(0, 1.9, -1.9, 127.5, -128.7, 3e4, 1<<20)
	cast := func(x graph.Array, to graph.TensorType) graph.Array {
		return evaluate(t, one(func(b *graph.Builder, in []graph.T) graph.T { return b.Cast(in[0], to) }), x)[0]
	}
	sameBytes(t, "int32", cast(from, graph.Int32), ints32(0, 1, -1, 127, -128, 30000, 1<<20))
	sameBytes(t, "int64", cast(floats32(-2.5, inf, -inf, float32(math.NaN())), graph.Int64), arrayOf(graph.Int64, []int64{-2, math.MaxInt64, math.MinInt64, 0}, 4))
	sameBytes(t, "int8", cast(floats32(-2.5, 100), graph.Int8), arrayOf(graph.Int8, []int8{-2, 100}, 2))
	sameBytes(t, "bool", cast(floats32(0, -0.25, 3), graph.Bool), arrayOf(graph.Bool, []bool{false, true, true}, 3))
	sameBytes(t, "from bool", cast(arrayOf(graph.Bool, []bool{false, true}, 2), graph.Float32), floats32(0, 1))
	sameBytes(t, "from int64", cast(arrayOf(graph.Int64, []int64{-3, 1 << 40}, 2), graph.Float32), floats32(-3, 1<<40))
	sameBytes(t, "int64 to int32", cast(arrayOf(graph.Int64, []int64{-3, 1<<32 + 5}, 2), graph.Int32), ints32(-3, 5))
	sameBytes(t, "half", cast(floats32(1, -2, 65504, 1e-8), graph.Float16), arrayOf(graph.Float16, []uint16{0x3C00, 0xC000, 0x7BFF, 0}, 4))
}

func TestDequantizedConstantsAreFolded(t *testing.T) {
	q := &graph.Quantization{Scale: []float32{0.5, 2, 0.25}, ZeroPoint: []int64{0, 1, -3}, Dimension: 1}
	b := graph.NewBuilder("weights")
	w := b.QuantizedConst("w", arrayOf(graph.Int8, []int8{1, 2, 3, -4, -5, -6}, 2, 3), q)
	half := b.Const("half", arrayOf(graph.Float16, []uint16{0x3C00, 0xC000, 0x0001}, 3)) // 1, −2, 2⁻²⁴
	b.Output("y", b.Add(b.Input("x", graph.Float32, 2, 3), b.Dequantize(w)))
	b.Output("z", b.Mul(b.Input("z", graph.Float32, 3), b.Dequantize(half)))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	e := compiled(t, m, 1)
	if n := len(e.(*executable).nodes); n != 2 {
		t.Errorf("%d operators are left to run, must be 2", n)
	}
	got := ran(t, e, 2, graph.NewArray(graph.Float32, 2, 3), floats32(1, 1, 1))
	same(t, got[0], tensorOf(arrayOf(graph.Float32, []float32{0.5, 2, 1.5, -2, -12, -0.75}, 2, 3)), 0)
	same(t, got[1], tensorOf(floats32(1, -2, 0x1p-24)), 0)
}

func TestPackedConstantsAreNotKeptTwice(t *testing.T) {
	b := graph.NewBuilder("packed")
	q := &graph.Quantization{Scale: []float32{0.5}, ZeroPoint: []int64{0}}
	w := b.Dequantize(b.QuantizedConst("w", graph.NewArray(graph.Int8, 64, 64), q))
	b.Output("y", b.FullyConnected(b.Input("x", graph.Float32, 1, 64), w, graph.None, graph.ActNone))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	e := compiled(t, m, 1)
	for _, v := range e.(*executable).values {
		if v.folded && v.data != nil {
			t.Errorf("tensor %q is kept although its reader has packed it", v.tensor.Name)
		}
	}
	ran(t, e, 1, graph.NewArray(graph.Float32, 1, 64))
}

// op makes a builder of an operator that the graph's builder has no method for.
func op(code graph.OpCode, options any, out graph.Tensor) builder {
	out.HasRank = true
	return func(b *graph.Builder, x []graph.T) []graph.T { return b.Op(code, 0, options, x, out) }
}

func TestShapeFillAndRange(t *testing.T) {
	x := graph.NewArray(graph.Float32, 2, 3, 4)
	shape := evaluate(t, op(schema.BuiltinOperatorSHAPE, &schema.ShapeOptionsT{OutType: graph.Int32}, graph.Tensor{Type: graph.Int32, Shape: []int{3}}), x)
	sameBytes(t, "shape", shape[0], ints32(2, 3, 4))
	filled := evaluate(t, op(schema.BuiltinOperatorFILL, nil, graph.Tensor{Type: graph.Int32, Shape: []int{2, 3}}), ints32(2, 3), arrayOf(graph.Int32, []int32{7}))
	sameBytes(t, "fill", filled[0], arrayOf(graph.Int32, []int32{7, 7, 7, 7, 7, 7}, 2, 3))

	span := func(values graph.Array) graph.Array {
		size := len(values.Data) / 3
		var xs []graph.Array
		for i := range 3 {
			xs = append(xs, graph.Array{Type: values.Type, Shape: []int{}, Data: slices.Clone(values.Data[i*size : (i+1)*size])})
		}
		return evaluate(t, op(schema.BuiltinOperatorRANGE, nil, graph.Tensor{Type: values.Type, Shape: []int{1}}), xs...)[0]
	}
	sameBytes(t, "range up", span(ints32(2, 9, 3)), ints32(2, 5, 8))
	sameBytes(t, "range down", span(ints32(5, 0, -2)), ints32(5, 3, 1))
	sameBytes(t, "range to its end", span(ints32(0, 6, 3)), ints32(0, 3))
	sameBytes(t, "empty range", span(ints32(3, 3, 1)), ints32())
	sameBytes(t, "range away", span(ints32(0, 5, -1)), ints32())
	sameBytes(t, "long range", span(arrayOf(graph.Int64, []int64{1 << 40, 1<<40 + 2, 1}, 3)), arrayOf(graph.Int64, []int64{1 << 40, 1<<40 + 1}, 2))
	same(t, span(floats32(0, 1, 0.25)), tensorOf(floats32(0, 0.25, 0.5, 0.75)), 0)
}

// sparsified stores a dense array sparsely: in a random order of dimensions,
// some cut into blocks of 2, some compressed.
func sparsified(r *rand.Rand, x []int16, shape []int) (values []int16, s *schema.SparsityParametersT) {
	rank := len(shape)
	s = &schema.SparsityParametersT{}
	sizes := slices.Clone(shape)
	for d := range shape {
		if shape[d]%2 == 0 && r.IntN(2) == 0 {
			s.BlockMap = append(s.BlockMap, int32(d))
			sizes[d] /= 2
			sizes = append(sizes, 2)
		}
	}
	for _, d := range r.Perm(rank) {
		s.TraversalOrder = append(s.TraversalOrder, int32(d))
	}
	for i := range s.BlockMap {
		s.TraversalOrder = append(s.TraversalOrder, int32(rank+i))
	}
	// read is the element at an index over all stored dimensions, in order.
	read := func(index []int) int16 {
		at := make([]int, rank)
		for i, d := range s.TraversalOrder {
			if int(d) < rank {
				at[d] += index[i] * (shape[d] / sizes[d])
			} else {
				at[s.BlockMap[int(d)-rank]] += index[i]
			}
		}
		return x[tensor{shape: shape}.flat(at...)]
	}
	// prefixes are the stored entries of the levels so far.
	prefixes := [][]int{{}}
	for _, d := range s.TraversalOrder {
		m := &schema.DimensionMetadataT{Format: schema.DimensionTypeDENSE, DenseSize: int32(sizes[d])}
		var next [][]int
		compressed := int(d) < rank && r.IntN(2) == 0
		segments, indices := []int32{0}, []int32{}
		for _, p := range prefixes {
			for k := range sizes[d] {
				entry := append(slices.Clone(p), k)
				if compressed && !occupied(read, entry, s.TraversalOrder, sizes) {
					continue
				}
				next, indices = append(next, entry), append(indices, int32(k))
			}
			segments = append(segments, int32(len(indices)))
		}
		if compressed {
			vector := func(v []int32) *schema.SparseIndexVectorT {
				return &schema.SparseIndexVectorT{Type: schema.SparseIndexVectorInt32Vector, Value: &schema.Int32VectorT{Values: v}}
			}
			*m = schema.DimensionMetadataT{Format: schema.DimensionTypeSPARSE_CSR, ArraySegments: vector(segments), ArrayIndices: vector(indices)}
		}
		prefixes = next
		s.DimMetadata = append(s.DimMetadata, m)
	}
	for _, p := range prefixes {
		values = append(values, read(p))
	}
	return values, s
}

// occupied reports whether an element below an entry is not zero.
func occupied(read func([]int) int16, entry []int, order []int32, sizes []int) bool {
	if len(entry) == len(order) {
		return read(entry) != 0
	}
	for k := range sizes[order[len(entry)]] {
		if occupied(read, append(slices.Clone(entry), k), order, sizes) {
			return true
		}
	}
	return false
}

func TestSparseConstantsAreWrittenOutWithTheirZeros(t *testing.T) {
	r := seeded(t)
	for n := range 60 {
		shape := [][]int{{8}, {4, 6}, {3, 5}, {2, 4, 6}}[n%4]
		x := graph.NewArray(graph.Int16, shape...)
		x.Data[0] = 9 // at least one value, so that the constant has data
		for i := range graph.View[int16](x.Data) {
			if r.IntN(4) == 0 {
				graph.View[int16](x.Data)[i] = int16(r.IntN(1000) + 1)
			}
		}
		t.Run(fmt.Sprint(n, shape), func(t *testing.T) {
			values, s := sparsified(r, graph.View[int16](x.Data), shape)
			m := &graph.Model{
				Name: "sparse", Buffers: []graph.Buffer{nil, graph.Bytes(values)},
				Subgraphs: []graph.Subgraph{{
					Tensors: []graph.Tensor{
						{Name: "w", Type: graph.Int16, Shape: shape, HasRank: true, Buffer: 1, Sparsity: s},
						{Name: "y", Type: graph.Int16, Shape: shape, HasRank: true},
					},
					Outputs: []int{1},
					Ops:     []graph.Op{{Code: schema.BuiltinOperatorDENSIFY, Version: 1, Inputs: []int{0}, Outputs: []int{1}}},
				}},
			}
			if err := graph.Check(m); err != nil {
				t.Fatal(err)
			}
			sameBytes(t, "densified", ran(t, compiled(t, m, 1), 1)[0], x)
		})
	}
}
