package fallback

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"nanoflux/delegate/delegatetest"
	"nanoflux/graph"
)

// noMistake fails for the error that a panic in a kernel becomes: kernels check
// what a file says.
func noMistake(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), "mistake in a Go kernel") {
		t.Error(err)
	}
}

// tryDamaged compiles and runs a model.
func tryDamaged(t *testing.T, r *rand.Rand, m *graph.Model) (ran bool) {
	t.Helper()
	if graph.Check(m) != nil {
		return false
	}
	b := New(Options{Threads: 1 + r.IntN(2)})
	g := &m.Subgraphs[0]
	for op := range g.Ops {
		if b.Supports(m, 0, op) != nil {
			return false
		}
	}
	size := 0
	for i := range g.Tensors {
		n, _ := graph.ByteSize(g.Tensors[i].Type, g.Tensors[i].Shape)
		size = max(size, n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	e, err := b.Compile(ctx, m)
	noMistake(t, err)
	if err != nil {
		return false
	}
	defer func() { _ = e.Close() }()
	if size > 1<<22 || e.(*executable).arenaBytes+e.(*executable).budget.used > 1<<25 {
		return false // right, but slow
	}
	var inputs []graph.Array
	for _, i := range g.Inputs {
		inputs = append(inputs, random(r, g.Tensors[i].Type, g.Tensors[i].Shape...))
	}
	err = e.Run(ctx, inputs, make([]graph.Array, len(g.Outputs)))
	noMistake(t, err)
	return err == nil
}

func TestDamagedModelsEndInErrorsNotInPanics(t *testing.T) {
	cases := slices.Concat(delegatetest.Cases(), delegatetest.QuantizedCases(1))
	worked := 0
	for n, c := range cases {
		for k := range 20 {
			r := rand.New(rand.NewPCG(uint64(n), uint64(k)))
			m := delegatetest.Damaged(r, c.Model)
			t.Run(fmt.Sprintf("%s, %d", c.Name, k), func(t *testing.T) {
				if tryDamaged(t, r, m) {
					worked++
				}
			})
		}
	}
	if worked < len(cases) {
		t.Errorf("only %d damaged models ran: the changes are too coarse", worked)
	}
}
