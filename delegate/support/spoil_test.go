package support

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// meet changes a sample so that the conditions of a constraint hold, if they
// can. Levels are for the caller.
func (w *written) meet(t *testing.T, m *graph.Model, conditions string) {
	t.Helper()
	o := &m.Subgraphs[0].Ops[0]
	for _, c := range strings.Split(conditions, "&") {
		c = strings.TrimSpace(c)
		left, right, isEqual := strings.Cut(c, "=")
		switch {
		case !isEqual || strings.HasPrefix(c, "=="):
		case left == "inputs":
			want, _ := parseNumbers(right)
			for n := 1; !want.has(len(o.Inputs)) && n < 32; n++ {
				if want.has(n) {
					w.resize(t, m, n)
				}
			}
		case 'A' <= left[0] && left[0] <= 'Z':
			if has, _, err := optionValues(reflect.ValueOf(o.Options).Elem().FieldByName(left).Type(), right); err == nil {
				setOption(o, left, has)
			}
		default:
			set, err := w.typeSet(right)
			if err != nil {
				t.Fatal(err)
			}
			w.retype(m, operandIDs(m, left), set[len(set)-1].TensorType)
			// Narrow weights are constants, or nothing takes them.
			if left == "in1" && (right == "H" || right == "I8") {
				setConstant(m, o.Inputs[1], nil)
			}
		}
	}
}

// retype gives operands a type; when they are the data of a quantized operator,
// the others get types that go with it.
func (w *written) retype(m *graph.Model, ids []int, to graph.TensorType) {
	o := &m.Subgraphs[0].Ops[0]
	for _, id := range ids {
		setType(m, id, to)
	}
	if len(ids) == 0 || ids[0] != dataInput(o) || to == graph.Float32 {
		return
	}
	if w.code == schema.BuiltinOperatorQUANTIZE && w.typesOf("out", 0).index(to) >= 0 {
		setType(m, o.Outputs[0], to)
	}
	defer setFixedRange(m, to)
	for i, list := range [][]int{o.Inputs, o.Outputs} {
		for n, id := range list {
			if id == graph.NoTensor || slices.Contains(ids, id) || m.Subgraphs[0].Tensors[id].Type != graph.Float32 {
				continue
			}
			side := []string{"in", "out"}[i]
			switch set := w.typesOf(side, n); {
			case set == nil && o.Code == schema.BuiltinOperatorDEQUANTIZE:
			case set == nil, set.index(to) >= 0:
				setType(m, id, to)
			case set.index(graph.Int32) >= 0:
				setType(m, id, graph.Int32) // a bias: its scale is the inputs' product
				m.Subgraphs[0].Tensors[id].Quantization = &graph.Quantization{Scale: []float32{1. / 256}, ZeroPoint: []int64{0}}
			}
		}
	}
}

// setFixedRange gives outputs in [0, 1] or [-1, 1] the quantization that they
// always have.
func setFixedRange(m *graph.Model, t graph.TensorType) {
	o := &m.Subgraphs[0].Ops[0]
	q := &graph.Quantization{}
	switch o.Code {
	case schema.BuiltinOperatorLOGISTIC:
		q.Scale, q.ZeroPoint = []float32{1. / 256}, []int64{-128}
	case schema.BuiltinOperatorTANH:
		q.Scale, q.ZeroPoint = []float32{1. / 128}, []int64{0}
	default:
		return
	}
	if t == graph.Uint8 {
		q.ZeroPoint[0] += 128
	}
	m.Subgraphs[0].Tensors[o.Outputs[0]].Quantization = q
}

// dataInput is the tensor that is computed with.
func dataInput(o *graph.Op) int {
	switch o.Code {
	case schema.BuiltinOperatorTRANSPOSE_CONV:
		return o.Inputs[2]
	case schema.BuiltinOperatorSPLIT:
		return o.Inputs[1]
	}
	return o.Inputs[0]
}

