package partition

import (
	"context"
	"fmt"

	"nanoflux/delegate/guarded"
)

// Answers says who answered for a backend: its device (or the vendor's compiler for
// it), asked about single operators, or its table.
type Answers struct {
	// Device and Table are the operators that each answered about, with those that
	// it refused.
	Device Ops `yaml:"device,omitempty" json:"device,omitempty"`
	Table  Ops `yaml:"table,omitempty" json:"table,omitempty"`
	// Why says of the first of Table why the device was not asked.
	Why string `yaml:"why,omitempty" json:"why,omitempty"`
}

// guardOf is candidate c's, when it is here and its device can be asked.
func (pl *placer) guardOf(c int) *guarded.Backend {
	if pl.candidates[c].missing != nil {
		return nil
	}
	return guarded.Of(pl.candidates[c].backend)
}

// askFirst asks the backends that want it about operators of which nothing is
// known. An operator that one takes is nothing to those behind it.
func (pl *placer) askFirst(ctx context.Context) error {
	guards := make([]*guarded.Backend, len(pl.candidates))
	some := false
	for c := range guards {
		if g := pl.guardOf(c); g != nil && g.First() {
			guards[c], some = g, true
		}
	}
	if !some {
		return nil
	}
	pl.used = make([]bool, len(pl.profile.Rules)) // choices marks them
	for {
		questions := pl.questions(guards)
		none := true
		for c, ops := range questions {
			if len(ops) == 0 {
				continue
			}
			none = false
			if err := guards[c].AskFirst(ctx, pl.flow.m, pl.flow.sub, ops); err != nil {
				return err
			}
		}
		if none {
			return nil
		}
	}
}

// questions are the operators to ask each candidate about, one of each form.
func (pl *placer) questions(guards []*guarded.Backend) [][]int {
	f := pl.flow
	lists := make([][]int, len(guards))
	forms := make([]map[string]bool, len(guards))
	for i := range f.graph.Ops {
		if !f.live[i] || f.constant[i] && !pl.isOutput(i) || f.graph.Ops[i].Calls() || f.graph.Ops[i].Compiled() {
			continue
		}
		list, _ := pl.choices(i)
		for _, x := range list {
			c := x.candidate
			if x.avoided >= 0 || pl.candidates[c].missing != nil {
				continue
			}
			if g := guards[c]; g != nil {
				if known, why := g.Answered(f.m, f.sub, i); !known && why == "" {
					signature, err := g.Signature(f.m, f.sub, i)
					if err == nil && !forms[c][signature] {
						if forms[c] == nil {
							forms[c] = map[string]bool{}
						}
						forms[c][signature] = true
						lists[c] = append(lists[c], i)
					}
					break // what comes behind it depends on the answer
				}
			}
			if pl.refusal(c, i) == nil {
				break
			}
		}
	}
	return lists
}

// noteAnswer notes who answers for candidate c about operator i.
func (pl *placer) noteAnswer(c, i int) {
	g := pl.guardOf(c)
	if g == nil || !g.First() {
		return
	}
	if pl.answers[c] == nil {
		pl.answers[c] = &Answers{}
	}
	a := pl.answers[c]
	known, why := g.Answered(pl.flow.m, pl.flow.sub, i)
	if known {
		a.Device = append(a.Device, i)
		return
	}
	if a.Table = append(a.Table, i); a.Why == "" {
		a.Why = why
	}
}

// String is for people: "its compiler's for op 0-5; its table's for op 6 (why)".
func (a *Answers) String() string {
	all := func(ops Ops) string { return fmt.Sprintf("for all %s", plural(len(ops), "operator", "operators")) }
	switch {
	case len(a.Table) == 0:
		return "its compiler's " + all(a.Device)
	case len(a.Device) == 0:
		return "its table's " + all(a.Table) + " (" + a.Why + ")"
	}
	return fmt.Sprintf("its compiler's for op %s; its table's for op %s (%s)", clipOps(compress(a.Device)), clipOps(compress(a.Table)), a.Why)
}
