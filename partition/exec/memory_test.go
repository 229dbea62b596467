package exec

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"nanoflux/graph"
)

func TestBuffersBetweenSegmentsAreReusedAndPacked(t *testing.T) {
	m := chain(t, 9, 1024)
	r := runner(t, m, zigzag, &toy{name: "a"}, &toy{name: "b"})
	if len(r.segments) != 9 {
		t.Fatalf("%d segments", len(r.segments))
	}
	// One tensor is read while the next is written.
	if want := 2 * 4096; r.layout.size != want {
		t.Errorf("the pool has %d bytes, want %d", r.layout.size, want)
	}
	for range 5 {
		if err := r.Run(context.Background(), []graph.Array{graph.NewArray(graph.Int32, 1024)}, make([]graph.Array, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.idle) != 1 || len(r.idle[0].grown) != 0 {
		t.Errorf("%d memories are kept, grown %d", len(r.idle), len(r.idle[0].grown))
	}
}

func TestPackedTensorsThatLiveAtTheSameTimeDoNotOverlap(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 5))
		spans := map[int]span{}
		most := 0
		for k := range 1 + random.IntN(30) {
			first := random.IntN(20)
			spans[k] = span{size: alignment * random.IntN(9), first: first, last: first + random.IntN(6)}
		}
		for s := range 30 {
			live := 0
			for _, sp := range spans {
				if sp.first <= s && s <= sp.last {
					live += sp.size
				}
			}
			most = max(most, live)
		}
		size := pack(spans)
		if size < most {
			t.Fatalf("seed %d: %d bytes cannot hold %d", seed, size, most)
		}
		for i, a := range spans {
			if a.offset < 0 || a.offset+a.size > size || a.offset%alignment != 0 {
				t.Fatalf("seed %d: %+v lies outside of %d", seed, a, size)
			}
			for j, b := range spans {
				if i < j && a.overlaps(b) && a.offset < b.offset+b.size && b.offset < a.offset+a.size {
					t.Fatalf("seed %d: %+v and %+v share bytes", seed, a, b)
				}
			}
		}
	}
}

func TestOutputsAreWrittenIntoTheCallersMemory(t *testing.T) {
	r := runner(t, chain(t, 3, 4), zigzag, &toy{name: "a"}, &toy{name: "b"})
	out := []graph.Array{graph.NewArray(graph.Int32, 4)}
	before := &out[0].Data[0]
	if err := r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, out); err != nil {
		t.Fatal(err)
	}
	if &out[0].Data[0] != before || !slices.Equal(numbers(out[0]), []int32{0, 0, 0, 0}) {
		t.Errorf("got %v, same memory %v", numbers(out[0]), &out[0].Data[0] == before)
	}
}

func TestOutputsThatNoOperatorMakesAreCopied(t *testing.T) {
	b := graph.NewBuilder("through")
	x := b.Input("x", graph.Int32, 2)
	c := graph.ConstOf(b, "c", []int32{7, 8})
	b.Output("y", b.Neg(x))
	b.Output("same", x)
	b.Output("constant", c)
	b.Output("folded", b.Neg(c))
	m := built(t, b)
	m.Subgraphs[0].Outputs = append(m.Subgraphs[0].Outputs, m.Subgraphs[0].Outputs[0]) // y once more
	r := runner(t, m, "", &toy{name: "a"})
	in := ints(1, 2)
	out := make([]graph.Array, 5)
	if err := r.Run(context.Background(), []graph.Array{in}, out); err != nil {
		t.Fatal(err)
	}
	want := [][]int32{{0, -1}, {1, 2}, {7, 8}, {-6, -7}, {0, -1}}
	for k := range want {
		if !slices.Equal(numbers(out[k]), want[k]) || !slices.Equal(out[k].Shape, []int{2}) {
			t.Errorf("output %d is %v %v, want %v", k, out[k].Shape, numbers(out[k]), want[k])
		}
	}
	for k, other := range []graph.Array{1: in, 2: {Data: m.Buffers[1]}, 4: out[0]} {
		if len(other.Data) > 0 && &out[k].Data[0] == &other.Data[0] {
			t.Errorf("output %d shares memory", k)
		}
	}
}
