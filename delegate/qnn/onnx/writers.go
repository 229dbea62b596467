package onnx

import (
	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// writer writes an operator; its error is a *delegate.Refusal where the operator
// has no form in ONNX.
type writer func(c *converter, op *graph.Op) error

// writers has the operators that can be written.
var writers map[graph.OpCode]writer

func init() {
	writers = map[graph.OpCode]writer{
		schema.BuiltinOperatorADD:                twoInputs("Add"),
		schema.BuiltinOperatorSUB:                twoInputs("Sub"),
		schema.BuiltinOperatorMUL:                twoInputs("Mul"),
		schema.BuiltinOperatorDIV:                twoInputs("Div"),
		schema.BuiltinOperatorMAXIMUM:            twoInputs("Max"),
		schema.BuiltinOperatorMINIMUM:            twoInputs("Min"),
		schema.BuiltinOperatorPOW:                twoInputs("Pow"),
		schema.BuiltinOperatorEQUAL:              twoInputs("Equal"),
		schema.BuiltinOperatorNOT_EQUAL:          twoInputs("Equal", "Not"),
		schema.BuiltinOperatorLESS:               twoInputs("Less"),
		schema.BuiltinOperatorLESS_EQUAL:         twoInputs("LessOrEqual"),
		schema.BuiltinOperatorGREATER:            twoInputs("Greater"),
		schema.BuiltinOperatorGREATER_EQUAL:      twoInputs("GreaterOrEqual"),
		schema.BuiltinOperatorLOGICAL_AND:        twoInputs("And"),
		schema.BuiltinOperatorLOGICAL_OR:         twoInputs("Or"),
		schema.BuiltinOperatorSQUARED_DIFFERENCE: squaredDifference,
		schema.BuiltinOperatorPRELU:              prelu,
		schema.BuiltinOperatorSELECT_V2:          selection,
		schema.BuiltinOperatorSELECT:             selection,

		schema.BuiltinOperatorABS:              unary("Abs"),
		schema.BuiltinOperatorNEG:              unary("Neg"),
		schema.BuiltinOperatorFLOOR:            unary("Floor"),
		schema.BuiltinOperatorCEIL:             unary("Ceil"),
		schema.BuiltinOperatorROUND:            unary("Round"),
		schema.BuiltinOperatorSIGN:             unary("Sign"),
		schema.BuiltinOperatorSQRT:             unary("Sqrt"),
		schema.BuiltinOperatorEXP:              unary("Exp"),
		schema.BuiltinOperatorLOG:              unary("Log"),
		schema.BuiltinOperatorSIN:              unary("Sin"),
		schema.BuiltinOperatorCOS:              unary("Cos"),
		schema.BuiltinOperatorTANH:             unary("Tanh"),
		schema.BuiltinOperatorLOGISTIC:         unary("Sigmoid"),
		schema.BuiltinOperatorRELU:             unary("Relu"),
		schema.BuiltinOperatorELU:              unary("Elu"),
		schema.BuiltinOperatorHARD_SWISH:       unary("HardSwish"),
		schema.BuiltinOperatorLOGICAL_NOT:      unary("Not"),
		schema.BuiltinOperatorRSQRT:            rsqrt,
		schema.BuiltinOperatorSQUARE:           square,
		schema.BuiltinOperatorGELU:             gelu,
		schema.BuiltinOperatorLEAKY_RELU:       leakyRelu,
		schema.BuiltinOperatorRELU6:            clip(0, 6),
		schema.BuiltinOperatorRELU_N1_TO_1:     clip(-1, 1),
		schema.BuiltinOperatorRELU_0_TO_1:      clip(0, 1),
		schema.BuiltinOperatorCAST:             cast,
		schema.BuiltinOperatorQUANTIZE:         requantize,
		schema.BuiltinOperatorDEQUANTIZE:       dequantizeOp,
		schema.BuiltinOperatorSOFTMAX:          softmax,
		schema.BuiltinOperatorLOG_SOFTMAX:      logSoftmax,
		schema.BuiltinOperatorL2_NORMALIZATION: l2Normalization,

		schema.BuiltinOperatorMEAN:        reduction("ReduceMean"),
		schema.BuiltinOperatorSUM:         reduction("ReduceSum"),
		schema.BuiltinOperatorREDUCE_MAX:  reduction("ReduceMax"),
		schema.BuiltinOperatorREDUCE_MIN:  reduction("ReduceMin"),
		schema.BuiltinOperatorREDUCE_PROD: reduction("ReduceProd"),
		schema.BuiltinOperatorARG_MAX:     extreme("ArgMax"),
		schema.BuiltinOperatorARG_MIN:     extreme("ArgMin"),

		schema.BuiltinOperatorRESHAPE:          reshape,
		schema.BuiltinOperatorSQUEEZE:          reshape,
		schema.BuiltinOperatorEXPAND_DIMS:      reshape,
		schema.BuiltinOperatorTRANSPOSE:        transposition,
		schema.BuiltinOperatorCONCATENATION:    concatenation,
		schema.BuiltinOperatorPACK:             pack,
		schema.BuiltinOperatorUNPACK:           unpack,
		schema.BuiltinOperatorSPLIT:            split,
		schema.BuiltinOperatorSPLIT_V:          split,
		schema.BuiltinOperatorSLICE:            slice,
		schema.BuiltinOperatorSTRIDED_SLICE:    stridedSlice,
		schema.BuiltinOperatorGATHER:           gather,
		schema.BuiltinOperatorEMBEDDING_LOOKUP: lookup,
		schema.BuiltinOperatorTILE:             tile,
		schema.BuiltinOperatorBROADCAST_TO:     broadcast,
		schema.BuiltinOperatorPAD:              pad,
		schema.BuiltinOperatorPADV2:            pad,
		schema.BuiltinOperatorMIRROR_PAD:       mirrorPad,
		schema.BuiltinOperatorDEPTH_TO_SPACE:   depthToSpace,
		schema.BuiltinOperatorSPACE_TO_DEPTH:   spaceToDepth,
		schema.BuiltinOperatorSHAPE:            shapeOf,

		schema.BuiltinOperatorFULLY_CONNECTED:         fullyConnected,
		schema.BuiltinOperatorBATCH_MATMUL:            batchMatMul,
		schema.BuiltinOperatorCONV_2D:                 conv,
		schema.BuiltinOperatorDEPTHWISE_CONV_2D:       depthwise,
		schema.BuiltinOperatorTRANSPOSE_CONV:          transposeConv,
		schema.BuiltinOperatorAVERAGE_POOL_2D:         pool("AveragePool"),
		schema.BuiltinOperatorMAX_POOL_2D:             pool("MaxPool"),
		schema.BuiltinOperatorRESIZE_BILINEAR:         resizeBilinear,
		schema.BuiltinOperatorRESIZE_NEAREST_NEIGHBOR: resizeNearest,
	}
}

// Operators are those that can be written, in no order.
func Operators() (list []graph.OpCode) {
	for code := range writers {
		list = append(list, code)
	}
	return list
}
