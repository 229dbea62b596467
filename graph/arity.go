package graph

import (
	"fmt"

	"nanoflux/graph/schema"
)

// arity is how many inputs and outputs an operator has: the first in inputs
// and out outputs must be there, up to maxIn and maxOut may.
type arity struct{ in, maxIn, out, maxOut int }

// many stands for no upper bound, where all that are listed must be there.
const many = 1 << 30

func (a arity) check(op *Op) error {
	if err := count("inputs", op.Inputs, a.in, a.maxIn); err != nil {
		return err
	}
	return count("outputs", op.Outputs, a.out, a.maxOut)
}

func count(what string, ids []int, least, most int) error {
	if len(ids) < least || len(ids) > most {
		switch most {
		case least:
			return fmt.Errorf("it has %d %s, must have %d", len(ids), what, least)
		case many:
			return fmt.Errorf("it has %d %s, must have %d or more", len(ids), what, least)
		}
		return fmt.Errorf("it has %d %s, must have %d to %d", len(ids), what, least, most)
	}
	for i, t := range ids {
		if t == NoTensor && (i < least || most == many) {
			return fmt.Errorf("%s %d is left out", what[:len(what)-1], i)
		}
	}
	return nil
}

// The common operators' arities, from the runtime's kernels. Operators that
// are not listed, custom ones among them, may have any number.
var arities = map[OpCode]arity{}

