package bench

import (
	"math"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/fallback"
	"nanoflux/graph"
)

// model is one product with an activation, and a transposition.
func model(t *testing.T) *graph.Model {
	t.Helper()
	b := graph.NewBuilder("small")
	x := b.Input("x", graph.Float32, 4, 8)
	w := b.Const("w", graph.NewArray(graph.Float32, 16, 8))
	b.Output("y", b.Transpose(b.Logistic(b.FullyConnected(x, w, graph.None, graph.ActNone)), 1, 0))
	m, err := b.Model()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAModelAndItsOperatorsAreMeasured(t *testing.T) {
	m := model(t)
	r, err := Run(t.Context(), m, fallback.New(fallback.Options{Threads: 1}), []graph.Array{graph.NewArray(graph.Float32, 4, 8)}, Options{Runs: 5, Operators: true})
	if err != nil {
		t.Fatal(err)
	}
	if r.Runs != 5 || r.MACs != 4*8*16 || r.Times.Best <= 0 || r.Times.Best > r.Times.Low || r.Times.Low > r.Times.Median || r.Times.Median > r.Times.High || r.Rate <= 0 {
		t.Errorf("%+v", r)
	}
	if len(r.Steps) != 2 || r.Steps[0].Label != "FULLY_CONNECTED, LOGISTIC" || r.Steps[0].MACs != 512 || r.Steps[1].Label != "TRANSPOSE" {
		t.Errorf("%+v", r.Steps)
	}
	share := 0.0
	for _, k := range r.Kinds {
		share += k.Share
	}
	if len(r.Kinds) != 2 || math.Abs(share-1) > 1e-9 {
		t.Errorf("%+v", r.Kinds)
	}
}

func TestOperatorByOperatorEachIsAStep(t *testing.T) {
	r, err := Run(t.Context(), model(t), fallback.New(fallback.Options{Threads: 1, NoFusion: true}), []graph.Array{graph.NewArray(graph.Float32, 4, 8)}, Options{Runs: 1, Operators: true})
	if err != nil || len(r.Steps) != 3 {
		t.Errorf("%+v, %v", r, err)
	}
}

// picky takes no LOGISTIC.
type picky struct{ delegate.Backend }

func (p picky) Supports(m *graph.Model, sub, op int) *delegate.Refusal {
	if m.Subgraphs[sub].Ops[op].Name() == "LOGISTIC" {
		return delegate.Refuse(delegate.ReasonOp, "not this one")
	}
	return nil
}

func TestABackendThatDoesNotTakeAnOperatorIsNamedWithIt(t *testing.T) {
	_, err := Run(t.Context(), model(t), picky{fallback.New(fallback.Options{})}, nil, Options{Runs: 1})
	if err == nil || !strings.Contains(err.Error(), "fallback does not take") || !strings.Contains(err.Error(), "LOGISTIC") {
		t.Error(err)
	}
}
