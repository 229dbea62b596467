package fallback

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// moved is a case of an operator that only moves elements: every element of the
// output is one of the inputs', which source names.
type moved struct {
	name   string
	shapes [][]int
	// extra are integer inputs behind those of the shapes.
	extra []graph.Array
	build builder
	out   []int
	// source returns an input and the index of its element; input −1 is zero.
	source func(i []int) (input int, index []int)
}

// movedTypes have elements of 1, 2, 4 and 8 bytes.
var movedTypes = []graph.TensorType{graph.Float32, graph.Uint8, graph.Int16, graph.Int64, graph.Bool}

func testMoved(t *testing.T, c moved) {
	for _, typ := range movedTypes {
		t.Run(fmt.Sprintf("%s, %v", c.name, typ), func(t *testing.T) {
			r := seeded(t)
			var xs []graph.Array
			for _, s := range c.shapes {
				xs = append(xs, random(r, typ, s...))
			}
			got := evaluate(t, c.build, append(slices.Clone(xs), c.extra...)...)[0]
			if !slices.Equal(got.Shape, c.out) {
				t.Fatalf("shape %v, want %v", got.Shape, c.out)
			}
			size := graph.ElementBits(typ) / 8
			at := 0
			every(c.out, func(i []int) {
				input, index := c.source(i)
				want := make([]byte, size)
				if input >= 0 {
					want = xs[input].Data[tensor{shape: xs[input].Shape}.flat(index...)*size:][:size]
				}
				if !bytes.Equal(got.Data[at:at+size], want) {
					t.Fatalf("element %v is %v, want that of input %d at %v, %v", i, got.Data[at:at+size], input, index, want)
				}
				at += size
			})
		})
	}
}

// from0 is a source in input 0.
func from0(f func(i []int) []int) func(i []int) (int, []int) {
	return func(i []int) (int, []int) { return 0, f(slices.Clone(i)) }
}

func TestTransposePermutesDimensions(t *testing.T) {
	r := seeded(t)
	type permutation struct{ shape, perm []int }
	cases := []permutation{
		// Matrices, one and many, whose strips are whole or not.
		{[]int{130, 140}, []int{1, 0}}, {[]int{5, 4}, []int{1, 0}}, {[]int{3, 66, 9}, []int{0, 2, 1}}, {[]int{70, 5, 9}, []int{2, 0, 1}}, {[]int{70, 5, 9}, []int{1, 2, 0}},
		{[]int{2, 7, 5, 11}, []int{0, 3, 1, 2}}, {[]int{2, 7, 5, 11}, []int{3, 1, 0, 2}}, {[]int{2, 7, 5, 11}, []int{0, 2, 1, 3}}, {[]int{4, 7, 5, 11}, []int{3, 2, 1, 0}},
	}
	for _, shape := range [][]int{{5}, {3, 7}, {1, 88, 3, 4}, {2, 3, 4}, {2, 1, 3, 2}, {2, 3, 1, 4, 2}, {2, 3, 2, 2, 3, 2}, {0, 4}, {130, 140}} {
		cases = append(cases, permutation{shape, r.Perm(len(shape))})
	}
	for _, c := range cases {
		shape, perm := c.shape, c.perm
		out := make([]int, len(shape))
		for i, p := range perm {
			out[i] = shape[p]
		}
		testMoved(t, moved{
			name: fmt.Sprintf("%v by %v", shape, perm), shapes: [][]int{shape}, out: out,
			build: one(func(b *graph.Builder, x []graph.T) graph.T { return b.Transpose(x[0], perm...) }),
			source: from0(func(i []int) []int {
				j := make([]int, len(i))
				for k, p := range perm {
					j[p] = i[k]
				}
				return j
			}),
		})
	}
}

