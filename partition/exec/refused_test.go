package exec

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"nanoflux/delegate"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// picky refuses segments with ADD, all of them by name, which its table takes.
type picky struct {
	*toy
	asked int
}

func (p *picky) Compile(ctx context.Context, segment *graph.Model) (delegate.Executable, error) {
	p.asked++
	refused := &delegate.RefusedError{}
	for i, op := range segment.Subgraphs[0].Ops {
		if op.Code == schema.BuiltinOperatorADD {
			refused.Ops = append(refused.Ops, delegate.LeftOperator{Op: i, Reason: "error 3110"})
		}
	}
	if len(refused.Ops) > 0 {
		return nil, fmt.Errorf("%s: %w", segment.Name, refused)
	}
	return p.toy.Compile(ctx, segment)
}

func TestWhatADeviceRefusesOfASegmentRunsElsewhereAndTheRestThere(t *testing.T) {
	for _, policy := range []string{"warn", "fallback"} {
		npu := &picky{toy: &toy{name: "npu"}}
		backends := map[string]delegate.Backend{"npu": npu, "go": &toy{name: "go"}}
		r, plan, err := Settle(t.Context(), chain(t, 7, 4), 0, profileOf(t, "policy: "+policy+"\n", "npu", "go"), backends, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got, want := once(t, r), once(t, runner(t, chain(t, 7, 4), "", &toy{name: "right"})); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", policy, got, want)
		}
		there, elsewhere := 0, 0
		for _, s := range r.Report() {
			if s.Moved != "" {
				t.Errorf("%s: segment %d moved: %s", policy, s.Segment, s.Moved)
			}
			if s.Backend == "npu" {
				there += len(s.Ops)
			} else {
				elsewhere += len(s.Ops)
			}
		}
		if there != 4 || elsewhere != 3 {
			t.Errorf("%s: %d operators there and %d elsewhere, must be 4 and 3", policy, there, elsewhere)
		}
		if text := fmt.Sprintf("%+v", plan.Misses); !strings.Contains(text, "error 3110") {
			t.Errorf("%s: the plan has no reason: %s", policy, text)
		}
	}
}

func TestWhatADeviceRefusesIsAnErrorUnderThePolicyFail(t *testing.T) {
	_, err := over(t, chain(t, 7, 4), "policy: fail\n", Options{}, &picky{toy: &toy{name: "npu"}}, &toy{name: "go"})
	if err == nil || !strings.Contains(err.Error(), "error 3110") {
		t.Errorf("%v", err)
	}
}
