package main

import (
	"fmt"
	"slices"

	"nanoflux/delegate/support"
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

func quantizes(t graph.TensorType) bool {
	return t == graph.Int8 || t == graph.Uint8 || t == graph.Int16
}

// scaled is a quantization whose zero is in the middle of the type.
func scaled(t graph.TensorType, scale float32) *graph.Quantization {
	q := &graph.Quantization{Scale: []float32{scale}, ZeroPoint: []int64{0}}
	switch t {
	case graph.Uint8:
		q.ZeroPoint[0] = 128
	case graph.Int16:
		q.Scale[0] /= 256
	}
	return q
}

// questions are all that are asked, by operator, type and dimensions.
func questions() (list []question, err error) {
	var codes []graph.OpCode
	for code := range forms {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	for _, code := range codes {
		for _, typ := range asked {
			for rank := forms[code].low; rank <= forms[code].high; rank++ {
				m := model(code, typ, sizes[rank])
				if m == nil {
					continue // TensorFlow Lite has no such operator
				}
				op := slices.IndexFunc(m.Subgraphs[0].Ops, func(o graph.Op) bool { return o.Code == code })
				if t, n := support.HTPOperand(m, 0, op); t != typ || n != rank {
					return nil, fmt.Errorf("%v of %v and %d dimensions is taken for one of %v and %d", code, typ, rank, t, n)
				}
				list = append(list, question{code, typ, rank, m, op})
			}
		}
	}
	return list, nil
}

// movers compute nothing; TensorFlow Lite has them for all types.
var movers = []graph.OpCode{
	schema.BuiltinOperatorRESHAPE, schema.BuiltinOperatorSQUEEZE, schema.BuiltinOperatorEXPAND_DIMS, schema.BuiltinOperatorTRANSPOSE,
	schema.BuiltinOperatorCONCATENATION, schema.BuiltinOperatorPACK, schema.BuiltinOperatorUNPACK, schema.BuiltinOperatorSPLIT,
	schema.BuiltinOperatorSPLIT_V, schema.BuiltinOperatorSLICE, schema.BuiltinOperatorSTRIDED_SLICE, schema.BuiltinOperatorGATHER,
	schema.BuiltinOperatorTILE, schema.BuiltinOperatorBROADCAST_TO, schema.BuiltinOperatorSELECT, schema.BuiltinOperatorSELECT_V2,
	schema.BuiltinOperatorCAST, schema.BuiltinOperatorEQUAL, schema.BuiltinOperatorNOT_EQUAL,
}

// counters also compute with INT32.
var counters = []graph.OpCode{
	schema.BuiltinOperatorADD, schema.BuiltinOperatorSUB, schema.BuiltinOperatorMUL, schema.BuiltinOperatorDIV, schema.BuiltinOperatorMAXIMUM,
	schema.BuiltinOperatorMINIMUM, schema.BuiltinOperatorPOW, schema.BuiltinOperatorSQUARED_DIFFERENCE, schema.BuiltinOperatorLESS,
	schema.BuiltinOperatorLESS_EQUAL, schema.BuiltinOperatorGREATER, schema.BuiltinOperatorGREATER_EQUAL, schema.BuiltinOperatorABS,
	schema.BuiltinOperatorNEG, schema.BuiltinOperatorSIGN, schema.BuiltinOperatorMEAN, schema.BuiltinOperatorSUM,
	schema.BuiltinOperatorREDUCE_MAX, schema.BuiltinOperatorREDUCE_MIN, schema.BuiltinOperatorREDUCE_PROD, schema.BuiltinOperatorARG_MAX,
	schema.BuiltinOperatorARG_MIN, schema.BuiltinOperatorPAD, schema.BuiltinOperatorMIRROR_PAD,
}

var logicals = []graph.OpCode{schema.BuiltinOperatorLOGICAL_AND, schema.BuiltinOperatorLOGICAL_OR, schema.BuiltinOperatorLOGICAL_NOT}

// has says whether TensorFlow Lite has an operator for a type.
func has(code graph.OpCode, typ graph.TensorType) bool {
	moves := slices.Contains(movers, code)
	switch typ {
	case graph.Int32:
		return moves || slices.Contains(counters, code)
	case graph.Bool:
		return moves || slices.Contains(logicals, code)
	}
	return !slices.Contains(logicals, code) && (typ == graph.Float32 || code != schema.BuiltinOperatorCAST)
}

// model is an operator on tensors of a type; nil where the builder has none.
func model(code graph.OpCode, typ graph.TensorType, shape []int) *graph.Model {
	if !has(code, typ) {
		return nil
	}
	b := &builder{Builder: graph.NewBuilder(code.String()), typ: typ}
	rounds := code == schema.BuiltinOperatorQUANTIZE || code == schema.BuiltinOperatorDEQUANTIZE
	if quantizes(typ) && !rounds {
		b.typ = graph.Float32
	}
	for i, t := range forms[code].build(b, shape) {
		b.Output(fmt.Sprint("y", i), t)
	}
	m, err := b.Model()
	if err != nil {
		return nil
	}
	if quantizes(typ) && !rounds {
		quantize(m, typ)
	}
	return m
}

// quantize gives the floats of a model of one operator another type: activations
// typ, weights 8 bits, a bias 32.
func quantize(m *graph.Model, typ graph.TensorType) {
	g := &m.Subgraphs[0]
	op := &g.Ops[0]
	for i := range g.Tensors {
		t := &g.Tensors[i]
		if t.Type != graph.Float32 {
			continue
		}
		t.Type, t.Quantization = typ, scaled(typ, 1./32)
		if slices.Contains(op.Outputs, i) {
			output(op.Code, t)
		}
		if !m.IsConstant(0, i) {
			continue
		}
		place := slices.Index(op.Inputs, i)
		weights := place == 1 && typ == graph.Int16 && op.Code != schema.BuiltinOperatorPRELU && op.Code != schema.BuiltinOperatorPADV2
		switch {
		case place == 2 && op.Code != schema.BuiltinOperatorPADV2:
			t.Type = graph.Int32
			scale := g.Tensors[op.Inputs[0]].Quantization.Scale[0] / 32
			t.Quantization = &graph.Quantization{Scale: []float32{scale}, ZeroPoint: []int64{0}}
		case weights:
			t.Type, t.Quantization = graph.Int8, scaled(graph.Int8, 1./32)
		}
		values := graph.View[float32](m.Buffers[t.Buffer])
		m.Buffers[t.Buffer] = integers(values, t)
	}
}

// output has the ranges that TensorFlow Lite wants of some operators.
func output(code graph.OpCode, t *graph.Tensor) {
	bits := graph.ElementBits(t.Type)
	switch code {
	case schema.BuiltinOperatorLOGISTIC, schema.BuiltinOperatorSOFTMAX:
		t.Quantization = &graph.Quantization{Scale: []float32{1. / 256}, ZeroPoint: []int64{-128}}
		if t.Type == graph.Uint8 {
			t.Quantization.ZeroPoint[0] = 0
		}
		if bits == 16 {
			t.Quantization = &graph.Quantization{Scale: []float32{1. / 32768}, ZeroPoint: []int64{0}}
		}
	case schema.BuiltinOperatorTANH, schema.BuiltinOperatorL2_NORMALIZATION:
		t.Quantization = scaled(t.Type, 1./128)
	}
}

// integers are the values of a quantized constant.
func integers(values []float32, t *graph.Tensor) (out []byte) {
	for _, v := range values {
		n := int64(v/t.Quantization.Scale[0]) + t.Quantization.ZeroPoint[0]
		if t.Type == graph.Int8 {
			n = min(n, 127)
		}
		for range graph.ElementBits(t.Type) / 8 {
			out = append(out, byte(n))
			n >>= 8
		}
	}
	return out
}