func TestConcatAndSplitAreInverse(t *testing.T) {
	for axis := range 3 {
		shapes := [][]int{{2, 3, 4}, {2, 3, 4}, {2, 3, 4}}
		shapes[1][axis], shapes[2][axis] = 5, 1
		out := slices.Clone(shapes[0])
		out[axis] += 6
		sizes := []int{shapes[0][axis], 5, 1}
		testMoved(t, moved{
			name: fmt.Sprintf("concat along %d", axis), shapes: shapes, out: out,
			build: one(func(b *graph.Builder, x []graph.T) graph.T { return b.Concat(axis-3, x...) }),
			source: func(i []int) (int, []int) {
				j := slices.Clone(i)
				for k, s := range sizes {
					if j[axis] < s {
						return k, j
					}
					j[axis] -= s
				}
				panic("outside")
			},
		})
		testMoved(t, moved{
			name: fmt.Sprintf("split by %v along %d and concat", sizes, axis), shapes: [][]int{out}, out: out,
			build:  one(func(b *graph.Builder, x []graph.T) graph.T { return b.Concat(axis, b.SplitV(x[0], axis, sizes...)...) }),
			source: from0(func(i []int) []int { return i }),
		})
		testMoved(t, moved{
			name: fmt.Sprintf("the rest of a split by sizes along %d", axis), shapes: [][]int{out}, out: shapes[1],
			build: one(func(b *graph.Builder, x []graph.T) graph.T {
				part := func(i int) graph.Tensor { return graph.Tensor{Type: b.Type(x[0]), Shape: shapes[i], HasRank: true} }
				given := graph.ConstOf(b, "sizes", []int32{int32(sizes[0]), -1, 1})
				return b.Op(schema.BuiltinOperatorSPLIT_V, 0, &schema.SplitVOptionsT{NumSplits: 3},
					[]graph.T{x[0], given, graph.ConstOf(b, "axis", []int32{int32(axis)})}, part(0), part(1), part(2))[1]
			}),
			source: from0(func(i []int) []int { i[axis] += sizes[0]; return i }),
		})
	}
	testMoved(t, moved{
		name: "the second of three parts", shapes: [][]int{{2, 6, 3}}, out: []int{2, 2, 3},
		build:  one(func(b *graph.Builder, x []graph.T) graph.T { return b.Split(x[0], 1, 3)[1] }),
		source: from0(func(i []int) []int { i[1] += 2; return i }),
	})
}

func TestPackAndUnpackMakeAndTakeADimension(t *testing.T) {
	for axis := range 3 {
		out := slices.Insert([]int{2, 5}, axis, 3)
		testMoved(t, moved{
			name: fmt.Sprintf("pack along %d", axis), shapes: [][]int{{2, 5}, {2, 5}, {2, 5}}, out: out,
			build:  one(func(b *graph.Builder, x []graph.T) graph.T { return b.Pack(axis, x...) }),
			source: func(i []int) (int, []int) { return i[axis], slices.Delete(slices.Clone(i), axis, axis+1) },
		})
		testMoved(t, moved{
			name: fmt.Sprintf("the last of unpack along %d", axis), shapes: [][]int{out}, out: []int{2, 5},
			build:  one(func(b *graph.Builder, x []graph.T) graph.T { return b.Unpack(x[0], axis)[2] }),
			source: from0(func(i []int) []int { return slices.Insert(i, axis, 2) }),
		})
	}
}

func TestSlicesTakeABox(t *testing.T) {
	for _, c := range []struct{ shape, begin, size, out []int }{
		{[]int{7}, []int{2}, []int{3}, []int{3}},
		{[]int{4, 5, 6}, []int{1, 0, 2}, []int{2, 5, 3}, []int{2, 5, 3}},
		{[]int{4, 5, 6}, []int{1, 2, 0}, []int{-1, -1, -1}, []int{3, 3, 6}},
		{[]int{4, 5}, []int{4, 0}, []int{0, 5}, []int{0, 5}},
		{[]int{2, 3, 4, 2, 3}, []int{1, 1, 1, 0, 1}, []int{1, 2, 2, 2, 2}, []int{1, 2, 2, 2, 2}},
	} {
		testMoved(t, moved{
			name: fmt.Sprint(c.shape, c.begin, c.size), shapes: [][]int{c.shape}, out: c.out,
			build: one(func(b *graph.Builder, x []graph.T) graph.T { return b.Slice(x[0], c.begin, c.size) }),
			source: from0(func(i []int) []int {
				for k := range i {
					i[k] += c.begin[k]
				}
				return i
			}),
		})
	}
}

// indices lists what x[begin:end:step] takes of a dimension of size d, as the
// Python reference (slice.indices) defines it.
func indices(begin, end, step, d int, fromStart, toEnd bool) []int {
	low, high := 0, d
	if step < 0 {
		low, high = -1, d-1
	}
	bound := func(i int) int {
		if i < 0 {
			i += d
		}
		return min(max(i, low), high)
	}
	first, last := bound(begin), bound(end)
	if fromStart {
		first = low
		if step < 0 {
			first = high
		}
	}
	if toEnd {
		last = high
		if step < 0 {
			last = low
		}
	}
	var list []int
	for i := first; step > 0 && i < last || step < 0 && i > last; i += step {
		list = append(list, i)
	}
	return list
}

