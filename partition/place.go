package partition

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"nanoflux/delegate"
	"nanoflux/profiles"
)

// placer gives each operator a backend.
type placer struct {
	flow       *flow
	profile    *profiles.Profile
	part       string
	candidates []candidate

	// chosen is the candidate of each operator; -1 for those that are not
	// placed (constant ones that are no output, and dead ones).
	chosen []int
	// why says for each operator what led to its backend.
	why    []string
	misses []Miss
	// missedFirst are the operators whose first choice refused them.
	missedFirst []int
	// used says for each rule whether it matched an operator.
	used []bool
	// avoided are, for each candidate, the placed operators that rules keep from
	// it.
	avoided []Ops
	// refusals remembers what Supports said about constant operators, which
	// are asked about once for each consumer.
	refusals map[[2]int]*delegate.Refusal
	// answers are, for each candidate, who answered for it.
	answers []*Answers
}

func (pl *placer) placeAll(ctx context.Context) error {
	f := pl.flow
	n := len(f.graph.Ops)
	pl.chosen, pl.why = make([]int, n), make([]string, n)
	pl.used = make([]bool, len(pl.profile.Rules))
	pl.avoided = make([]Ops, len(pl.candidates))
	pl.answers = make([]*Answers, len(pl.candidates))
	pl.refusals = map[[2]int]*delegate.Refusal{}
	var unplaced []*UnplacedError
	for i := range n {
		pl.chosen[i] = -1
		if !f.live[i] || f.constant[i] && !pl.isOutput(i) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := pl.place(i); err != nil {
			unplaced = append(unplaced, err)
		}
	}
	if len(unplaced) > 0 {
		unplaced[0].More = len(unplaced) - 1
		return unplaced[0]
	}
	if pl.profile.Policy == profiles.Fail && len(pl.missedFirst) > 0 {
		i := pl.missedFirst[0]
		at := slices.IndexFunc(pl.misses, func(m Miss) bool { return m.Op == i && m.Refusal.Reason != delegate.ReasonRule })
		return &PolicyError{Op: f.m.OpLabel(f.sub, i), Miss: pl.misses[at], More: len(pl.missedFirst) - 1}
	}
	return nil
}

func (pl *placer) isOutput(i int) bool {
	return slices.ContainsFunc(pl.flow.graph.Ops[i].Outputs, func(t int) bool { return t >= 0 && pl.flow.output[t] })
}

// choice is a backend in an operator's list.
type choice struct {
	candidate int
	// avoided is the rule that forbids it, or -1.
	avoided int
}

// choices lists the candidates for an operator, best first, and the rule that
// ordered them, or -1.
func (pl *placer) choices(i int) (list []choice, orderedBy int) {
	avoided := make([]int, len(pl.candidates))
	for c := range avoided {
		avoided[c] = -1
	}
	orderedBy = -1
	for k := range pl.profile.Rules {
		r := &pl.profile.Rules[k]
		if !r.Matches(pl.flow.m, pl.flow.sub, i, pl.part) {
			continue
		}
		pl.used[k] = true
		if len(r.Backends) > 0 && orderedBy < 0 {
			orderedBy = k
		}
		for _, name := range r.Avoid {
			if c := pl.candidate(name); avoided[c] < 0 {
				avoided[c] = k
			}
		}
	}
	add := func(c int) {
		if !slices.ContainsFunc(list, func(x choice) bool { return x.candidate == c }) {
			list = append(list, choice{c, avoided[c]})
		}
	}
	if orderedBy >= 0 {
		for _, name := range pl.profile.Rules[orderedBy].Backends {
			add(pl.candidate(name))
		}
	}
	for c := range pl.candidates {
		add(c)
	}
	return list, orderedBy
}

func (pl *placer) candidate(name string) int {
	return slices.IndexFunc(pl.candidates, func(c candidate) bool { return c.Name == name })
}

