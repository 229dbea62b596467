// Package rewrite changes what a model is written with, and not what it
// computes, so that a delegate takes more of it: GELU becomes the TANH that an
// NPU has, a fully connected layer a 1×1 convolution.
//
// Each pass is one idea in one file. It knows the operators of the format and
// nothing of delegates, profiles or plans: which passes a device wants is for
// its profile to say. docs/rewrites.md lists what each wins and how exact it is.
package rewrite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"nanoflux/graph"
	"nanoflux/profiles/nearest"
)

// ErrPass is wrapped by errors about names of passes.
var ErrPass = errors.New("rewrites")

// Pass is one rewrite.
type Pass struct {
	// Name is what a profile calls it: "expand-gelu".
	Name string
	// Summary is one line for people.
	Summary string
	// Approximate passes change results by more than rounding: they put a
	// simpler function, or shorter weights, in the place of what was there.
	Approximate bool
	// Apply returns a new model and in how many places it differs. m is not
	// changed; the new model shares its buffers, so m must stay open as long
	// as the new one is in use. Names, order, types and shapes of the
	// subgraphs' inputs and outputs stay. The result of the same model is
	// always the same. Errors name the operator and wrap graph.ErrModel when
	// m breaks the rules of its format.
	Apply func(m *graph.Model) (*graph.Model, int, error)
}

// Win is what one pass did.
type Win struct {
	Pass string `json:"pass"`
	// Changed is the number of places.
	Changed int `json:"changed"`
	// OpsBefore and OpsAfter count the operators of all subgraphs.
	OpsBefore int `json:"ops_before"`
	OpsAfter  int `json:"ops_after"`
}

// Passes lists all passes in the order in which they help one another.
func Passes() []Pass {
	return []Pass{
		foldDequantize,
		dequantizeToHalf,
		foldConstants,
		scaleNorms,
		quantizeBorders,
		approximateGelu,
		expandGelu,
		expandQuantizedGelu,
		expandLogistic,
		squaredDifferenceAsMul,
		squareAsMul,
		divAsMul,
		rsqrtAsDiv,
		rsqrtAsPow,
		subAsAdd,
		negAsMul,
		foldRank,
		meanAsFullyConnected,
		splitAttentionHeads,
		fullyConnectedToConv,
		convToFullyConnected,
		flattenFullyConnected,
		fillBias,
		splitAsSlices,
		narrowConcatenation,
		shapeAsReshape,
		mergeTransposes,
		transposeAsReshape,
		sinkReshapes,
		mergeReshapes,
	}
}

// exclusive are pairs of passes that undo each other.
var exclusive = [][2]string{
	{"fully-connected-to-conv", "conv-to-fully-connected"},
}

// ByName returns the named passes, each once, in the order of Passes: that of
// names does not count. The error wraps ErrPass and has the nearest valid name.
func ByName(names []string) ([]Pass, error) {
	all := Passes()
	wanted := map[string]bool{}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(p Pass) bool { return p.Name == name }) {
			return nil, unknown(name, all)
		}
		wanted[name] = true
	}
	for _, pair := range exclusive {
		if wanted[pair[0]] && wanted[pair[1]] {
			return nil, fmt.Errorf("%w: %s and %s undo each other; leave one out", ErrPass, pair[0], pair[1])
		}
	}
	return slices.DeleteFunc(all, func(p Pass) bool { return !wanted[p.Name] }), nil
}

// unknown is the error for a name that no pass has.
func unknown(name string, all []Pass) error {
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.Name
	}
	hint := "there are"
	if near, ok := nearest.Word(name, names); ok {
		hint = fmt.Sprintf("did you mean %q? There are", near)
	}
	return fmt.Errorf("%w: unknown pass %.60q; %s %s", ErrPass, name, hint, strings.Join(names, ", "))
}

// Apply runs passes one after another, in the order given, and says what each
// did. The model that it returns has passed graph.Check and shares m's
// buffers: m must stay open.
func Apply(m *graph.Model, passes []Pass) (*graph.Model, []Win, error) {
	out := clone(m)
	wins := make([]Win, 0, len(passes))
	for _, p := range passes {
		next, changed, err := p.Apply(out)
		if err != nil {
			return nil, nil, fmt.Errorf("rewriting by %s: %w", p.Name, err)
		}
		wins = append(wins, Win{Pass: p.Name, Changed: changed, OpsBefore: operators(out), OpsAfter: operators(next)})
		out = next
	}
	if err := graph.Check(out); err != nil {
		return nil, nil, fmt.Errorf("rewritten by %s: %w", named(passes), err)
	}
	return out, wins, nil
}

func named(passes []Pass) string {
	names := make([]string, len(passes))
	for i, p := range passes {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}

func operators(m *graph.Model) int {
	n := 0
	for s := range m.Subgraphs {
		n += len(m.Subgraphs[s].Ops)
	}
	return n
}

// clone is a model with lists of its own and m's buffers, options and shapes.
// It knows the file that they lie in, and does not own it: to close it does
// nothing.
func clone(m *graph.Model) *graph.Model {
	out := &graph.Model{
		Name:        m.Name,
		Description: m.Description,
		Subgraphs:   slices.Clone(m.Subgraphs),
		Buffers:     slices.Clone(m.Buffers),
		Metadata:    slices.Clone(m.Metadata),
		Signatures:  slices.Clone(m.Signatures),
		File:        m.File,
	}
	for s := range out.Subgraphs {
		g := &out.Subgraphs[s]
		g.Tensors = slices.Clone(g.Tensors)
		g.Ops = slices.Clone(g.Ops)
	}
	return out
}