func TestStridedSlicesTakeWhatPythonTakes(t *testing.T) {
	r := seeded(t)
	for n := range 150 {
		shape := []int{1 + r.IntN(6), 1 + r.IntN(6), 1 + r.IntN(6)}[:1+r.IntN(3)]
		var begin, end, step []int32
		var taken [][]int
		var o schema.StridedSliceOptionsT
		for i, d := range shape {
			b, e, s := r.IntN(2*d+4)-d-2, r.IntN(2*d+4)-d-2, 1+r.IntN(3)
			if r.IntN(3) == 0 {
				s = -s
			}
			if r.IntN(5) == 0 { // one element, the dimension vanishes
				b, s = r.IntN(2*d)-d, 1
				e = b + 1
				o.ShrinkAxisMask |= 1 << i
				taken = append(taken, []int{(b + d) % d})
			} else {
				fromStart, toEnd := r.IntN(4) == 0, r.IntN(4) == 0
				if fromStart {
					o.BeginMask |= 1 << i
				}
				if toEnd {
					o.EndMask |= 1 << i
				}
				taken = append(taken, indices(b, e, s, d, fromStart, toEnd))
			}
			begin, end, step = append(begin, int32(b)), append(end, int32(e)), append(step, int32(s))
		}
		var out []int
		for i, l := range taken {
			if o.ShrinkAxisMask>>i&1 == 0 {
				out = append(out, len(l))
			}
		}
		testStridedSlice(t, fmt.Sprintf("%d: %v[%v:%v:%v] masks %b %b %b", n, shape, begin, end, step, o.BeginMask, o.EndMask, o.ShrinkAxisMask), shape, begin, end, step, o, out,
			func(i []int) []int {
				var j []int
				for k, l := range taken {
					if o.ShrinkAxisMask>>k&1 == 1 {
						j = append(j, l[0])
						continue
					}
					j, i = append(j, l[i[0]]), i[1:]
				}
				return j
			})
	}
}

func testStridedSlice(t *testing.T, name string, shape []int, begin, end, step []int32, o schema.StridedSliceOptionsT, out []int, source func(i []int) []int) {
	x := random(rand.New(rand.NewPCG(1, uint64(len(name)))), graph.Float32, shape...)
	m, in := modelOf(t, one(func(b *graph.Builder, in []graph.T) graph.T {
		return b.Op(schema.BuiltinOperatorSTRIDED_SLICE, 0, &o, in, graph.Tensor{Type: graph.Float32, Shape: out, HasRank: true})[0]
	}), func(i int) bool { return i > 0 }, x, ints32(begin...), ints32(end...), ints32(step...))
	got := ran(t, compiled(t, m, 1), 1, in...)[0]
	want := newTensor(out...)
	every(out, func(i []int) { want.data[want.flat(i...)] = tensorOf(x).at(source(slices.Clone(i))...) })
	t.Run(name, func(t *testing.T) { same(t, got, want, 0) })
}

func TestStridedSlicesAddDimensionsAndSkipThem(t *testing.T) {
	// x[..., 1:3]
	testStridedSlice(t, "ellipsis first", []int{2, 3, 4}, []int32{0, 1}, []int32{0, 3}, []int32{1, 1},
		schema.StridedSliceOptionsT{EllipsisMask: 1}, []int{2, 3, 2}, func(i []int) []int { i[2]++; return i })
	// x[1, ..., ::-1]
	testStridedSlice(t, "ellipsis between", []int{2, 3, 4}, []int32{1, 0, 0}, []int32{2, 0, 0}, []int32{1, 1, -1},
		schema.StridedSliceOptionsT{EllipsisMask: 2, ShrinkAxisMask: 1, BeginMask: 4, EndMask: 4}, []int{3, 4}, func(i []int) []int { return []int{1, i[0], 3 - i[1]} })
	// x[:, newaxis, 1:]
	testStridedSlice(t, "a new axis", []int{2, 3, 4}, []int32{0, 0, 1}, []int32{0, 0, 3}, []int32{1, 1, 1},
		schema.StridedSliceOptionsT{NewAxisMask: 2, BeginMask: 1, EndMask: 1}, []int{2, 1, 2, 4}, func(i []int) []int { return []int{i[0], i[2] + 1, i[3]} })
	// x[..., newaxis]
	testStridedSlice(t, "ellipsis and a new axis", []int{2, 3}, []int32{0, 0}, []int32{0, 0}, []int32{1, 1},
		schema.StridedSliceOptionsT{EllipsisMask: 1, NewAxisMask: 2}, []int{2, 3, 1}, func(i []int) []int { return i[:2] })
}

