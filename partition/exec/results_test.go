package exec

import (
	"context"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// liar returns outputs of a wrong size.
type liar struct{ toy }

func (b *liar) Compile(ctx context.Context, m *graph.Model) (delegate.Executable, error) {
	x, err := b.toy.Compile(ctx, m)
	return &lyingRun{x}, err
}

type lyingRun struct{ delegate.Executable }

func (x *lyingRun) Run(ctx context.Context, inputs, outputs []graph.Array) error {
	err := x.Executable.Run(ctx, inputs, outputs)
	outputs[0].Data = outputs[0].Data[:4]
	return err
}

func TestABackendThatReturnsNonsenseIsFound(t *testing.T) {
	r, err := Single(context.Background(), chain(t, 1, 4), 0, &liar{toy{name: "liar"}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1))
	if err == nil || !strings.Contains(err.Error(), `wrong value for subgraph 0, tensor 1 "y"`) {
		t.Errorf("got %v", err)
	}
}
