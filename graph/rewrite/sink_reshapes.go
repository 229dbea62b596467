package rewrite

import (
	"slices"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// sinkReshapes moves RESHAPE behind operators that work element by element, so
// that those between two layers meet, and merges them as merge-reshapes does.
// Core ML 3 has no RESHAPE at all. It is exact.
//
// A RESHAPE that only adds or takes leading dimensions of size 1 also sinks
// behind operators with another operand (broadcasting adds such dimensions
// anyway) and behind those that work along the last dimension.
var sinkReshapes = Pass{
	Name:    "sink-reshapes",
	Summary: "RESHAPE moves behind element by element operators",
	Apply: func(m *graph.Model) (*graph.Model, int, error) {
		// Merging changes who uses a RESHAPE, so that another one may sink. It
		// only ever moves on; two rounds are nearly always enough.
		const mostRounds = 50
		next, total := m, 0
		for range mostRounds {
			var changed int
			var err error
			if next, changed, err = rewritten(next, sinkReshape); err != nil {
				return nil, 0, err
			}
			if changed == 0 {
				break
			}
			total += changed
		}
		return next, total, nil
	},
}

func sinkReshape(d *draft, op *graph.Op) bool {
	if mergeReshape(d, op) {
		return true
	}
	if !d.fixed || len(op.Outputs) != 1 {
		return false
	}
	y := op.Outputs[0]
	for i, t := range op.Inputs {
		from, leading, ok := d.reshapedFrom(t)
		if !ok || !d.passes(op, i, leading) || !d.allPass(t, leading) {
			continue
		}
		inputs := slices.Clone(op.Inputs)
		for j, other := range inputs {
			// The other operand may come by a RESHAPE of the same kind.
			if source, also, ok := d.reshapedFrom(other); ok && (also || j == i) {
				inputs[j] = source
			}
		}
		inputs[i] = from
		shape, ok := d.sunkShape(op, inputs)
		if !ok || elements(shape) != elements(d.shape(y)) {
			continue
		}
		if along[op.Code] && len(inputs) == 2 { // a reduction's axis
			inputs[1] = d.list(y, "axes", []int{len(shape) - 1})
		}
		out := d.shaped(y, "before", shape)
		d.emit(op.Code, op.Options, inputs, []int{out})
		d.reshapeInto(out, y)
		return true
	}
	return false
}

// alone are operators of one operand that work element by element.
var alone = setOf(schema.BuiltinOperatorRELU, schema.BuiltinOperatorRELU6, schema.BuiltinOperatorRELU_N1_TO_1,
	schema.BuiltinOperatorTANH, schema.BuiltinOperatorLOGISTIC, schema.BuiltinOperatorGELU, schema.BuiltinOperatorHARD_SWISH,
	schema.BuiltinOperatorRSQRT, schema.BuiltinOperatorSQRT, schema.BuiltinOperatorEXP, schema.BuiltinOperatorNEG,
	schema.BuiltinOperatorABS, schema.BuiltinOperatorSQUARE, schema.BuiltinOperatorSIN, schema.BuiltinOperatorCOS,
	schema.BuiltinOperatorLOG, schema.BuiltinOperatorFLOOR, schema.BuiltinOperatorQUANTIZE, schema.BuiltinOperatorDEQUANTIZE)

// pairs are operators of two operands that are broadcast.
var pairs = setOf(schema.BuiltinOperatorADD, schema.BuiltinOperatorMUL, schema.BuiltinOperatorSUB, schema.BuiltinOperatorDIV,
	schema.BuiltinOperatorMAXIMUM, schema.BuiltinOperatorMINIMUM, schema.BuiltinOperatorSQUARED_DIFFERENCE, schema.BuiltinOperatorPOW)

// along are operators that can work along the last dimension only.
var along = setOf(schema.BuiltinOperatorMEAN, schema.BuiltinOperatorSUM, schema.BuiltinOperatorSOFTMAX)

func setOf(codes ...graph.OpCode) map[graph.OpCode]bool {
	set := map[graph.OpCode]bool{}
	for _, c := range codes {
		set[c] = true
	}
	return set
}

// reshapedFrom is what t is a RESHAPE of, and whether it only adds or takes
// leading dimensions of size 1.
func (d *draft) reshapedFrom(t int) (from int, leading, ok bool) {
	if t == graph.NoTensor {
		return 0, false, false
	}
	maker := d.maker(t)
	if maker == nil || !d.isReshape(maker) || len(d.shape(t)) == 0 {
		return 0, false, false
	}
	from = maker.Inputs[0]
	rank := min(len(d.shape(from)), len(d.shape(t)))
	tail := func(s []int) []int { return s[len(s)-rank:] }
	leading = rank > 0 && slices.Equal(tail(d.shape(from)), tail(d.shape(t)))
	return from, leading, d.sameKind(from, t) && perTensor(d.tensor(t)) && elements(d.shape(t)) > 0 && len(d.shape(from)) > 0
}

// passes reports whether a RESHAPE of input i may move behind op.
func (d *draft) passes(op *graph.Op, i int, leading bool) bool {
	if len(op.Outputs) != 1 || !perTensor(d.tensor(op.Outputs[0])) {
		return false
	}
	switch {
	case alone[op.Code]:
		return true
	case pairs[op.Code]:
		other := op.Inputs[1-i]
		return leading || elements(d.shape(other)) == 1 && len(d.shape(other)) <= 1 || other == op.Inputs[i]
	case op.Code == schema.BuiltinOperatorSOFTMAX:
		return leading
	case along[op.Code]:
		axes, ok := d.ints(op.Inputs[1])
		last := len(d.shape(op.Inputs[0])) - 1
		return leading && i == 0 && ok && len(axes) == 1 && (axes[0] == -1 || axes[0] == last) && options[schema.ReducerOptionsT](op).KeepDims
	}
	return false
}

// allPass: the RESHAPE that makes t is gone when it has moved behind all users.
func (d *draft) allPass(t int, leading bool) bool {
	if d.isOutput[t] {
		return false
	}
	for _, user := range d.users[t] {
		if user.Code == schema.BuiltinOperatorRESHAPE {
			continue
		}
		if i := slices.Index(user.Inputs, t); !d.passes(user, i, leading) {
			return false
		}
	}
	return true
}

// sunkShape is the shape of op's output for the operands inputs.
func (d *draft) sunkShape(op *graph.Op, inputs []int) ([]int, bool) {
	shape := slices.Clone(d.shape(inputs[0]))
	switch {
	case pairs[op.Code]:
		return broadcast(shape, d.shape(inputs[1]))
	case along[op.Code] && op.Code != schema.BuiltinOperatorSOFTMAX:
		shape[len(shape)-1] = 1
	}
	return shape, true
}

// broadcast is the common shape of two by numpy's rule.
func broadcast(x, y []int) ([]int, bool) {
	if len(x) < len(y) {
		x, y = y, x
	}
	out := slices.Clone(x)
	for i, n := range y {
		at := &out[len(x)-len(y)+i]
		switch {
		case *at == 1:
			*at = n
		case n != 1 && n != *at:
			return nil, false
		}
	}
	return out, true
}