func TestGatherTakesSlicesAtIndices(t *testing.T) {
	ids := []int32{2, 0, 2, 1}
	for axis := range 3 {
		out := []int{3, 3, 3}
		out[axis] = 4
		testMoved(t, moved{
			name: fmt.Sprintf("along %d", axis), shapes: [][]int{{3, 3, 3}}, extra: []graph.Array{ints32(ids...)}, out: out,
			build:  one(func(b *graph.Builder, x []graph.T) graph.T { return b.Gather(x[0], x[1], axis-3) }),
			source: from0(func(i []int) []int { i[axis] = int(ids[i[axis]]); return i }),
		})
	}
	testMoved(t, moved{
		name: "one index without dimensions", shapes: [][]int{{3, 2}}, extra: []graph.Array{arrayOf(graph.Int64, []int64{1})}, out: []int{2},
		build:  one(func(b *graph.Builder, x []graph.T) graph.T { return b.Gather(x[0], x[1], 0) }),
		source: from0(func(i []int) []int { return []int{1, i[0]} }),
	})
	batched := arrayOf(graph.Int32, ids, 2, 2)
	testMoved(t, moved{
		name: "batched", shapes: [][]int{{2, 3, 4, 2}}, extra: []graph.Array{batched}, out: []int{2, 3, 2, 2},
		build: one(func(b *graph.Builder, x []graph.T) graph.T {
			return b.Op(schema.BuiltinOperatorGATHER, 0, &schema.GatherOptionsT{Axis: 2, BatchDims: 1}, x, graph.Tensor{Type: b.Type(x[0]), Shape: []int{2, 3, 2, 2}, HasRank: true})[0]
		}),
		source: from0(func(i []int) []int { i[2] = int(ids[i[0]*2+i[2]]); return i }),
	})
	testMoved(t, moved{
		name: "embeddings", shapes: [][]int{{3, 5}}, extra: []graph.Array{ints32(ids...)}, out: []int{4, 5},
		build: one(func(b *graph.Builder, x []graph.T) graph.T {
			return b.Op(schema.BuiltinOperatorEMBEDDING_LOOKUP, 0, nil, []graph.T{x[1], x[0]}, graph.Tensor{Type: b.Type(x[0]), Shape: []int{4, 5}, HasRank: true})[0]
		}),
		source: from0(func(i []int) []int { return []int{int(ids[i[0]]), i[1]} }),
	})
}

func TestPaddingSurroundsTheInput(t *testing.T) {
	shape, paddings := []int{3, 4, 2}, [][2]int{{2, 1}, {0, 3}, {1, 1}}
	out := []int{6, 7, 4}
	inside := func(i []int) ([]int, bool) {
		j := slices.Clone(i)
		for k := range j {
			if j[k] -= paddings[k][0]; j[k] < 0 || j[k] >= shape[k] {
				return nil, false
			}
		}
		return j, true
	}
	testMoved(t, moved{
		name: "zeros", shapes: [][]int{shape}, out: out,
		build: one(func(b *graph.Builder, x []graph.T) graph.T { return b.Pad(x[0], paddings...) }),
		source: func(i []int) (int, []int) {
			if j, ok := inside(i); ok {
				return 0, j
			}
			return -1, nil
		},
	})
	testMoved(t, moved{
		name: "a value", shapes: [][]int{shape, {}}, out: out,
		build: one(func(b *graph.Builder, x []graph.T) graph.T { return b.PadV2(x[0], x[1], paddings...) }),
		source: func(i []int) (int, []int) {
			if j, ok := inside(i); ok {
				return 0, j
			}
			return 1, nil
		},
	})
	for _, symmetric := range []bool{false, true} {
		testMoved(t, moved{
			name: fmt.Sprintf("a mirror, symmetric %v", symmetric), shapes: [][]int{shape}, out: out,
			build: one(func(b *graph.Builder, x []graph.T) graph.T { return b.MirrorPad(x[0], symmetric, paddings...) }),
			source: from0(func(i []int) []int {
				for k, p := range paddings {
					i[k] = mirrored(shape[k], p[0], p[1], symmetric)[i[k]]
				}
				return i
			}),
		})
	}
}

// mirrored lists the source of each element of a mirror-padded dimension.
func mirrored(d, before, after int, symmetric bool) []int {
	edge := 1 // the first element that is repeated
	if symmetric {
		edge = 0
	}
	var list []int
	for i := before - 1; i >= 0; i-- {
		list = append(list, edge+i)
	}
	for i := range d {
		list = append(list, i)
	}
	for i := range after {
		list = append(list, d-1-edge-i)
	}
	return list
}

