package support

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"nanoflux/delegate"
	"nanoflux/graph"
)

// constraint is one demand of a delegate on an operator, under conditions.
type constraint struct {
	when      []condition
	predicate predicate
	// until is the first level at which the conditions no longer hold; 0 when
	// they do not end with a level.
	until int
}

// predicate says what is wrong with an operation, nil for nothing.
type predicate func(x *operation) *delegate.Refusal

// condition says whether a constraint is asked for at all.
type condition func(x *operation) bool

func (c *constraint) check(x *operation) *delegate.Refusal {
	for _, holds := range c.when {
		if !holds(x) {
			return nil
		}
	}
	r := c.predicate(x)
	if r != nil && c.until > 0 {
		return delegate.Refuse(delegate.ReasonLevel, "%s; taken from %s on, the device has %s", r.Detail, x.levelName(c.until), x.levelName(x.level))
	}
	return r
}

// maker makes a predicate from the words behind its name.
type maker func(p *parser, args []string) (predicate, error)

// makers are all constraints. Each maker's comment says how it is written.
// Operands that are left out satisfy all of them but "present".
var makers map[string]maker

func init() {
	makers = map[string]maker{
		// constraint_operand.go
		"inputs":       inputs,
		"outputs":      outputs,
		"present":      present,
		"const":        constant,
		"not-const":    notConstant,
		"scalar-const": scalarConstant,
		"type":         types,
		"not-type":     notType,
		"same-type":    sameType,
		"rank":         rank,
		"same-rank":    sameRank,
		// constraint_shape.go
		"dim":                dim,
		"elements":           elements,
		"nonzero-dims":       nonzeroDims,
		"same-shape":         sameShape,
		"square-output":      squareOutput,
		"no-groups":          noGroups,
		"single-batch":       singleBatch,
		"no-batch-broadcast": noBatchBroadcast,
		"coreml-broadcast":   coreMLBroadcast,
		// constraint_value.go
		"values":         values,
		"nonzero-values": nonzeroValues,
		"fits-int32":     fitsInt32,
		"axes":           axes,
		"no-padding":     noPadding,
		"pooling-axes":   poolingAxes,
		// constraint_option.go
		"activation":     activation,
		"option":         option,
		"name":           name,
		"filter-area":    filterArea,
		"not-last-axis":  notLastAxis,
		"last-axis":      lastAxis,
		"squeeze-dims":   squeezeDims,
		"new-shape":      newShape,
		"one-multiplier": oneMultiplier,
		"normal-alpha":   normalAlpha,
		"never":          never,
		"max-version":    maxVersion,
		"coreml-version": coreMLVersion,
		// constraint_quantization.go
		"not-hybrid":        notHybrid,
		"per-tensor":        perTensor,
		"channels-along":    channelsAlong,
		"zero-point":        zeroPoint,
		"positive-scale":    positiveScale,
		"same-quantization": sameQuantization,
		"quantization":      quantization,
		"restricted-scales": restrictedScales,
		"scale-ratio":       scaleRatio,
		"quantized":         quantized,
		"soc-types":         socTypes,
	}
}

// parser reads one row.
type parser struct {
	code       graph.OpCode
	parseLevel func(string) (int, error)
}

// constraints reads a cell of them.
func (p *parser) constraints(s string) (list []constraint, err error) {
	if s == "" {
		return nil, nil
	}
	for _, item := range strings.Split(s, ";") {
		c, err := p.constraint(strings.TrimSpace(item))
		if err != nil {
			return nil, fmt.Errorf("constraint %q: %w", strings.TrimSpace(item), err)
		}
		list = append(list, c)
	}
	return list, nil
}

func (p *parser) constraint(s string) (c constraint, err error) {
	conditions, rest, conditional := strings.Cut(s, ":")
	if !conditional {
		rest = s
	} else {
		for _, item := range strings.Split(conditions, "&") {
			holds, until, err := p.condition(strings.TrimSpace(item))
			if err != nil {
				return c, err
			}
			c.when = append(c.when, holds)
			c.until = max(c.until, until)
		}
	}
	c.predicate, err = p.predicate(strings.Fields(rest))
	return c, err
}

func (p *parser) predicate(words []string) (predicate, error) {
	if len(words) == 0 {
		return nil, fmt.Errorf("empty")
	}
	m, known := makers[words[0]]
	if !known {
		return nil, fmt.Errorf("no constraint %q", words[0])
	}
	return m(p, words[1:])
}

