package graph

import (
	"fmt"
	"math"
	"slices"

	"nanoflux/graph/schema"
)

// maxTensorBytes is more than any tensor of a model that a phone can run has.
// Larger ones are refused, so that nobody tries to allocate them.
const maxTensorBytes = 1 << 36

// Check reports the first thing in m that makes no sense, so that whoever gets
// a checked model can use every index, shape, type and constant in it as it
// is. It holds that
//
//   - every index of a tensor, buffer or subgraph is in range, and no subgraph
//     calls itself, directly or not;
//   - shapes are not negative, and sizes do not overflow;
//   - a constant has as many bytes as its type and shape say, string and
//     sparse ones are well formed;
//   - quantization goes with the tensor: scales are finite and positive (or,
//     in a constant, zero), one or one a channel;
//   - operators stand in an order in which they can run: every input is a
//     constant, an input of the subgraph, a variable, or the output of an
//     earlier operator; nothing is produced twice;
//   - common operators have as many inputs and outputs as they need.
//
// It does not hold that the shapes and options of one operator go together:
// that is for whoever runs it to check.
//
// The error wraps ErrModel, is one line, and names file, subgraph, operator
// and tensor.
func Check(m *Model) error {
	c := checker{m: m}
	if err := c.model(); err != nil {
		return fmt.Errorf("%s: %w: %w", m.Name, ErrModel, err)
	}
	return nil
}

type checker struct {
	m *Model
	// validStrings has the number of strings by buffer, so that a buffer is
	// walked through once however many tensors use it.
	validStrings map[int]int
	borders      []border // one a subgraph
}

// border is a subgraph's inputs and outputs as sets.
type border struct{ inputs, outputs map[int]bool }

func (c *checker) model() error {
	m := c.m
	if len(m.Buffers) > 0 && len(m.Buffers[0]) > 0 {
		return fmt.Errorf("buffer 0 must be empty and has %d bytes", len(m.Buffers[0]))
	}
	if len(m.Subgraphs) == 0 {
		return fmt.Errorf("it has no subgraph")
	}
	for i, x := range m.Metadata {
		if x.Buffer < 0 || x.Buffer >= len(m.Buffers) {
			return fmt.Errorf("metadata %d (%s): buffer %d of %d", i, quoted(x.Name), x.Buffer, len(m.Buffers))
		}
	}
	for s := range m.Subgraphs {
		if err := c.subgraph(s); err != nil {
			return err
		}
		c.borders = append(c.borders, border{setOf(m.Subgraphs[s].Inputs), setOf(m.Subgraphs[s].Outputs)})
	}
	for i := range m.Signatures {
		if err := c.signature(&m.Signatures[i]); err != nil {
			return fmt.Errorf("signature %d (%s): %w", i, quoted(m.Signatures[i].Key), err)
		}
	}
	return c.noRecursion()
}

func (c *checker) signature(x *Signature) error {
	if x.Subgraph < 0 || x.Subgraph >= len(c.m.Subgraphs) {
		return fmt.Errorf("subgraph %d of %d", x.Subgraph, len(c.m.Subgraphs))
	}
	for _, t := range x.Inputs {
		if !c.borders[x.Subgraph].inputs[t.Tensor] {
			return fmt.Errorf("input %s stands for tensor %d, which is no input of subgraph %d", quoted(t.Name), t.Tensor, x.Subgraph)
		}
	}
	for _, t := range x.Outputs {
		if !c.borders[x.Subgraph].outputs[t.Tensor] {
			return fmt.Errorf("output %s stands for tensor %d, which is no output of subgraph %d", quoted(t.Name), t.Tensor, x.Subgraph)
		}
	}
	return nil
}

func setOf(ids []int) map[int]bool {
	set := make(map[int]bool, len(ids))
	for _, id := range ids {
		set[id] = true
	}
	return set
}

func (c *checker) subgraph(s int) error {
	g := &c.m.Subgraphs[s]
	for t := range g.Tensors {
		if err := c.tensor(g, &g.Tensors[t]); err != nil {
			return fmt.Errorf("%s: %w", c.m.TensorLabel(s, t), err)
		}
	}
	for i, t := range g.Inputs {
		if t < 0 || t >= len(g.Tensors) {
			return fmt.Errorf("subgraph %d: input %d is tensor %d of %d", s, i, t, len(g.Tensors))
		}
	}
	for i, t := range g.Outputs {
		if t < 0 || t >= len(g.Tensors) {
			return fmt.Errorf("subgraph %d: output %d is tensor %d of %d", s, i, t, len(g.Tensors))
		}
	}
	for o := range g.Ops {
		if err := c.op(g, &g.Ops[o]); err != nil {
			return fmt.Errorf("%s: %w", c.m.OpLabel(s, o), err)
		}
	}
	return c.order(s)
}