func TestTilesAndStretchedArraysRepeat(t *testing.T) {
	testMoved(t, moved{
		name: "tile", shapes: [][]int{{2, 3, 1}}, out: []int{4, 3, 5},
		build:  one(func(b *graph.Builder, x []graph.T) graph.T { return b.Tile(x[0], 2, 1, 5) }),
		source: from0(func(i []int) []int { return []int{i[0] % 2, i[1], 0} }),
	})
	testMoved(t, moved{
		name: "tile, none", shapes: [][]int{{2, 3}}, out: []int{0, 3},
		build: one(func(b *graph.Builder, x []graph.T) graph.T {
			return b.Op(schema.BuiltinOperatorTILE, 0, nil, []graph.T{x[0], graph.ConstOf(b, "n", []int32{0, 1})}, graph.Tensor{Type: b.Type(x[0]), Shape: []int{0, 3}, HasRank: true})[0]
		}),
		source: from0(func(i []int) []int { return i }),
	})
	testMoved(t, moved{
		name: "stretch", shapes: [][]int{{3, 1, 2}}, out: []int{2, 3, 4, 2},
		build:  one(func(b *graph.Builder, x []graph.T) graph.T { return b.BroadcastTo(x[0], 2, 3, 4, 2) }),
		source: from0(func(i []int) []int { return []int{i[1], 0, i[3]} }),
	})
}

func TestDepthAndSpaceExchange(t *testing.T) {
	testMoved(t, moved{
		name: "depth to space", shapes: [][]int{{2, 3, 4, 12}}, out: []int{2, 6, 8, 3},
		build:  one(func(b *graph.Builder, x []graph.T) graph.T { return b.DepthToSpace(x[0], 2) }),
		source: from0(func(i []int) []int { return []int{i[0], i[1] / 2, i[2] / 2, (i[1]%2*2+i[2]%2)*3 + i[3]} }),
	})
	testMoved(t, moved{
		name: "space to depth", shapes: [][]int{{2, 6, 9, 2}}, out: []int{2, 2, 3, 18},
		build: one(func(b *graph.Builder, x []graph.T) graph.T { return b.SpaceToDepth(x[0], 3) }),
		source: from0(func(i []int) []int {
			dy, dx := i[3]/2/3, i[3]/2%3
			return []int{i[0], i[1]*3 + dy, i[2]*3 + dx, i[3] % 2}
		}),
	})
}

func TestShapesChangeWithoutMovingElements(t *testing.T) {
	// sameOrder is the source of an output whose elements stand in the order
	// of the input's.
	sameOrder := func(in, out []int) func(i []int) (int, []int) {
		return from0(func(i []int) []int {
			at := tensor{shape: out}.flat(i...)
			j := make([]int, len(in))
			for k := len(in) - 1; k >= 0; k-- {
				j[k], at = at%in[k], at/in[k]
			}
			return j
		})
	}
	for name, c := range map[string]struct {
		in, out []int
		f       func(b *graph.Builder, x graph.T) graph.T
	}{
		"reshape":             {[]int{2, 3, 4}, []int{6, 4}, func(b *graph.Builder, x graph.T) graph.T { return b.Reshape(x, 6, -1) }},
		"reshape to a scalar": {[]int{1, 1}, nil, func(b *graph.Builder, x graph.T) graph.T { return b.Reshape(x) }},
		"reshape of nothing":  {[]int{0, 3}, []int{3, 0}, func(b *graph.Builder, x graph.T) graph.T { return b.Reshape(x, 3, 0) }},
		"twice":               {[]int{2, 6}, []int{3, 4}, func(b *graph.Builder, x graph.T) graph.T { return b.Reshape(b.Reshape(x, 12), 3, 4) }},
		"expand":              {[]int{2, 3}, []int{2, 1, 3}, func(b *graph.Builder, x graph.T) graph.T { return b.ExpandDims(x, -2) }},
		"squeeze":             {[]int{1, 2, 1, 3}, []int{2, 3}, func(b *graph.Builder, x graph.T) graph.T { return b.Squeeze(x) }},
		"squeeze one":         {[]int{1, 2, 1, 3}, []int{1, 2, 3}, func(b *graph.Builder, x graph.T) graph.T { return b.Squeeze(x, -2) }},
	} {
		testMoved(t, moved{name: name, shapes: [][]int{c.in}, out: c.out, source: sameOrder(c.in, c.out),
			build: one(func(b *graph.Builder, x []graph.T) graph.T { return c.f(b, x[0]) })})
	}
}
