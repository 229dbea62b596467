package exec

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"nanoflux/delegate"
	"nanoflux/delegate/guarded"
	"nanoflux/delegate/journal"
	"nanoflux/graph"
	"nanoflux/profiles"
)

func TestAPlanIsForeseenAsItRunsAtTheNextStart(t *testing.T) {
	m := chain(t, 7, 4)
	leaves := func() delegate.Backend { return &modest{toy: toy{name: "npu"}, left: leavesNeg} }
	crashes := func() delegate.Backend { return &lostAfter{toy: toy{name: "npu"}} }
	for _, test := range []struct {
		name  string
		npu   func() delegate.Backend
		rules string
	}{
		{"a delegate that leaves operators", leaves, "policy: fallback\n"},
		{"one that leaves operators, which the policy lets run beside it", leaves, "policy: warn\n"},
		{"one that crashes", crashes, "policy: fallback\n"},
		{"one that crashes on one of several segments", crashes, "policy: warn\nrules:\n  - {op: ADD, backend: go}\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			list := func(npu delegate.Backend) []delegate.Backend {
				return []delegate.Backend{guard(npu, journal.Open(path)), &toy{name: "go"}}
			}
			foreseen := func() string {
				t.Helper()
				p, backends := profileOver(t, test.rules, list(test.npu()))
				plan, err := Foresee(t.Context(), m, 0, p, backends)
				if err != nil {
					t.Fatal(err)
				}
				return fmt.Sprint(plan)
			}
			start := func() string {
				t.Helper()
				r, err := over(t, m, test.rules, Options{}, list(test.npu())...)
				if err != nil {
					t.Fatal(err)
				}
				plan := fmt.Sprint(r.plan)
				_ = r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1))
				return plan
			}
			nothing := foreseen()
			start()
			for n := range 4 {
				want := foreseen()
				if got := start(); got != want {
					t.Errorf("start %d ran\n%s\nforeseen was\n%s", n+2, got, want)
				}
				if n == 0 && want == nothing && test.name != "one that leaves operators, which the policy lets run beside it" {
					t.Errorf("nothing was foreseen:\n%s", want)
				}
			}
		})
	}
}

// By the policy fail what is known not to go is the plan's error already.
func TestAnErrorIsForeseen(t *testing.T) {
	for name, test := range map[string]struct {
		npu  func() delegate.Backend
		want error
	}{
		"operators that are left": {func() delegate.Backend { return &modest{toy: toy{name: "npu"}, left: leavesNeg} }, ErrLeft},
		"a crash":                 {func() delegate.Backend { return &lostAfter{toy: toy{name: "npu"}} }, guarded.ErrRemembered},
	} {
		path := filepath.Join(t.TempDir(), "journal")
		rules := "policy: " + string(profiles.Fail) + "\n"
		r, err := over(t, chain(t, 3, 4), rules, Options{}, guard(test.npu(), journal.Open(path)))
		if err == nil {
			_ = r.Run(context.Background(), []graph.Array{ints(1, 2, 3, 4)}, make([]graph.Array, 1))
		}
		p, backends := profileOver(t, rules, []delegate.Backend{guard(test.npu(), journal.Open(path))})
		if _, err := Foresee(t.Context(), chain(t, 3, 4), 0, p, backends); !errors.Is(err, test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// profileOver is a profile over backends in this order, and they by name.
func profileOver(t *testing.T, rules string, backends []delegate.Backend) (*profiles.Profile, map[string]delegate.Backend) {
	t.Helper()
	byName, names := map[string]delegate.Backend{}, []string{}
	for _, b := range backends {
		byName[b.Name()] = b
		names = append(names, b.Name())
	}
	return profileOf(t, rules, names...), byName
}
