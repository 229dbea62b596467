package graph

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"nanoflux/graph/schema"
)

// randomModel is a random graph of n operators with one or two inputs and
// outputs each.
func randomModel(t testing.TB, rng *rand.Rand, n int) *Model {
	b := NewBuilder("random")
	all := []T{b.Input("a", Float32, 2, 4), b.Input("b", Float32, 2, 4)}
	pick := func() T { return all[rng.IntN(len(all))] }
	for range n {
		switch rng.IntN(6) {
		case 0:
			all = append(all, b.Add(pick(), pick()))
		case 1:
			all = append(all, b.Mul(pick(), ConstOf(b, "c", []float32{rng.Float32()})))
		case 2:
			parts := b.Split(pick(), 1, 2)
			all = append(all, b.Concat(1, parts[1], parts[0]))
		case 3:
			all = append(all, b.Relu(pick()))
		case 4:
			all = append(all, b.Sub(pick(), pick()))
		case 5:
			all = append(all, b.FullyConnected(pick(), ConstOf(b, "w", counting[float32](16), 4, 4), None, ActNone))
		}
	}
	b.Output("last", all[len(all)-1])
	if extra := pick(); extra != all[len(all)-1] {
		b.Output("extra", extra)
	}
	return finish(t, b)
}

// formulas gives each tensor of subgraph 0 the formula that computes it, with
// the given ones for its inputs. It is a slow and simple reference for what a
// graph means.
func formulas(m *Model, given map[int]string) map[int]string {
	g := &m.Subgraphs[0]
	out := map[int]string{NoTensor: "-"}
	for t := range g.Tensors {
		if a, ok := m.Constant(0, t); ok {
			out[t] = fmt.Sprintf("%v%v%x", a.Type, a.Shape, a.Data)
		}
	}
	for t, f := range given {
		out[t] = f
	}
	for _, op := range g.Ops {
		var in []string
		for _, t := range op.Inputs {
			f, ok := out[t]
			if !ok {
				f = "unknown"
			}
			in = append(in, f)
		}
		for i, t := range op.Outputs {
			f := fmt.Sprintf("%s.%d%+v(%s)", op.Name(), i, op.Options, strings.Join(in, ","))
			if len(f) > 200 { // formulas would grow without end
				f = fmt.Sprintf("%s…%x", f[:20], fnv(f))
			}
			out[t] = f
		}
	}
	return out
}

func fnv(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

func TestExtractedOperatorsComputeTheSame(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		m := randomModel(t, rng, 1+rng.IntN(12))
		g := &m.Subgraphs[0]
		var ops []int
		for _, o := range rng.Perm(len(g.Ops)) {
			if len(ops) == 0 || rng.IntN(2) == 0 {
				ops = append(ops, o)
			}
		}
		cut, where, err := Extract(m, 0, ops)
		if err != nil {
			t.Fatal(err)
		}
		whole := formulas(m, map[int]string{g.Inputs[0]: "a", g.Inputs[1]: "b"})
		given := map[int]string{}
		for i, from := range where.Inputs {
			given[cut.Subgraphs[0].Inputs[i]] = whole[from]
		}
		part := formulas(cut, given)
		for i, from := range where.Outputs {
			if got := part[cut.Subgraphs[0].Outputs[i]]; got != whole[from] {
				t.Fatalf("ops %v, output %d is\n%s, was\n%s", ops, i, got, whole[from])
			}
		}
		checkBorder(t, m, ops, where)
		checkTidy(t, cut)
	}
}

// checkBorder compares the cut with its definition, tensor by tensor.
func checkBorder(t *testing.T, m *Model, ops []int, where Cut) {
	t.Helper()
	g := &m.Subgraphs[0]
	touches := func(list func(Op) []int, x int, inside bool) bool {
		for o, op := range g.Ops {
			if slices.Contains(ops, o) == inside && slices.Contains(list(op), x) {
				return true
			}
		}
		return false
	}
	reads, writes := func(op Op) []int { return op.Inputs }, func(op Op) []int { return op.Outputs }
	for x := range g.Tensors {
		isInput := touches(reads, x, true) && !touches(writes, x, true) && !m.IsConstant(0, x)
		if isInput != slices.Contains(where.Inputs, x) {
			t.Errorf("ops %v: tensor %d as an input: %v", ops, x, !isInput)
		}
		isOutput := touches(writes, x, true) && (touches(reads, x, false) || slices.Contains(g.Outputs, x))
		if isOutput != slices.Contains(where.Outputs, x) {
			t.Errorf("ops %v: tensor %d as an output: %v", ops, x, !isOutput)
		}
	}
}

// checkTidy: every tensor and buffer of the new model is used.
func checkTidy(t *testing.T, m *Model) {
	t.Helper()
	g := &m.Subgraphs[0]
	buffers := map[int]bool{0: true}
	for x := range g.Tensors {
		buffers[g.Tensors[x].Buffer] = true
		if !slices.ContainsFunc(g.Ops, func(op Op) bool { return slices.Contains(op.Inputs, x) || slices.Contains(op.Outputs, x) }) {
			t.Errorf("tensor %d is left over", x)
		}
	}
	if len(buffers) != len(m.Buffers) {
		t.Errorf("%d buffers, %d used", len(m.Buffers), len(buffers))
	}
}