// place finds the backend of operator i and records what it missed.
func (pl *placer) place(i int) *UnplacedError {
	list, orderedBy := pl.choices(i)
	var missed []Miss
	miss := func(c int, r delegate.Refusal) {
		missed = append(missed, Miss{Op: i, Name: pl.flow.graph.Ops[i].Name(), Backend: pl.candidates[c].Name, Refusal: r})
	}
	chosen, refused := -1, ""
	for _, x := range list {
		if x.avoided >= 0 {
			pl.avoided[x.candidate] = append(pl.avoided[x.candidate], i)
		}
	}
	for _, x := range list {
		if x.avoided >= 0 {
			miss(x.candidate, *delegate.Refuse(delegate.ReasonRule, "%s avoids it", pl.ruleLabel(x.avoided)))
			continue
		}
		pl.noteAnswer(x.candidate, i)
		if r := pl.refusal(x.candidate, i); r != nil {
			miss(x.candidate, *r)
			if refused == "" {
				refused = pl.candidates[x.candidate].Name
			}
			continue
		}
		chosen = x.candidate
		break
	}
	if chosen < 0 {
		return &UnplacedError{Op: pl.flow.m.OpLabel(pl.flow.sub, i), Misses: missed}
	}
	if refused != "" {
		pl.missedFirst = append(pl.missedFirst, i)
	}
	// Where a rule put the profile's first backend behind the chosen one.
	if orderedBy >= 0 && chosen != 0 && !slices.ContainsFunc(missed, func(m Miss) bool { return m.Backend == pl.candidates[0].Name }) {
		miss(0, *delegate.Refuse(delegate.ReasonRule, "%s sends it to %s", pl.ruleLabel(orderedBy), pl.candidates[chosen].Name))
	}
	pl.chosen[i] = chosen
	pl.misses = append(pl.misses, missed...)
	switch {
	case refused != "":
		pl.why[i] = "instead of " + refused
	case orderedBy >= 0 && slices.Contains(pl.profile.Rules[orderedBy].Backends, pl.candidates[chosen].Name):
		pl.why[i] = pl.ruleLabel(orderedBy)
	case len(missed) > 0:
		pl.why[i] = missed[0].Refusal.Detail // "rule 3 avoids it"
	default:
		pl.why[i] = "first in the profile"
	}
	return nil
}

// ruleLabel is "rule 2 (linear layers)"; rules count from 1.
func (pl *placer) ruleLabel(k int) string {
	label := fmt.Sprintf("rule %d", k+1)
	if because := pl.profile.Rules[k].Because; because != "" {
		label += " (" + strings.Join(strings.Fields(because), " ") + ")"
	}
	return label
}

// refusal is why candidate c does not take operator i, or nil if it does. It
// must also take the constant operators that i needs, as they go with it.
func (pl *placer) refusal(c, i int) *delegate.Refusal {
	if missing := pl.candidates[c].missing; missing != nil {
		return missing
	}
	f := pl.flow
	switch op := &f.graph.Ops[i]; {
	case op.Calls():
		return delegate.Refuse(delegate.ReasonOp, "it runs other subgraphs, and a segment has only one")
	case op.Compiled():
		return delegate.Refuse(delegate.ReasonOp, "it was compiled for one NPU, and its code is not part of the model")
	}
	if r := pl.candidates[c].backend.Supports(f.m, f.sub, i); r != nil {
		return r
	}
	for _, k := range f.withConstants([]int{i}) {
		if k == i {
			continue
		}
		r, known := pl.refusals[[2]int{c, k}]
		if !known {
			r = pl.candidates[c].backend.Supports(f.m, f.sub, k)
			if pl.refusals != nil { // not before the answers are there
				pl.refusals[[2]int{c, k}] = r
			}
		}
		if r != nil {
			return delegate.Refuse(r.Reason, "its constant input from op %d (%s): %s", k, f.graph.Ops[k].Name(), r.Detail)
		}
	}
	return nil
}

// UnplacedError says that no backend takes an operator; it wraps ErrUnplaced.
type UnplacedError struct {
	// Op names the operator for people.
	Op string
	// Misses has every backend's reason.
	Misses []Miss
	// More is how many other operators are without a backend.
	More int
}

func (e *UnplacedError) Error() string {
	reasons := make([]string, len(e.Misses))
	for k, m := range e.Misses {
		reasons[k] = m.Backend + ": " + m.Refusal.Error()
	}
	return fmt.Sprintf("%s runs on no backend (%s)%s", e.Op, strings.Join(reasons, "; "), more(e.More))
}

// Unwrap makes errors.Is(e, ErrUnplaced) hold.
func (e *UnplacedError) Unwrap() error { return ErrUnplaced }

// PolicyError says that an operator missed its first choice where the profile's
// policy is fail; it wraps ErrPolicy.
type PolicyError struct {
	// Op names the operator for people.
	Op string
	// Miss is the first choice and its reason.
	Miss Miss
	// More is how many other operators missed theirs.
	More int
}

func (e *PolicyError) Error() string {
	return fmt.Sprintf("%s misses its first choice %s (%v)%s, and the policy is fail; change the rules, or set policy: warn",
		e.Op, e.Miss.Backend, &e.Miss.Refusal, more(e.More))
}

// Unwrap makes errors.Is(e, ErrPolicy) hold.
func (e *PolicyError) Unwrap() error { return ErrPolicy }

func more(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", and so does 1 other operator"
	}
	return fmt.Sprintf(", and so do %d other operators", n)
}