// typesOf is what the row's unconditional types allow an operand, nil for all.
func (w *written) typesOf(side string, n int) typeSet {
	for _, text := range w.constraints {
		name, args, conditions := splitConstraint(text)
		if name != "type" || conditions != "" {
			continue
		}
		for _, item := range strings.Split(args[0], ",") {
			if item == side+"*" || item == side+strconv.Itoa(n) {
				set, _ := w.typeSet(args[1])
				return set
			}
		}
	}
	return nil
}

// resize gives the operator another number of inputs: fewer, or copies of the
// last. A basic LSTM is built anew.
func (w *written) resize(t *testing.T, m *graph.Model, n int) {
	o := &m.Subgraphs[0].Ops[0]
	if w.code == schema.BuiltinOperatorLSTM && n == 5 {
		*m = *parseSample(t, w.code, "1x8:U8 1x4:U8 c16x12:U8 c16:I32 1x4:I16 > 1x4:U8 1x4:I16 1x12:U8 1x16:I16")
		for _, id := range []int{0, 5} {
			m.Subgraphs[0].Tensors[id].Quantization = &graph.Quantization{Scale: []float32{1. / 128}, ZeroPoint: []int64{128}}
		}
		return
	}
	for len(o.Inputs) < n {
		o.Inputs = append(o.Inputs, o.Inputs[len(o.Inputs)-1])
	}
	o.Inputs = o.Inputs[:n]
}

// setOption gives a field of the options the first value that fits.
func setOption(o *graph.Op, field string, fits func(reflect.Value) bool) bool {
	f := reflect.ValueOf(o.Options).Elem().FieldByName(field)
	for _, v := range []int64{0, 1, 2, 3, 4, 5, 13, 70, 20000} {
		switch f.Kind() {
		case reflect.Bool:
			f.SetBool(v == 1)
		case reflect.Float32:
			f.SetFloat(float64(v))
		default:
			f.SetInt(v)
		}
		if fits(f) {
			return true
		}
	}
	return false
}

// candidates are numbers that one set or another lacks.
var candidates = []int{1, 0, 2, 3, 5, 7, 30, 66, 20000, -1}

func outside(s string) int {
	n, err := parseNumbers(s)
	if err != nil {
		panic(err)
	}
	return candidates[slices.IndexFunc(candidates, func(c int) bool { return !n.has(c) })]
}

