package fallback

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"nanoflux/delegate/delegatetest"
	"nanoflux/graph"
)

// FuzzRun gives the bytes of a file to the reader, and what the reader takes to
// the kernels: none may panic, and a run must end when its context does.
func FuzzRun(f *testing.F) {
	for n, c := range slices.Concat(delegatetest.Cases(), delegatetest.QuantizedCases(1)) {
		data, err := graph.Marshal(c.Model)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) > 1<<14 {
			continue
		}
		f.Add(data)
		// Changes that the reader lets through, which those of single bytes
		// seldom are.
		for k := range 3 {
			if changed, err := graph.Marshal(delegatetest.Damaged(rand.New(rand.NewPCG(uint64(n), uint64(k))), c.Model)); err == nil {
				f.Add(changed)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := graph.Read(data, "fuzz")
		if err != nil || len(m.Subgraphs) != 1 || tensorBytes(m) > 16<<20 {
			return
		}
		const patience = 30 * time.Second
		watch := time.AfterFunc(patience, func() { panic(fmt.Sprintf("the run goes on %v after the end of its context", patience)) })
		defer watch.Stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		// A tensor that is not constant may have been folded or aliased: what
		// two runs and two numbers of threads give must agree all the same.
		first, err := runZeros(t, ctx, m, 1)
		if err != nil {
			return
		}
		second, err := runZeros(t, ctx, m, 4)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			t.Fatalf("4 threads: %v; 1 thread gave a result", err)
		}
		for i := range first {
			if !bytes.Equal(first[i].Data, second[i].Data) || !slices.Equal(first[i].Shape, second[i].Shape) {
				t.Fatalf("output %d depends on the number of threads", i)
			}
		}
	})
}

// tensorBytes is what all tensors of a model's first subgraph take.
func tensorBytes(m *graph.Model) int {
	total := 0
	for i := range m.Subgraphs[0].Tensors {
		t := &m.Subgraphs[0].Tensors[i]
		n, err := graph.ByteSize(t.Type, t.Shape)
		if err != nil {
			continue // a type without a size
		}
		if total += n; total < 0 || n > 1<<40 {
			return 1 << 40
		}
	}
	return total
}

// runZeros compiles a model and runs it on zeros.
func runZeros(t *testing.T, ctx context.Context, m *graph.Model, threads int) ([]graph.Array, error) {
	t.Helper()
	b := New(Options{Threads: threads})
	g := &m.Subgraphs[0]
	for op := range g.Ops {
		if r := b.Supports(m, 0, op); r != nil {
			return nil, r
		}
	}
	e, err := b.Compile(ctx, m)
	if err != nil {
		noMistake(t, err)
		return nil, err
	}
	defer func() { _ = e.Close() }()
	// Shapes that the file does not tell are known now.
	size := e.(*executable).budget.used
	for _, v := range e.(*executable).values {
		size += v.size
	}
	if size > 16<<20 {
		return nil, fmt.Errorf("it takes %d bytes", size)
	}
	var inputs []graph.Array
	for _, i := range g.Inputs {
		inputs = append(inputs, graph.NewArray(g.Tensors[i].Type, g.Tensors[i].Shape...))
	}
	outputs := make([]graph.Array, len(g.Outputs))
	err = e.Run(ctx, inputs, outputs)
	noMistake(t, err)
	return outputs, err
}