func TestExtractKeepsNamesQuantizationAndOptions(t *testing.T) {
	m := convolutionSample(t)
	cut, where, err := Extract(m, 0, []int{1, 0})
	if err != nil {
		t.Fatal(err)
	}
	g, source := cut.Subgraphs[0], m.Subgraphs[0]
	if len(g.Ops) != 2 || g.Ops[0].Name() != "CONV_2D" || g.Ops[0].Options != source.Ops[0].Options || g.Ops[1].Version != source.Ops[1].Version {
		t.Errorf("operators %+v", g.Ops)
	}
	for i, from := range where.Inputs {
		to := g.Tensors[g.Inputs[i]]
		if to.Name != source.Tensors[from].Name || to.Quantization != source.Tensors[from].Quantization {
			t.Errorf("input %d is %+v", i, to)
		}
	}
	if &cut.Buffers[1][0] != &m.Buffers[1][0] {
		t.Error("the weights were copied")
	}
	data, err := Marshal(cut)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(data, "cut"); err != nil {
		t.Error(err)
	}
}

func TestExtractRenumbersBlockwiseScales(t *testing.T) {
	m := featuresSample(t)
	cut, _, err := Extract(m, 0, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	g := cut.Subgraphs[0]
	for _, x := range g.Tensors {
		if x.Name == "int4" {
			scales := x.Quantization.Details.Value.(*schema.BlockwiseQuantizationT).Scales
			if g.Tensors[scales].Name != "scales" {
				t.Errorf("the scales are tensor %q", g.Tensors[scales].Name)
			}
			return
		}
	}
	t.Error("the quantized tensor is gone")
}

func TestExtractRefusesWhatCannotStandAlone(t *testing.T) {
	variable := func(t *testing.T) *Model {
		b := NewBuilder("state")
		x := b.Input("x", Float32, 2)
		s := b.Relu(x)
		b.graph().Tensors[s].IsVariable = true
		b.Output("y", b.Add(x, s))
		b.Output("z", b.Neg(x))
		return finish(t, b)
	}
	handles := func(t *testing.T) *Model {
		b := NewBuilder("handles")
		x := b.Input("x", Float32, 2)
		for i := range 2 {
			options := &schema.VarHandleOptionsT{SharedName: "v"}
			v := b.Op(schema.BuiltinOperatorVAR_HANDLE, 1, options, nil, Tensor{Type: resourceType, Shape: []int{1}})[0]
			if i == 0 {
				b.Op(schema.BuiltinOperatorASSIGN_VARIABLE, 1, &schema.AssignVariableOptionsT{}, []T{v, x})
			} else {
				b.Output("y", b.Op(schema.BuiltinOperatorREAD_VARIABLE, 1, &schema.ReadVariableOptionsT{}, []T{v}, Tensor{Type: Float32, Shape: []int{2}})[0])
			}
		}
		return finish(t, b)
	}
	compiled := featuresSample(t)
	compiled.Subgraphs[0].Ops[0].CustomCode = "DISPATCH_OP"
	for _, c := range []struct {
		name string
		m    *Model
		ops  []int
		want string
	}{
		{"nothing", convolutionSample(t), nil, "no operators"},
		{"an operator that is not there", convolutionSample(t), []int{9}, "no op 9"},
		{"a negative operator", convolutionSample(t), []int{-1}, "no op -1"},
		{"an operator twice", convolutionSample(t), []int{0, 0}, "op 0 (CONV_2D) → tensor \"conv_2d\" is given twice"},
		{"an operator that runs a subgraph", featuresSample(t), []int{1}, "runs other subgraphs"},
		{"an operator that was compiled", compiled, []int{0}, "compiled for one NPU"},
		{"one of two that share state", variable(t), []int{1}, "share the state in tensor 1 \"relu\""},
		{"one of two that share a variable by its name", handles(t), []int{2, 3}, `share variable "/v"`},
		{"one of two that share a handle", handles(t), []int{2}, "they must stay together"},
	} {
		_, _, err := Extract(c.m, 0, c.ops)
		if !errors.Is(err, ErrExtract) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if _, _, err := Extract(convolutionSample(t), 1, []int{0}); !errors.Is(err, ErrExtract) {
		t.Errorf("a subgraph that is not there: %v", err)
	}
	if _, _, err := Extract(handles(t), 0, []int{0, 1, 2, 3}); err != nil {
		t.Errorf("all that share a variable: %v", err)
	}
	if _, _, err := Extract(variable(t), 0, []int{0, 1}); err != nil {
		t.Errorf("all that share state: %v", err)
	}
	if _, _, err := Extract(variable(t), 0, []int{2}); err != nil {
		t.Errorf("one beside the state: %v", err)
	}
}