// spoil changes a sample so that a constraint no longer holds. It returns false
// when the device's tables cannot break it this way.
func (w *written) spoil(t *testing.T, tab *table, m *graph.Model, name string, args []string) bool {
	t.Helper()
	g := &m.Subgraphs[0]
	o := &g.Ops[0]
	var ids []int
	if len(args) > 0 && (strings.HasPrefix(args[0], "in") || strings.HasPrefix(args[0], "out")) {
		if ids = operandIDs(m, args[0]); len(ids) == 0 {
			return w.spoilAbsent(t, m, name, args)
		}
	}
	last := func() *graph.Tensor { return &g.Tensors[ids[len(ids)-1]] }
	switch name {
	case "inputs":
		w.resize(t, m, outside(args[0]))
	case "outputs":
		o.Outputs = o.Outputs[:1]
	case "present":
		o.Inputs[slices.Index(o.Inputs, ids[0])] = graph.NoTensor
	case "const":
		g.Tensors[ids[0]].Buffer = 0
	case "not-const":
		setConstant(m, ids[0], nil)
		if tab.folds != foldsNothing { // so that it is not folded away
			g.Outputs = append(g.Outputs, o.Outputs[0])
		}
	case "scalar-const":
		g.Tensors[ids[0]].Shape = nil
	case "type", "same-type":
		setType(m, lastOf(ids), graph.Float64)
	case "not-type":
		set, _ := w.typeSet(args[1])
		setType(m, ids[0], set[0].TensorType)
	case "rank":
		reshape(m, ids[0], slices.Repeat([]int{1}, outside(args[1])))
	case "same-rank":
		reshape(m, lastOf(ids), append([]int{1}, last().Shape...))
	case "dim":
		d, _ := strconv.Atoi(args[1])
		shape := slices.Repeat([]int{1}, len(g.Tensors[ids[0]].Shape))
		shape[d] = outside(args[2])
		reshape(m, ids[0], shape)
	case "elements":
		reshape(m, ids[0], []int{outside(args[1])})
	case "nonzero-dims":
		reshape(m, ids[0], []int{4, 0, 6, 8})
	case "same-shape", "no-batch-broadcast":
		reshape(m, o.Inputs[1], append([]int{1}, g.Tensors[o.Inputs[1]].Shape[1:]...))
	case "square-output":
		g.Tensors[o.Outputs[0]].Shape[1]++
	case "no-groups":
		reshape(m, o.Inputs[1], append(g.Tensors[o.Inputs[1]].Shape[:3:3], slices.Repeat([]int{4}, len(g.Tensors[o.Inputs[1]].Shape)-3)...))
	case "single-batch":
		reshape(m, ids[0], []int{2, 8})
	case "coreml-broadcast":
		reshape(m, o.Inputs[1], []int{2, 6, 6, 8})
	case "values":
		setConstant(m, ids[0], slices.Repeat([]int64{int64(outside(args[1]))}, elementsOf(g.Tensors[ids[0]].Shape)))
	case "nonzero-values":
		setConstant(m, ids[0], nil)
	case "fits-int32":
		setType(m, ids[0], graph.Int64)
		setConstant(m, ids[0], slices.Repeat([]int64{1 << 40}, elementsOf(g.Tensors[ids[0]].Shape)))
	case "axes":
		setConstant(m, ids[0], []int64{int64(outside(args[1])), -1})
	case "pooling-axes":
		setConstant(m, ids[0], []int64{1, 3})
	case "no-padding":
		setConstant(m, ids[0], []int64{0, 0, 1, 1, 1, 1, 0, 1})
	case "positive-scale":
		g.Tensors[ids[0]].Quantization = nil
	default:
		return w.spoilOptions(t, tab, m, name, args) || w.spoilQuantization(tab, m, name, args, ids)
	}
	return true
}

func lastOf(ids []int) int { return ids[len(ids)-1] }

func elementsOf(shape []int) int {
	n, err := graph.Elements(shape)
	if err != nil {
		panic(err)
	}
	return n
}

// reshape gives a tensor another shape, and a constant data to go with it.
func reshape(m *graph.Model, t int, shape []int) {
	x := &m.Subgraphs[0].Tensors[t]
	wasConstant := m.IsConstant(0, t)
	x.Shape = shape
	if wasConstant {
		setConstant(m, t, nil)
	}
}

// spoilAbsent adds an input that the sample leaves out, so that a constraint on
// it can be broken.
func (w *written) spoilAbsent(t *testing.T, m *graph.Model, name string, args []string) bool {
	r, err := parseRefs(args[0])
	if err != nil || r[0].output || name == "present" {
		return false
	}
	o := &m.Subgraphs[0].Ops[0]
	to := graph.Float64
	if set := w.typesOf("in", r[0].number); set != nil && name != "type" {
		to = set[0].TensorType
	}
	for len(o.Inputs) <= r[0].number {
		id := addSample(t, m, "8")
		setType(m, id, to)
		m.Subgraphs[0].Inputs = append(m.Subgraphs[0].Inputs, id)
		o.Inputs = append(o.Inputs, id)
	}
	return true
}