// order checks that operators can run one after another.
func (c *checker) order(s int) error {
	g := &c.m.Subgraphs[s]
	// Where each tensor's value comes from: an operator's index, or nowhere
	// yet; the file or the caller, so that no operator may write it; or it is
	// there from the start and may be written.
	const nowhere, given, present = -3, -2, -1
	from := make([]int, len(g.Tensors))
	for t := range g.Tensors {
		from[t] = nowhere
		n, err := Elements(g.Tensors[t].Shape)
		switch {
		case c.m.IsConstant(s, t):
			from[t] = given
		case g.Tensors[t].IsVariable, err == nil && n == 0: // a constant without elements has no data
			from[t] = present
		}
	}
	for _, t := range g.Inputs {
		from[t] = given
	}
	for o := range g.Ops {
		op := &g.Ops[o]
		for i, t := range op.Inputs {
			if t != NoTensor && from[t] == nowhere {
				return fmt.Errorf("%s: input %d, tensor %d %s, %s",
					c.m.OpLabel(s, o), i, t, quoted(g.Tensors[t].Name), missing(g, t))
			}
		}
		for i, t := range op.Outputs {
			if t == NoTensor {
				continue
			}
			if from[t] >= 0 {
				return fmt.Errorf("%s: output %d, tensor %d %s, is an output of op %d already",
					c.m.OpLabel(s, o), i, t, quoted(g.Tensors[t].Name), from[t])
			}
			if from[t] == given {
				return fmt.Errorf("%s: output %d, tensor %d %s, is a constant or an input of the subgraph",
					c.m.OpLabel(s, o), i, t, quoted(g.Tensors[t].Name))
			}
			from[t] = o
		}
	}
	for i, t := range g.Outputs {
		if from[t] == nowhere {
			return fmt.Errorf("subgraph %d: output %d, tensor %d %s, is not computed by any operator", s, i, t, quoted(g.Tensors[t].Name))
		}
	}
	return nil
}

// missing says why a tensor has no value yet.
func missing(g *Subgraph, t int) string {
	for o := range g.Ops {
		if slices.Contains(g.Ops[o].Outputs, t) {
			return fmt.Sprintf("is only computed by op %d (%s); the operators must stand in the order of the data", o, opName(&g.Ops[o]))
		}
	}
	return "has no data and nothing computes it"
}

func (c *checker) op(g *Subgraph, op *Op) error {
	if op.Version < 1 {
		return fmt.Errorf("version %d", op.Version)
	}
	if op.Code < 0 {
		return fmt.Errorf("operator number %d", op.Code)
	}
	for _, list := range []struct {
		what string
		ids  []int
	}{{"input", op.Inputs}, {"output", op.Outputs}, {"intermediate", op.Intermediates}} {
		for i, t := range list.ids {
			if t < NoTensor || t >= len(g.Tensors) {
				return fmt.Errorf("%s %d is tensor %d of %d", list.what, i, t, len(g.Tensors))
			}
		}
	}
	if a, ok := arities[op.Code]; ok {
		if err := a.check(op); err != nil {
			return err
		}
	}
	for _, callee := range callees(op.Options) {
		if callee < 0 || callee >= len(c.m.Subgraphs) {
			return fmt.Errorf("it calls subgraph %d of %d", callee, len(c.m.Subgraphs))
		}
	}
	return nil
}

// noRecursion checks that no subgraph calls itself, through any chain.
func (c *checker) noRecursion() error {
	const white, grey, black = 0, 1, 2
	colour := make([]int, len(c.m.Subgraphs))
	// An explicit stack: a file may chain as many subgraphs as it likes.
	type frame struct {
		sub, op int
		calls   []int // of the operator before op, that are still to follow
	}
	for start := range c.m.Subgraphs {
		if colour[start] != white {
			continue
		}
		colour[start] = grey
		stack := []frame{{sub: start}}
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			ops := c.m.Subgraphs[f.sub].Ops
			if len(f.calls) == 0 {
				if f.op == len(ops) {
					colour[f.sub] = black
					stack = stack[:len(stack)-1]
					continue
				}
				f.calls = callees(ops[f.op].Options)
				f.op++
				continue
			}
			callee := f.calls[0]
			f.calls = f.calls[1:]
			if colour[callee] == grey {
				return fmt.Errorf("%s: it calls subgraph %d, which calls it: that never ends", c.m.OpLabel(f.sub, f.op-1), callee)
			}
			if colour[callee] == white {
				colour[callee] = grey
				stack = append(stack, frame{sub: callee})
			}
		}
	}
	return nil
}

