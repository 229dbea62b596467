package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/partition"
	"nanoflux/profiles"
)

// profileOf is a profile over backends of these names.
func profileOf(t *testing.T, rules string, names ...string) *profiles.Profile {
	t.Helper()
	text := "version: 1\nname: test\nbackends:\n"
	for _, n := range names {
		text += "  - {name: " + n + ", kind: toy}\n"
	}
	p, err := profiles.Parse([]byte(text+rules), "test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// runner plans m over backends, in this order of preference.
func runner(t *testing.T, m *graph.Model, rules string, backends ...*toy) *Runner {
	t.Helper()
	byName, names := map[string]delegate.Backend{}, []string{}
	for _, b := range backends {
		byName[b.name] = b
		names = append(names, b.name)
	}
	plan, err := partition.New(context.Background(), m, 0, profileOf(t, rules, names...), byName)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(context.Background(), m, plan, byName, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// randomModel has n operators of every sort that the toy backend knows, two
// inputs and several outputs. All arrays have 8 or 4 elements.
func randomModel(t *testing.T, random *rand.Rand, n int) *graph.Model {
	b := graph.NewBuilder("random")
	bySize := map[int][]graph.T{8: {b.Input("x", graph.Int32, 8), b.Input("y", graph.Int32, 8)}}
	for _, size := range []int{8, 4} {
		c := graph.ConstOf(b, "c", []int32{5, -3, 2, 1, 7, 9, -8, 4}[:size])
		bySize[size] = append(bySize[size], c, b.Neg(c)) // the second is constant through an operator
	}
	used := map[graph.T]bool{}
	pick := func(size int) graph.T {
		list := bySize[size]
		x := list[random.IntN(len(list))]
		used[x] = true
		return x
	}
	for range n {
		size := []int{8, 4}[random.IntN(2)]
		switch random.IntN(5) {
		case 0:
			bySize[size] = append(bySize[size], b.Neg(pick(size)))
		case 1:
			bySize[4] = append(bySize[4], b.Split(pick(8), 0, 2)...)
		case 2:
			bySize[8] = append(bySize[8], b.Concat(0, pick(4), pick(4)))
		case 3:
			bySize[size] = append(bySize[size], b.Mul(pick(size), pick(size)))
		default:
			bySize[size] = append(bySize[size], b.Add(pick(size), pick(size)))
		}
	}
	count := 0
	for _, size := range []int{8, 4} {
		for _, x := range bySize[size][2:] {
			// Nearly all that nobody uses, and some that others do.
			if used[x] == (random.IntN(8) == 0) {
				count++
				b.Output(fmt.Sprint("out", count), x)
			}
		}
	}
	if count == 0 {
		b.Output("out", b.Neg(pick(8)))
	}
	return built(t, b)
}

func TestEveryPlacementGivesTheBytesOfTheSingleSegmentRun(t *testing.T) {
	ctx := context.Background()
	for seed := range uint64(150) {
		random := rand.New(rand.NewPCG(seed, 1))
		m := randomModel(t, random, 1+random.IntN(40))
		g := &m.Subgraphs[0]
		whole, err := Single(ctx, m, 0, &toy{name: "whole"})
		if err != nil {
			t.Fatal(err)
		}
		place := make([]int, len(g.Ops))
		for i := range place {
			place[i] = random.IntN(3)
		}
		var backends []*toy
		for k := range 3 {
			backends = append(backends, &toy{name: fmt.Sprint("toy", k), stingy: random.IntN(4) == 0, takes: func(op int) bool {
				// A constant operator goes wherever its consumers go.
				return place[op] == k || isConstantOp(m, op)
			}})
		}
		cut := runner(t, m, "policy: fallback\n", backends...)
		made := map[int]int{}
		for s, seg := range cut.plan.Segments {
			for _, tensor := range seg.Outputs {
				if other, twice := made[tensor]; twice {
					t.Fatalf("seed %d: segments %d and %d both give tensor %d", seed, other, s, tensor)
				}
				made[tensor] = s
			}
		}
		for range 3 { // again with used buffers
			inputs := []graph.Array{randomInts(random, 8), randomInts(random, 8)}
			want, got := make([]graph.Array, len(g.Outputs)), make([]graph.Array, len(g.Outputs))
			for k := range got {
				if random.IntN(2) == 0 { // some outputs bring their memory
					got[k] = graph.NewArray(graph.Int32, 16)
				}
			}
			if err := whole.Run(ctx, inputs, want); err != nil {
				t.Fatal(err)
			}
			if err := cut.Run(ctx, inputs, got); err != nil {
				t.Fatalf("seed %d: %v\n%v", seed, err, cut.plan)
			}
			for k := range want {
				if !bytes.Equal(got[k].Data, want[k].Data) || !slices.Equal(got[k].Shape, want[k].Shape) || got[k].Type != want[k].Type {
					t.Fatalf("seed %d: output %d is %v, want %v\n%v", seed, k, got[k], want[k], cut.plan)
				}
			}
		}
		if err := errors.Join(whole.Close(), cut.Close()); err != nil {
			t.Fatal(err)
		}
		for _, b := range backends {
			if b.open != 0 {
				t.Fatalf("%s has %d open segments", b.name, b.open)
			}
		}
	}
}

// isConstantOp reports whether no input of the model reaches the operator.
func isConstantOp(m *graph.Model, op int) bool {
	g := &m.Subgraphs[0]
	for _, t := range g.Ops[op].Inputs {
		if slices.Contains(g.Inputs, t) {
			return false
		}
		for i := range op {
			if slices.Contains(g.Ops[i].Outputs, t) && !isConstantOp(m, i) {
				return false
			}
		}
	}
	return true
}

func randomInts(random *rand.Rand, n int) graph.Array {
	a := graph.NewArray(graph.Int32, n)
	for i := range graph.View[int32](a.Data) {
		graph.View[int32](a.Data)[i] = int32(random.Uint32())
	}
	return a
}

// chain is x → NEG → ADD(x) → NEG → …, with n operators; odd ones are ADD.
func chain(t *testing.T, n int, shape ...int) *graph.Model {
	b := graph.NewBuilder("chain")
	x := b.Input("x", graph.Int32, shape...)
	y := x
	for i := range n {
		if i%2 == 0 {
			y = b.Neg(y)
		} else {
			y = b.Add(y, x)
		}
	}
	b.Output("y", y)
	return built(t, b)
}

const zigzag = "rules:\n  - {op: ADD, backend: b}\n"

func TestManyGoroutinesMayRunAtOnce(t *testing.T) {
	m := chain(t, 9, 4)
	r := runner(t, m, zigzag, &toy{name: "a"}, &toy{name: "b"})
	var wait sync.WaitGroup
	errs := make([]error, 16)
	for g := range errs {
		wait.Go(func() {
			for k := range 20 {
				v := int32(100*g + k)
				out := make([]graph.Array, 1)
				if err := r.Run(context.Background(), []graph.Array{ints(v, v+1, 0, -v)}, out); err != nil {
					errs[g] = err
					return
				}
				want := func(x int32) int32 {
					y := x
					for i := range 9 {
						if i%2 == 0 {
							y = 1 - y
						} else {
							y += x
						}
					}
					return y
				}
				if got := numbers(out[0]); !slices.Equal(got, []int32{want(v), want(v + 1), want(0), want(-v)}) {
					errs[g] = fmt.Errorf("run %d: %v", k, got)
					return
				}
			}
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for _, s := range r.Report() {
		if s.Runs != 16*20 {
			t.Errorf("segment %d: %d runs", s.Segment, s.Runs)
		}
	}
}

func TestShapesThatOnlyTheCallerKnowsPassThrough(t *testing.T) {
	m := chain(t, 5, -1)
	if err := graph.Check(m); err != nil {
		t.Fatal(err)
	}
	r := runner(t, m, zigzag, &toy{name: "a"}, &toy{name: "b"})
	for _, n := range []int{1, 100, 3, 0, 1000} {
		in := graph.NewArray(graph.Int32, n)
		for i := range graph.View[int32](in.Data) {
			graph.View[int32](in.Data)[i] = int32(i)
		}
		out := make([]graph.Array, 1)
		if err := r.Run(context.Background(), []graph.Array{in}, out); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(out[0].Shape, []int{n}) {
			t.Errorf("shape %v of %d elements", out[0].Shape, n)
		}
		for i, got := range numbers(out[0]) {
			// 1-(1-(1-x+x)+x) = 1-x
			if want := int32(1 - i); got != want {
				t.Fatalf("%d elements: element %d is %d, want %d", n, i, got, want)
			}
		}
	}
}

func TestArgumentsThatDoNotFitAreRefused(t *testing.T) {
	r := runner(t, chain(t, 2, 2, -1), "", &toy{name: "a"})
	good := graph.NewArray(graph.Int32, 2, 5)
	tests := []struct {
		name    string
		inputs  []graph.Array
		outputs int
		want    string
	}{
		{"too few inputs", nil, 1, "0 inputs given, the model has 1"},
		{"too many outputs", []graph.Array{good}, 2, "room for 2 outputs given, the model has 1"},
		{"another type", []graph.Array{graph.NewArray(graph.Float32, 2, 5)}, 1, `tensor 0 "x" (INT32 [2 1]): got type FLOAT32`},
		{"another rank", []graph.Array{graph.NewArray(graph.Int32, 10)}, 1, "got shape [10]"},
		{"another fixed dimension", []graph.Array{graph.NewArray(graph.Int32, 3, 5)}, 1, "got shape [3 5]"},
		{"a negative dimension", []graph.Array{{Type: graph.Int32, Shape: []int{2, -1}}}, 1, "negative"},
		{"too few bytes", []graph.Array{{Type: graph.Int32, Shape: []int{2, 5}, Data: good.Data[:36]}}, 1, "got 36 bytes of data, shape [2 5] of INT32 has 40"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := r.Run(context.Background(), test.inputs, make([]graph.Array, test.outputs))
			if !errors.Is(err, delegate.ErrInput) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	if err := r.Run(context.Background(), []graph.Array{good}, make([]graph.Array, 1)); err != nil {
		t.Error(err)
	}
}

func TestAnErrorNamesItsSegment(t *testing.T) {
	broken := true
	b := &toy{name: "b", fail: func() error {
		if broken {
			return errBroken
		}
		return nil
	}}
	r := runner(t, chain(t, 3, 4), zigzag+"policy: fail\n", &toy{name: "a"}, b)
	run := func() error {
		return r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1))
	}
	err := run()
	var failed *SegmentError
	if !errors.Is(err, errBroken) || !errors.As(err, &failed) || failed.Segment != 1 || failed.Backend != "b" {
		t.Fatalf("got %v", err)
	}
	if want := "chain: run segment 1 (backend b, op 1): the device is on fire"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	broken = false
	if err := run(); err != nil {
		t.Errorf("the next run: %v", err)
	}
	if got := r.Report(); got[0].Runs != 2 || got[1].Runs != 1 {
		t.Errorf("report %+v", got)
	}
}

func TestARunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := runner(t, chain(t, 3, 4), zigzag, &toy{name: "a"}, &toy{name: "b", fail: func() error { cancel(); return nil }})
	in, out := []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1)
	if err := r.Run(ctx, in, out); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if err := r.Run(context.Background(), in, out); err != nil {
		t.Errorf("the next run: %v", err)
	}
}

func TestCloseFreesEverySegmentAlsoAfterAnError(t *testing.T) {
	a, b := &toy{name: "a", closeErr: errBroken}, &toy{name: "b"}
	r := runner(t, chain(t, 4, 4), zigzag, a, b)
	err := r.Close()
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "close segment 0 (backend a, op 0)") {
		t.Errorf("got %v", err)
	}
	if a.open != 0 || b.open != 0 {
		t.Errorf("%d and %d segments are open", a.open, b.open)
	}
	if err := r.Close(); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if err := r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1)); !errors.Is(err, delegate.ErrClosed) {
		t.Errorf("run after close: %v", err)
	}
}

// refuser compiles nothing.
type refuser struct{ toy }

func (b *refuser) Compile(context.Context, *graph.Model) (delegate.Executable, error) {
	return nil, errBroken
}

func TestNewLeavesNothingOpenWhenASegmentDoesNotCompile(t *testing.T) {
	m := chain(t, 3, 4)
	a, b := &toy{name: "a"}, &refuser{toy{name: "b"}}
	backends := map[string]delegate.Backend{"a": a, "b": b}
	plan, err := partition.New(context.Background(), m, 0, profileOf(t, zigzag+"policy: fail\n", "a", "b"), backends)
	if err != nil {
		t.Fatal(err)
	}
	_, err = New(context.Background(), m, plan, backends, Options{})
	if want := "chain: compile segment 1 (backend b, op 1): the device is on fire"; err == nil || err.Error() != want || !errors.Is(err, errBroken) {
		t.Errorf("got %v, want %s", err, want)
	}
	if a.compiled != 1 || a.open != 0 {
		t.Errorf("compiled %d, open %d", a.compiled, a.open)
	}
	if _, err := New(context.Background(), m, plan, map[string]delegate.Backend{"a": a}, Options{}); err == nil || !strings.Contains(err.Error(), "no backend of this name") {
		t.Errorf("without a backend: %v", err)
	}
	if _, err := New(context.Background(), chain(t, 3, 4), plan, backends, Options{}); !errors.Is(err, partition.ErrPlan) {
		t.Errorf("for another model: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := New(ctx, m, plan, backends, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
}

func TestTheReportSaysWhatRanWhere(t *testing.T) {
	r := runner(t, chain(t, 3, 4), zigzag, &toy{name: "a"}, &toy{name: "b"})
	for range 3 {
		if err := r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1)); err != nil {
			t.Fatal(err)
		}
	}
	report := r.Report()
	want := []SegmentReport{
		{Segment: 0, Backend: "a", Kind: "a", Ops: []int{0}, Runs: 3, BytesIn: 16, BytesOut: 16},
		{Segment: 1, Backend: "b", Kind: "b", Ops: []int{1}, Runs: 3, BytesIn: 32, BytesOut: 16},
		{Segment: 2, Backend: "a", Kind: "a", Ops: []int{2}, Runs: 3, BytesIn: 16, BytesOut: 16},
	}
	for s, got := range report {
		if got.Total < got.Last || got.Last < 0 {
			t.Errorf("segment %d: total %v, last %v", s, got.Total, got.Last)
		}
		got.Total, got.Last = 0, 0
		if fmt.Sprint(got) != fmt.Sprint(want[s]) {
			t.Errorf("got  %+v\nwant %+v", got, want[s])
		}
	}
}