func (w *written) spoilOptions(t *testing.T, tab *table, m *graph.Model, name string, args []string) bool {
	t.Helper()
	o := &m.Subgraphs[0].Ops[0]
	switch name {
	case "activation", "option":
		field, want := "FusedActivationFunction", args[0]
		if name == "option" {
			field, _, _ = strings.Cut(args[0], ",")
			want = args[1]
		}
		if forbidden, negated := strings.CutPrefix(want, "!"); negated {
			has, _, _ := optionValues(reflect.ValueOf(o.Options).Elem().FieldByName(field).Type(), forbidden)
			return setOption(o, field, has)
		}
		has, _, err := optionValues(reflect.ValueOf(o.Options).Elem().FieldByName(field).Type(), want)
		return err == nil && setOption(o, field, func(v reflect.Value) bool { return !has(v) })
	case "name":
		o.CustomCode = "other"
		if o.Code == schema.BuiltinOperatorSTABLEHLO_COMPOSITE {
			o.Options = &schema.StableHLOCompositeOptionsT{Name: "other"}
		}
	case "filter-area":
		o.Options.(*schema.Pool2DOptionsT).FilterHeight = 200
	case "not-last-axis":
		if p, ok := o.Options.(*schema.PackOptionsT); ok {
			p.Axis = -1
		} else {
			o.Options.(*schema.UnpackOptionsT).Axis = 3
		}
	case "last-axis":
		o.Options.(*schema.ConcatenationOptionsT).Axis = 1
	case "squeeze-dims":
		o.Options = &schema.SqueezeOptionsT{}
	case "new-shape":
		o.Options = &schema.ReshapeOptionsT{NewShape: []int32{0}}
	case "one-multiplier":
		o.Options.(*schema.DepthwiseConv2DOptionsT).DepthMultiplier = 2
	case "normal-alpha":
		o.Options = &schema.LeakyReluOptionsT{}
	case "max-version":
		o.Version = 99
	case "never":
	default:
		return false
	}
	return true
}

func (w *written) spoilQuantization(tab *table, m *graph.Model, name string, args []string, ids []int) bool {
	g := &m.Subgraphs[0]
	o := &g.Ops[0]
	perChannel := func(t, dimension int) {
		x := &g.Tensors[t]
		if len(x.Shape) == 0 {
			x.Shape = []int{2}
		}
		n := x.Shape[dimension]
		x.Quantization = &graph.Quantization{Scale: slices.Repeat([]float32{1}, n), ZeroPoint: make([]int64, n), Dimension: dimension}
	}
	switch name {
	case "not-hybrid":
		setType(m, o.Inputs[0], graph.Float32)
		setType(m, ids[0], graph.Int8)
	case "per-tensor":
		if g.Tensors[ids[0]].Type == graph.Float32 {
			setType(m, ids[0], graph.Int8)
		}
		perChannel(ids[0], len(g.Tensors[ids[0]].Shape)-1)
	case "channels-along":
		d, _ := strconv.Atoi(args[1])
		if d == 1 {
			return false // the samples' channels are elsewhere
		}
		perChannel(ids[0], 1)
	case "zero-point":
		g.Tensors[ids[0]].Quantization = &graph.Quantization{Scale: []float32{1}, ZeroPoint: []int64{3}}
	case "same-quantization":
		g.Tensors[lastOf(ids)].Quantization = &graph.Quantization{Scale: []float32{1}, ZeroPoint: []int64{3}}
	case "quantization":
		g.Tensors[ids[0]].Quantization.ZeroPoint[0] = 127
	case "restricted-scales", "scale-ratio":
		for _, t := range []int{o.Inputs[0], o.Inputs[min(1, len(o.Inputs)-1)], o.Outputs[0]} {
			g.Tensors[t].Quantization = &graph.Quantization{Scale: []float32{1}, ZeroPoint: []int64{0}}
		}
		g.Tensors[o.Outputs[0]].Quantization.Scale[0] = 0x1p-20
	case "quantized":
		set, _ := w.typeSet(args[1])
		setType(m, ids[0], set[0].TensorType)
		g.Tensors[ids[0]].Quantization = nil
	default:
		return false
	}
	return true
}
