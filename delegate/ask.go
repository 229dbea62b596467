package delegate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"nanoflux/graph"
)

// Asker says of single operators whether a device takes them, by trying and not
// by a table: with the device's driver, or with a vendor's compiler, which needs
// no device. A backend may be one. It is called in the program itself; one that
// runs a vendor's code elsewhere has a method Elsewhere() bool that says so, and
// then a program that is ended during a question blames nobody.
type Asker interface {
	// Ask says whether the device takes all of a segment that Operator made, and
	// if not, the device's reason as a clause for people (empty when it gave
	// none). An error is no answer: it wraps ErrLost when the question took the
	// device down.
	Ask(ctx context.Context, segment *graph.Model) (taken bool, reason string, err error)
}

// OptionAsk is the option of kinds whose devices can be asked at any time, since a
// vendor's compiler answers for them: with AskFirst a plan asks about the operators
// of which nothing is known before it is made.
const (
	OptionAsk = "ask"
	AskFirst  = "auto"
	AskNever  = "never"
)

// AskOption is OptionAsk.
func AskOption() Option {
	return Option{Name: OptionAsk, Default: AskFirst, OneOf: []string{AskFirst, AskNever}, Aside: true,
		Help: "whether plans ask the device about operators that are new to it (auto), or go by the table (never)"}
}

// AsksFirst says whether a backend of these options has OptionAsk, and if so, whether
// plans ask it.
func AsksFirst(kind string, options map[string]any) (has, asks bool) {
	settings, err := Settings(kind, options)
	if err != nil {
		return false, false
	}
	says, has := settings[OptionAsk].(string)
	return has, says == AskFirst
}

// Loner is a Backend of which some operators fare otherwise alone than in a segment,
// so that the device's answer about them alone says nothing.
type Loner interface {
	Backend
	// Alone says why an operator is not asked about; nil where it can be.
	Alone(m *graph.Model, sub, op int) *Refusal
}

// Operator is a segment of one operator, with the operators that make its
// constant inputs (mostly DEQUANTIZE of weights); which of the segment's
// operators are of that kind is not told. It shares m's buffers. The error is
// graph.ErrExtract's for an operator that cannot stand alone.
func Operator(m *graph.Model, sub, op int) (*graph.Model, error) {
	ops := withConstants(m, sub, op)
	x, _, err := graph.Extract(m, sub, ops)
	if err != nil {
		return nil, err
	}
	// Results of the constant operators are no outputs: they are made for this
	// operator only.
	g := &x.Subgraphs[0]
	last := g.Ops[slices.Index(ops, op)]
	g.Outputs = slices.DeleteFunc(slices.Clone(g.Outputs), func(t int) bool { return !slices.Contains(last.Outputs, t) })
	x.Signatures = nil
	x.Name = m.OpLabel(sub, op)
	return x, nil
}

// ConstantInputs are the operators that make the constant inputs of an operator,
// ascending: all that they depend on is in the file.
func ConstantInputs(m *graph.Model, sub, op int) []int {
	ops := withConstants(m, sub, op)
	return slices.DeleteFunc(ops, func(i int) bool { return i == op })
}

// withConstants is an operator with those that make its constant inputs.
func withConstants(m *graph.Model, sub, op int) []int {
	g := &m.Subgraphs[sub]
	producer := func(t, before int) int {
		for i := before - 1; i >= 0; i-- {
			if slices.Contains(g.Ops[i].Outputs, t) {
				return i
			}
		}
		return -1
	}
	// constant appends what makes tensor t for operator user, and says whether t
	// is the same in every run.
	var constant func(list []int, t, user int) ([]int, bool)
	constant = func(list []int, t, user int) ([]int, bool) {
		if t == graph.NoTensor || m.IsConstant(sub, t) {
			return list, true
		}
		p := producer(t, user)
		if p < 0 || len(g.Ops[p].Inputs) == 0 || g.Ops[p].Calls() || g.Ops[p].Compiled() {
			return list, false
		}
		if slices.Contains(list, p) {
			return list, true
		}
		longer := list
		for _, in := range g.Ops[p].Inputs {
			var ok bool
			if longer, ok = constant(longer, in, p); !ok {
				return list, false
			}
		}
		return append(longer, p), true
	}
	ops := []int{op}
	for _, t := range g.Ops[op].Inputs {
		ops, _ = constant(ops, t, op)
	}
	slices.Sort(ops)
	return ops
}

// fewElements is up to how many elements a constant of integers says where
// elements go (a shape, axes, paddings of eight dimensions), and not what they
// are.
const fewElements = 16

// Signature is the same for segments of Operator that a device cannot tell apart
// by their form: operators, options, types, shapes, quantization, and constants
// that are shapes, axes and the like. Names, weights, the scales of weights channel
// by channel and the ranges of floats do not count; that there is a range does. It is 32 hexadecimal digits.
func Signature(segment *graph.Model) (string, error) {
	m := *segment
	m.Name, m.Description, m.Metadata, m.Signatures = "", "", nil, nil
	m.Subgraphs = slices.Clone(m.Subgraphs)
	sizes := make([]int, len(m.Buffers))
	for s := range m.Subgraphs {
		g := &m.Subgraphs[s]
		g.Name = ""
		g.Tensors = slices.Clone(g.Tensors)
		for t := range g.Tensors {
			x := &g.Tensors[t]
			x.Name = ""
			if data := m.Buffers[x.Buffer]; len(data) > 0 && !tells(x) {
				sizes[x.Buffer] = len(data)
			}
			if q := x.Quantization; q != nil && x.Type == graph.Float32 && len(q.Scale) == 0 && len(q.Min) == 1 && len(q.Max) == 1 {
				plain := *q
				plain.Min, plain.Max = []float32{0}, []float32{1}
				x.Quantization = &plain
			}
			if q := x.Quantization; q != nil && len(q.Scale) > 1 && q.Details == nil {
				plain := *q
				plain.Min, plain.Max = nil, nil
				plain.Scale, plain.ZeroPoint = make([]float32, len(q.Scale)), slices.Clone(q.ZeroPoint)
				for i := range plain.Scale {
					plain.Scale[i] = 1
				}
				x.Quantization = &plain
			}
		}
	}
	structure, err := graph.Structure(&m, func(i int) bool { return sizes[i] > 0 })
	if err != nil {
		return "", fmt.Errorf("%s: %w", segment.Name, err)
	}
	h := sha256.New()
	h.Write(structure)
	fmt.Fprintf(h, "%v", sizes)
	return hex.EncodeToString(h.Sum(nil))[:32], nil
}

// tells says whether a constant's values count.
func tells(t *graph.Tensor) bool {
	n, err := graph.Elements(t.Shape)
	return err == nil && n <= fewElements && (t.Type == graph.Int32 || t.Type == graph.Int64)
}