func init() {
	list := func(a arity, codes ...OpCode) {
		for _, code := range codes {
			arities[code] = a
		}
	}
	list(arity{1, 1, 1, 1},
		schema.BuiltinOperatorABS, schema.BuiltinOperatorAVERAGE_POOL_2D, schema.BuiltinOperatorCAST,
		schema.BuiltinOperatorCEIL, schema.BuiltinOperatorCOS, schema.BuiltinOperatorDENSIFY,
		schema.BuiltinOperatorDEPTH_TO_SPACE, schema.BuiltinOperatorDEQUANTIZE, schema.BuiltinOperatorELU,
		schema.BuiltinOperatorEXP, schema.BuiltinOperatorFAKE_QUANT, schema.BuiltinOperatorFLOOR,
		schema.BuiltinOperatorGELU, schema.BuiltinOperatorHARD_SWISH, schema.BuiltinOperatorL2_NORMALIZATION,
		schema.BuiltinOperatorL2_POOL_2D, schema.BuiltinOperatorLEAKY_RELU,
		schema.BuiltinOperatorLOCAL_RESPONSE_NORMALIZATION, schema.BuiltinOperatorLOG,
		schema.BuiltinOperatorLOGICAL_NOT, schema.BuiltinOperatorLOGISTIC, schema.BuiltinOperatorLOG_SOFTMAX,
		schema.BuiltinOperatorMAX_POOL_2D, schema.BuiltinOperatorNEG, schema.BuiltinOperatorQUANTIZE,
		schema.BuiltinOperatorRANK, schema.BuiltinOperatorRELU, schema.BuiltinOperatorRELU6,
		schema.BuiltinOperatorRELU_0_TO_1, schema.BuiltinOperatorRELU_N1_TO_1, schema.BuiltinOperatorROUND,
		schema.BuiltinOperatorRSQRT, schema.BuiltinOperatorSHAPE, schema.BuiltinOperatorSIGN,
		schema.BuiltinOperatorSIN, schema.BuiltinOperatorSOFTMAX, schema.BuiltinOperatorSPACE_TO_DEPTH,
		schema.BuiltinOperatorSQRT, schema.BuiltinOperatorSQUARE, schema.BuiltinOperatorSQUEEZE,
		schema.BuiltinOperatorTANH, schema.BuiltinOperatorWHERE, schema.BuiltinOperatorZEROS_LIKE)
	list(arity{2, 2, 1, 1},
		schema.BuiltinOperatorADD, schema.BuiltinOperatorARG_MAX, schema.BuiltinOperatorARG_MIN,
		schema.BuiltinOperatorATAN2, schema.BuiltinOperatorBATCH_MATMUL, schema.BuiltinOperatorBROADCAST_TO,
		schema.BuiltinOperatorCUMSUM, schema.BuiltinOperatorDIV, schema.BuiltinOperatorEMBEDDING_LOOKUP,
		schema.BuiltinOperatorEQUAL, schema.BuiltinOperatorEXPAND_DIMS, schema.BuiltinOperatorFILL,
		schema.BuiltinOperatorFLOOR_DIV, schema.BuiltinOperatorFLOOR_MOD, schema.BuiltinOperatorGATHER,
		schema.BuiltinOperatorGATHER_ND, schema.BuiltinOperatorGREATER, schema.BuiltinOperatorGREATER_EQUAL,
		schema.BuiltinOperatorLESS, schema.BuiltinOperatorLESS_EQUAL, schema.BuiltinOperatorLOGICAL_AND,
		schema.BuiltinOperatorLOGICAL_OR, schema.BuiltinOperatorMAXIMUM, schema.BuiltinOperatorMEAN,
		schema.BuiltinOperatorMINIMUM, schema.BuiltinOperatorMIRROR_PAD, schema.BuiltinOperatorMUL,
		schema.BuiltinOperatorNOT_EQUAL, schema.BuiltinOperatorPAD, schema.BuiltinOperatorPOW,
		schema.BuiltinOperatorPRELU, schema.BuiltinOperatorREDUCE_ALL, schema.BuiltinOperatorREDUCE_ANY,
		schema.BuiltinOperatorREDUCE_MAX, schema.BuiltinOperatorREDUCE_MIN, schema.BuiltinOperatorREDUCE_PROD,
		schema.BuiltinOperatorRESIZE_BILINEAR, schema.BuiltinOperatorRESIZE_NEAREST_NEIGHBOR,
		schema.BuiltinOperatorREVERSE_SEQUENCE, schema.BuiltinOperatorREVERSE_V2,
		schema.BuiltinOperatorSQUARED_DIFFERENCE, schema.BuiltinOperatorSUB, schema.BuiltinOperatorSUM,
		schema.BuiltinOperatorTILE, schema.BuiltinOperatorTRANSPOSE)
	list(arity{3, 3, 1, 1},
		schema.BuiltinOperatorBATCH_TO_SPACE_ND, schema.BuiltinOperatorDYNAMIC_UPDATE_SLICE,
		schema.BuiltinOperatorPADV2, schema.BuiltinOperatorRANGE, schema.BuiltinOperatorSCATTER_ND,
		schema.BuiltinOperatorSELECT, schema.BuiltinOperatorSELECT_V2, schema.BuiltinOperatorSLICE,
		schema.BuiltinOperatorSPACE_TO_BATCH_ND)
	list(arity{2, 3, 1, 1}, schema.BuiltinOperatorCONV_2D, schema.BuiltinOperatorDEPTHWISE_CONV_2D, schema.BuiltinOperatorCONV_3D)
	list(arity{2, 3, 1, 2}, schema.BuiltinOperatorFULLY_CONNECTED) // a second output with shuffled weights
	list(arity{3, 4, 1, 1}, schema.BuiltinOperatorTRANSPOSE_CONV)
	list(arity{1, 2, 1, 1}, schema.BuiltinOperatorRESHAPE)
	list(arity{4, 4, 1, 1}, schema.BuiltinOperatorONE_HOT, schema.BuiltinOperatorSPARSE_TO_DENSE)
	list(arity{4, 5, 1, 1}, schema.BuiltinOperatorSTRIDED_SLICE)
	list(arity{2, 2, 2, 2}, schema.BuiltinOperatorTOPK_V2)
	list(arity{1, 1, 2, 2}, schema.BuiltinOperatorUNIQUE)
	list(arity{1, many, 1, 1}, schema.BuiltinOperatorCONCATENATION, schema.BuiltinOperatorPACK, schema.BuiltinOperatorADD_N)
	list(arity{1, 1, 1, many}, schema.BuiltinOperatorUNPACK)
	list(arity{2, 2, 1, many}, schema.BuiltinOperatorSPLIT)
	list(arity{3, 3, 1, many}, schema.BuiltinOperatorSPLIT_V)
	list(arity{1, many, 0, many}, schema.BuiltinOperatorIF)
}
