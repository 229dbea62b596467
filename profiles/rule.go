package profiles

import (
	"slices"
	"strings"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// Matches reports whether the rule's conditions hold for operator op of
// subgraph sub. part is the part of a bundle that the model is, or empty.
func (r *Rule) Matches(m *graph.Model, sub, op int, part string) bool {
	o := &m.Subgraphs[sub].Ops[op]
	return r.matchesPart(part) && r.matchesOp(o) && r.matchesIndex(op) &&
		r.matchesName(&m.Subgraphs[sub], o) && r.matchesType(m, sub, o)
}

func (r *Rule) matchesPart(part string) bool {
	return len(r.Parts) == 0 || slices.ContainsFunc(r.Parts, func(p string) bool { return matchPattern(p, part) })
}

func (r *Rule) matchesOp(o *graph.Op) bool {
	return len(r.Ops) == 0 || slices.ContainsFunc(r.Ops, func(want string) bool {
		if custom, ok := strings.CutPrefix(want, customPrefix); ok {
			return o.Code == schema.BuiltinOperatorCUSTOM && matchPattern(custom, o.CustomCode)
		}
		return o.Code.String() == want
	})
}

func (r *Rule) matchesIndex(op int) bool {
	return len(r.Indices) == 0 || slices.ContainsFunc(r.Indices, func(i Range) bool { return i.First <= op && op <= i.Last })
}

func (r *Rule) matchesName(s *graph.Subgraph, o *graph.Op) bool {
	return len(r.Names) == 0 || slices.ContainsFunc(o.Outputs, func(t int) bool {
		return t != graph.NoTensor && slices.ContainsFunc(r.Names, func(p string) bool {
			return matchPattern(p, s.Tensors[t].Name)
		})
	})
}

func (r *Rule) matchesType(m *graph.Model, sub int, o *graph.Op) bool {
	if len(r.Types) == 0 {
		return true
	}
	has := func(t int) bool {
		return t != graph.NoTensor && slices.Contains(r.Types, m.Subgraphs[sub].Tensors[t].Type)
	}
	return slices.ContainsFunc(o.Outputs, has) ||
		slices.ContainsFunc(o.Inputs, func(t int) bool { return has(t) && !m.IsConstant(sub, t) })
}

// Explicit reports whether the rule points at single operators, by name or by
// index, rather than at sorts of them. Such a rule that matches nothing is
// likely a mistake.
func (r *Rule) Explicit() bool { return len(r.Names) > 0 || len(r.Indices) > 0 }

// AppliesTo reports whether the rule is for that part of a bundle at all.
func (r *Rule) AppliesTo(part string) bool { return r.matchesPart(part) }

// matchPattern matches text with * (any bytes, also none) and ? (any one byte).
// Time is at most the product of both lengths: after a mismatch only the last
// * is tried again.
func matchPattern(pattern, text string) bool {
	p, t := 0, 0
	star, resume := -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			resume++
			p, t = star+1, resume
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
