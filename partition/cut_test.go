package partition

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"nanoflux/graph"
)

func TestCutGivesAllOperatorsInConvexSetsAndAsFewAsBruteForce(t *testing.T) {
	for _, backends := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(backends, " backends"), func(t *testing.T) {
			for seed := range uint64(400) {
				random := rand.New(rand.NewPCG(seed, uint64(backends)))
				m := randomModel(t, random, 1+random.IntN(9))
				f := newFlow(m, 0)
				chosen := colours(random, len(m.Subgraphs[0].Ops), backends)
				sets, err := cut(context.Background(), f, chosen, backends)
				if err != nil {
					t.Fatal(err)
				}
				checkSets(t, f, chosen, sets)
				if want := fewestSets(f, chosen, backends); len(sets) != want {
					t.Fatalf("seed %d: %d sets, the fewest are %d: %v of %v", seed, len(sets), want, sets, chosen)
				}
			}
		})
	}
}

func TestCutOfLargeGraphsIsValid(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 7))
		m := randomModel(t, random, 300)
		f := newFlow(m, 0)
		backends := 2 + int(seed%3)
		chosen := colours(random, 300, backends)
		sets, err := cut(context.Background(), f, chosen, backends)
		if err != nil {
			t.Fatal(err)
		}
		checkSets(t, f, chosen, sets)
		again, _ := cut(context.Background(), f, chosen, backends)
		if fmt.Sprint(again) != fmt.Sprint(sets) {
			t.Fatalf("seed %d: another run cuts elsewhere", seed)
		}
	}
}

func TestCutStopsWhenTheContextEnds(t *testing.T) {
	m := randomModel(t, rand.New(rand.NewPCG(1, 1)), 5)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := cut(ctx, newFlow(m, 0), make([]int, 5), 1); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}

// checkSets checks that sets hold each operator once, one backend each, can run
// one after another, and are convex: no path leaves a set and comes back.
func checkSets(t *testing.T, f *flow, chosen []int, sets [][]int) {
	t.Helper()
	at := make([]int, len(chosen))
	for i := range at {
		at[i] = -1
	}
	for s, set := range sets {
		if len(set) == 0 || !slices.IsSorted(set) {
			t.Fatalf("set %d is %v", s, set)
		}
		for _, i := range set {
			if at[i] >= 0 {
				t.Fatalf("operator %d is in sets %d and %d", i, at[i], s)
			}
			at[i] = s
			if chosen[i] != chosen[set[0]] {
				t.Fatalf("set %d mixes backends: %v", s, set)
			}
		}
	}
	for i := range at {
		if at[i] < 0 {
			t.Fatalf("operator %d is in no set", i)
		}
		for _, p := range f.producers(i) {
			if at[p] > at[i] {
				t.Fatalf("operator %d in set %d needs %d in set %d", i, at[i], p, at[p])
			}
		}
	}
	// reaches[i] are the sets outside of i's own that a path from i enters;
	// going through operators backwards, successors are known.
	outside := make([]map[int]bool, len(chosen))
	for i := range outside {
		outside[i] = map[int]bool{}
	}
	for i := len(chosen) - 1; i >= 0; i-- {
		for _, p := range f.producers(i) {
			for s := range outside[i] {
				outside[p][s] = true
			}
			if at[p] != at[i] {
				outside[p][at[i]] = true
			}
		}
	}
	for i := range outside {
		if outside[i][at[i]] {
			t.Fatalf("a path leaves set %d at operator %d and comes back", at[i], i)
		}
	}
}

// fewestSets tries every order: the states are the sets of operators that have
// run and the backend of the last one; going on with the same backend is free.
func fewestSets(f *flow, chosen []int, backends int) int {
	n := len(chosen)
	needs := make([]int, n)
	for i := range needs {
		for _, p := range f.producers(i) {
			needs[i] |= 1 << p
		}
	}
	const never = 1 << 30
	cost := make([][]int, 1<<n)
	for done := range cost {
		cost[done] = slices.Repeat([]int{never}, backends)
	}
	full := 1<<n - 1
	best := never
	for done := range cost { // running one more makes a larger number
		for last := range backends {
			here := cost[done][last]
			if done == 0 {
				here = 0
			}
			if here == never {
				continue
			}
			if done == full {
				best = min(best, here)
			}
			for i := range n {
				if done>>i&1 == 1 || needs[i]&^done != 0 {
					continue
				}
				c := chosen[i]
				next := here
				if done == 0 || c != last {
					next++
				}
				cost[done|1<<i][c] = min(cost[done|1<<i][c], next)
			}
		}
	}
	return best
}

func TestOperatorsWithConstantInputsStandInEverySegmentThatNeedsThem(t *testing.T) {
	b := graph.NewBuilder("constants")
	x := b.Input("x", graph.Float32, 4)
	c := b.Neg(graph.ConstOf(b, "c", []float32{1, 2, 3, 4})) // op 0
	d := b.Neg(c)                                            // op 1: constant through op 0
	y := b.Add(x, c)                                         // op 2
	z := b.Mul(y, d)                                         // op 3
	b.Output("z", z)
	m := built(t, b)
	plan, err := New(context.Background(), m, 0, profileOf(t, "rules:\n  - {op: ADD, backend: go}\n"), both(fake{name: "a"}, fake{name: "b"}))
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		backend         string
		ops             Ops
		inputs, outputs []int
	}{
		{"go", Ops{0, 2}, []int{int(x)}, []int{int(y)}},
		{"npu", Ops{0, 1, 3}, []int{int(y)}, []int{int(z)}},
	}
	if len(plan.Segments) != len(want) {
		t.Fatalf("%d segments\n%v", len(plan.Segments), plan)
	}
	for s, w := range want {
		got := plan.Segments[s]
		if got.Backend != w.backend || !slices.Equal(got.Ops, w.ops) || !slices.Equal(got.Inputs, w.inputs) || !slices.Equal(got.Outputs, w.outputs) {
			t.Errorf("segment %d is %+v, want %+v", s, got, w)
		}
		segment, err := plan.Extract(m, s)
		if err != nil {
			t.Fatal(err)
		}
		if g := segment.Subgraphs[0]; len(g.Ops) != len(w.ops) || len(g.Inputs) != 1 || len(g.Outputs) != 1 {
			t.Errorf("segment %d extracted: %d operators, inputs %v, outputs %v", s, len(g.Ops), g.Inputs, g.Outputs)
		}
	}
}