// callees lists the subgraphs that an operator with these options calls.
func callees(options any) []int {
	switch o := options.(type) {
	case *schema.CallOptionsT:
		return []int{int(o.Subgraph)}
	case *schema.CallOnceOptionsT:
		return []int{int(o.InitSubgraphIndex)}
	case *schema.IfOptionsT:
		return []int{int(o.ThenSubgraphIndex), int(o.ElseSubgraphIndex)}
	case *schema.WhileOptionsT:
		return []int{int(o.CondSubgraphIndex), int(o.BodySubgraphIndex)}
	case *schema.StableHLOCompositeOptionsT:
		return []int{int(o.DecompositionSubgraphIndex)}
	case *schema.StablehloWhileOptionsT:
		return []int{int(o.CondSubgraphIndex), int(o.BodySubgraphIndex)}
	case *schema.StablehloReduceOptionsT:
		return []int{int(o.BodySubgraphIndex)}
	case *schema.StablehloReduceWindowOptionsT:
		return []int{int(o.BodySubgraphIndex)}
	case *schema.StablehloScatterOptionsT:
		return []int{int(o.UpdateComputationSubgraphIndex)}
	case *schema.StablehloSortOptionsT:
		return []int{int(o.ComparatorSubgraphIndex)}
	case *schema.StablehloCaseOptionsT:
		return fromInt32(o.BranchSubgraphIndices)
	case *schema.StablehloCustomCallOptionsT:
		return fromInt32(o.CalledComputations)
	}
	return nil
}

func fromInt32(values []int32) []int {
	out := make([]int, len(values))
	for i, v := range values {
		out[i] = int(v)
	}
	return out
}

// Calls reports whether op runs other subgraphs.
func (op *Op) Calls() bool { return len(callees(op.Options)) > 0 }

func (c *checker) tensor(g *Subgraph, t *Tensor) error {
	if _, known := schema.EnumNamesTensorType[t.Type]; !known {
		return fmt.Errorf("element type %d is not known; the file may come from a newer converter", t.Type)
	}
	if t.Buffer < 0 || t.Buffer >= len(c.m.Buffers) {
		return fmt.Errorf("buffer %d of %d", t.Buffer, len(c.m.Buffers))
	}
	n, err := Elements(t.Shape)
	if err != nil {
		return err
	}
	for _, d := range t.Shape {
		if d > math.MaxInt32 {
			return fmt.Errorf("dimension %d is too large", d)
		}
	}
	if n > maxTensorBytes/max(1, (ElementBits(t.Type)+7)/8) {
		return fmt.Errorf("it would take more than %d GiB", maxTensorBytes>>30)
	}
	if err := checkSignature(t); err != nil {
		return err
	}
	if err := c.constant(t, n); err != nil {
		return err
	}
	return c.quantization(g, t)
}

func checkSignature(t *Tensor) error {
	if t.ShapeSignature == nil {
		return nil
	}
	if len(t.ShapeSignature) != len(t.Shape) {
		return fmt.Errorf("shape signature %v has another rank", t.ShapeSignature)
	}
	for i, d := range t.ShapeSignature {
		if d != -1 && d != t.Shape[i] {
			return fmt.Errorf("shape signature %v does not go with the shape", t.ShapeSignature)
		}
	}
	return nil
}

// constant checks the data of a tensor of n elements, if it has any.
func (c *checker) constant(t *Tensor, n int) error {
	data := c.m.Buffers[t.Buffer]
	if len(data) == 0 {
		return nil
	}
	if t.IsVariable {
		return fmt.Errorf("a variable with constant data (buffer %d)", t.Buffer)
	}
	switch {
	case t.Type == String:
		count, err := c.strings(t.Buffer)
		if err == nil && count != n {
			err = fmt.Errorf("buffer %d has %d strings, the shape says %d", t.Buffer, count, n)
		}
		return err
	case ElementBits(t.Type) == 0:
		return fmt.Errorf("a tensor of this type cannot have constant data (buffer %d)", t.Buffer)
	case t.Sparsity != nil:
		return checkSparsity(t, data)
	}
	if want, err := ByteSize(t.Type, t.Shape); err != nil || want != len(data) {
		return fmt.Errorf("buffer %d has %d bytes, the shape needs %d", t.Buffer, len(data), want)
	}
	return nil
}

// strings checks a buffer of strings and returns how many there are.
func (c *checker) strings(buffer int) (int, error) {
	if n, done := c.validStrings[buffer]; done {
		return n, nil
	}
	n, err := stringCount(c.m.Buffers[buffer])
	if err != nil {
		return 0, fmt.Errorf("buffer %d: %w", buffer, err)
	}
	if c.validStrings == nil {
		c.validStrings = map[int]int{}
	}
	c.validStrings[buffer] = n
	return n, nil
}