// condition reads one condition:
//
//	<29  ==28   of the level
//	unnamed     no NNAPI accelerator is named
//	inputs=2,3  the number of inputs, left out ones counted
//	in0=I32,U8  an operand has one of these types
//	Padding=SAME  an option (see option)
func (p *parser) condition(s string) (holds condition, until int, err error) {
	if s == "unnamed" {
		return func(x *operation) bool { return !x.named }, 0, nil
	}
	if level, found := strings.CutPrefix(s, "<"); found && p.parseLevel != nil {
		until, err = p.parseLevel(level)
		return func(x *operation) bool { return x.level < until }, until, err
	}
	if level, found := strings.CutPrefix(s, "=="); found && p.parseLevel != nil {
		l, err := p.parseLevel(level)
		if err != nil {
			return nil, 0, err
		}
		return func(x *operation) bool { return x.level == l }, nextLevel(l), nil
	}
	if n, found := strings.CutPrefix(s, "inputs="); found {
		want, err := parseNumbers(n)
		return func(x *operation) bool { return want.has(len(x.in)) }, 0, err
	}
	ref, list, found := strings.Cut(s, "=")
	if !found || ref == "" {
		return nil, 0, fmt.Errorf("no condition %q", s)
	}
	if 'A' <= ref[0] && ref[0] <= 'Z' {
		is, err := optionFields(p, ref, list, delegate.ReasonOption)
		return func(x *operation) bool { return is(x) == nil }, 0, err
	}
	r, err := parseRefs(ref)
	if err != nil {
		return nil, 0, err
	}
	set, err := p.typeSet(list)
	return func(x *operation) bool {
		for _, o := range r.of(x) {
			if set.index(o.tensor.Type) >= 0 {
				return true
			}
		}
		return false
	}, 0, err
}

// refs name operands: "in0", "in*", "in0,in1,out0".
type refs []ref

// ref is one of them; all of its side when number is below 0.
type ref struct {
	output bool
	number int
}

func parseRefs(s string) (refs, error) {
	var list refs
	for _, item := range strings.Split(s, ",") {
		number, isInput := strings.CutPrefix(item, "in")
		isOutput := false
		if !isInput {
			number, isOutput = strings.CutPrefix(item, "out")
		}
		r := ref{isOutput, -1}
		if number != "*" {
			n, err := strconv.Atoi(number)
			if err != nil || n < 0 || n > 31 {
				isInput, isOutput = false, false
			}
			r.number = n
		}
		if !isInput && !isOutput {
			return nil, fmt.Errorf("no operand %q", item)
		}
		list = append(list, r)
	}
	return list, nil
}

// of are the operands that are there.
func (r refs) of(x *operation) (list []*operand) {
	for _, one := range r {
		side := x.in
		if one.output {
			side = x.out
		}
		for i := range side {
			if (one.number < 0 || one.number == i) && !side[i].absent() {
				list = append(list, &side[i])
			}
		}
	}
	return list
}

// numbers is a set of whole numbers: "4", "2,4", "2..4", "<=4", ">=2".
type numbers struct {
	low, high int
	list      []int // instead of low and high
}

const unbounded = 1 << 62

func parseNumbers(s string) (n numbers, err error) {
	if rest, found := strings.CutPrefix(s, "<="); found {
		n.low = -unbounded
		n.high, err = strconv.Atoi(rest)
		return n, err
	}
	if rest, found := strings.CutPrefix(s, ">="); found {
		n.high = unbounded
		n.low, err = strconv.Atoi(rest)
		return n, err
	}
	if low, high, found := strings.Cut(s, ".."); found {
		if n.low, err = strconv.Atoi(low); err == nil {
			n.high, err = strconv.Atoi(high)
		}
		return n, err
	}
	for _, item := range strings.Split(s, ",") {
		v, err := strconv.Atoi(item)
		if err != nil {
			return n, err
		}
		n.list = append(n.list, v)
	}
	return n, nil
}

func (n numbers) has(v int) bool {
	if n.list != nil {
		return slices.Contains(n.list, v)
	}
	return n.low <= v && v <= n.high
}

// String says what is in the set: "at most 4", "2 or 4".
func (n numbers) String() string {
	switch {
	case n.list != nil:
		words := make([]string, len(n.list))
		for i, v := range n.list {
			words[i] = strconv.Itoa(v)
		}
		return strings.Join(words, " or ")
	case n.low == -unbounded:
		return fmt.Sprintf("at most %d", n.high)
	case n.high == unbounded:
		return fmt.Sprintf("at least %d", n.low)
	}
	return fmt.Sprintf("%d to %d", n.low, n.high)
}
