package support

import (
	"encoding/binary"
	"strconv"
	"strings"
	"testing"

	"nanoflux/graph"
	"nanoflux/graph/schema"
)

// samples are one plain use of each operator: inputs > outputs, each
//
//	[c]SHAPE[:TYPE][=VALUES]
//
// where c makes a constant, a shape is sizes with × between ("s" for a scalar),
// and "-" is an operand left out. FLOAT32 unless said otherwise. Each
// line serves all operators behind it.
var samples = map[string]string{
	"4x6x6x8 > 4x6x6x8": `ABS CEIL COS ELU EXP FLOOR GELU HARD_SWISH L2_NORMALIZATION LEAKY_RELU LOCAL_RESPONSE_NORMALIZATION LOG
		LOGISTIC LOG_SOFTMAX NEG RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND RSQRT SIGN SIN SOFTMAX SQRT SQUARE TANH CUSTOM CAST`,
	"4x6x6x8 4x6x6x8 > 4x6x6x8":                                      "ADD SUB MUL DIV MAXIMUM MINIMUM POW SQUARED_DIFFERENCE",
	"4x6x6x8:I32 4x6x6x8:I32 > 4x6x6x8:I32":                          "FLOOR_DIV FLOOR_MOD",
	"4x6x6x8 4x6x6x8 > 4x6x6x8:BOOL":                                 "EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL",
	"4x6:BOOL 4x6:BOOL > 4x6:BOOL":                                   "LOGICAL_AND LOGICAL_OR",
	"4x6:BOOL > 4x6:BOOL":                                            "LOGICAL_NOT",
	"4x6x6x8 c8 > 4x6x6x8":                                           "PRELU",
	"4x6x6x8 > 4x3x3x8":                                              "AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D",
	"4x6x6x8 4x6x6x8 > 4x6x6x16":                                     "CONCATENATION",
	"6x6x8 6x6x8 > 2x6x6x8":                                          "PACK",
	"4x6x6x8 c16x2x2x8 c16 > 4x6x6x16":                               "CONV_2D",
	"4x6x6x8 c1x2x2x8 c8 > 4x6x6x8":                                  "DEPTHWISE_CONV_2D",
	"c4:I32=4,12,12,16 c16x2x2x8 4x6x6x8 > 4x12x12x16":               "TRANSPOSE_CONV",
	"1x4x6x6x8 c2x2x2x8x3 c3 > 1x4x6x6x3":                            "CONV_3D",
	"1x8 c16x8 c16 > 1x16":                                           "FULLY_CONNECTED",
	"4x6x8 4x8x6 > 4x6x6":                                            "BATCH_MATMUL",
	"4x6x6x8 > 4x12x12x2":                                            "DEPTH_TO_SPACE",
	"4x6x6x2 > 4x3x3x8":                                              "SPACE_TO_DEPTH",
	"4x6:U8 > 4x6":                                                   "DEQUANTIZE",
	"4x6 > 4x6:U8":                                                   "QUANTIZE",
	"c4x6 > 4x6":                                                     "DENSIFY",
	"6:I32 10x8 > 6x8":                                               "EMBEDDING_LOOKUP",
	"6:I32 10:I32 10x8 > 6x8 6:U8":                                   "HASHTABLE_LOOKUP",
	"2x8x1 4x6 4 > 4:I32":                                            "LSH_PROJECTION",
	"4x6x6x8 c3:I32=6,6,32 > 6x6x32":                                 "RESHAPE",
	"1x4x6x1 > 4x6":                                                  "SQUEEZE",
	"4x6 c1:I32=1 > 4x1x6":                                           "EXPAND_DIMS",
	"4x6x6x8 c2:I32=12,12 > 4x12x12x8":                               "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR",
	"4x6x6x8 c4x2:I32=0,0,1,1,2,2,0,0 > 4x8x10x8":                    "PAD MIRROR_PAD",
	"4x6x6x8 c4x2:I32=0,0,1,1,2,2,0,0 cs > 4x8x10x8":                 "PADV2",
	"4x6x6x8 c4:I32=0,2,1,3 > 4x6x6x8":                               "TRANSPOSE",
	"4x6x6x8 c2:I32=1,2 > 4x1x1x8":                                   "MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD",
	"4x6x6x8:BOOL c2:I32=1,2 > 4x1x1x8:BOOL":                         "REDUCE_ANY REDUCE_ALL",
	"4x6x6x8 c1:I32=1 > 4x6x8:I32":                                   "ARG_MAX ARG_MIN",
	"4x6x6x8 3:I32 > 4x3x6x8":                                        "GATHER",
	"4x6 2x2:I32 > 2":                                                "GATHER_ND",
	"2x1:I32 2x6 c2:I32=4,6 > 4x6":                                   "SCATTER_ND",
	"4x6 2x3 2:I32 > 4x6":                                            "DYNAMIC_UPDATE_SLICE",
	"8x6x6x2 c2:I32=2,2 c2x2:I32=0,0,0,0 > 2x12x12x2":                "BATCH_TO_SPACE_ND",
	"2x12x12x2 c2:I32=2,2 c2x2:I32=0,0,0,0 > 8x6x6x2":                "SPACE_TO_BATCH_ND",
	"4x6x6x8 c4:I32=0,0,0,0 c4:I32=4,6,6,4 c4:I32=1,1,1,1 > 4x6x6x4": "STRIDED_SLICE",
	"4x6x6x8 c4:I32=0,0,0,0 c4:I32=4,6,6,4 > 4x6x6x4":                "SLICE",
	"4x6 cs:I32=2 > 4x2 4x2:I32":                                     "TOPK_V2",
	"cs:I32=3 4x6x6x8 > 4x6x6x4 4x6x6x4":                             "SPLIT",
	"4x6x6x8 c2:I32=2,6 cs:I32=3 > 4x6x6x2 4x6x6x6":                  "SPLIT_V",
	"4x6x6x8 > 6x6x8 6x6x8 6x6x8 6x6x8":                              "UNPACK",
	"4x6:BOOL 4x6 4x6 > 4x6":                                         "SELECT SELECT_V2",
	"4x6 c2:I32=2,2 > 8x12":                                          "TILE",
	"4x1 c2:I32=4,6 > 4x6":                                           "BROADCAST_TO",
	"c2:I32=4,6 s > 4x6":                                             "FILL",
	"4x6 c1:I32=1 > 4x6":                                             "REVERSE_V2",
	"4x6 cs:I32=1 > 4x6":                                             "CUMSUM",
	"4:I32 cs:I32=8 cs cs > 4x8":                                     "ONE_HOT",
	"1x8 c4x8 c4x4 c4 1x4 > 1x4":                                     "RNN",
	"1x8 c4x8 c4x4 c4 1x4 > 1x4 1x4":                                 "SVDF",
	"1x4x8 c4x8 c4x4 c4 1x4 > 1x4x4":                                 "UNIDIRECTIONAL_SEQUENCE_RNN",
	"1x8 c4x8 c4x8 c4x8 c4x8 c4x4 c4x4 c4x4 c4x4 - - - c4 c4 c4 c4 - - 1x4 1x4 > 1x4":       "LSTM",
	"1x4x8 c4x8 c4x8 c4x8 c4x8 c4x4 c4x4 c4x4 c4x4 - - - c4 c4 c4 c4 - - 1x4 1x4 > 1x4x4":   "UNIDIRECTIONAL_SEQUENCE_LSTM",
	"1x4x8 c4x8 c4x8 c4x8 c4x8 c4x4 c4x4 c4x4 c4x4 - - - c4 c4 c4 c4 - - 1x4 1x4 > 1x4x4 1": "BIDIRECTIONAL_SEQUENCE_LSTM",
	"> 1:I32":            "VAR_HANDLE",
	"1:I32 > 4x6":        "READ_VARIABLE",
	"1:I32 4x6 >":        "ASSIGN_VARIABLE",
	"4x6 4x6 4x6 > 4x6 ": "STABLEHLO_COMPOSITE",
}

// sampleOptions are options that go with the samples.
func sampleOptions(code graph.OpCode) any {
	switch code {
	case schema.BuiltinOperatorADD:
		return &schema.AddOptionsT{}
	case schema.BuiltinOperatorSUB:
		return &schema.SubOptionsT{}
	case schema.BuiltinOperatorMUL:
		return &schema.MulOptionsT{}
	case schema.BuiltinOperatorDIV:
		return &schema.DivOptionsT{}
	case schema.BuiltinOperatorARG_MAX:
		return &schema.ArgMaxOptionsT{OutputType: graph.Int32}
	case schema.BuiltinOperatorARG_MIN:
		return &schema.ArgMinOptionsT{OutputType: graph.Int32}
	case schema.BuiltinOperatorAVERAGE_POOL_2D, schema.BuiltinOperatorMAX_POOL_2D, schema.BuiltinOperatorL2_POOL_2D:
		return &schema.Pool2DOptionsT{StrideH: 2, StrideW: 2, FilterHeight: 2, FilterWidth: 2}
	case schema.BuiltinOperatorCONV_2D:
		return &schema.Conv2DOptionsT{StrideH: 1, StrideW: 1, DilationHFactor: 1, DilationWFactor: 1}
	case schema.BuiltinOperatorDEPTHWISE_CONV_2D:
		return &schema.DepthwiseConv2DOptionsT{StrideH: 1, StrideW: 1, DilationHFactor: 1, DilationWFactor: 1, DepthMultiplier: 1}
	case schema.BuiltinOperatorTRANSPOSE_CONV:
		return &schema.TransposeConvOptionsT{StrideH: 2, StrideW: 2}
	case schema.BuiltinOperatorFULLY_CONNECTED:
		return &schema.FullyConnectedOptionsT{}
	case schema.BuiltinOperatorSOFTMAX:
		return &schema.SoftmaxOptionsT{Beta: 1}
	case schema.BuiltinOperatorSPLIT:
		return &schema.SplitOptionsT{NumSplits: 2}
	case schema.BuiltinOperatorSPLIT_V:
		return &schema.SplitVOptionsT{NumSplits: 2}
	case schema.BuiltinOperatorBATCH_MATMUL:
		return &schema.BatchMatMulOptionsT{}
	case schema.BuiltinOperatorGELU:
		return &schema.GeluOptionsT{}
	case schema.BuiltinOperatorSUM, schema.BuiltinOperatorREDUCE_MAX, schema.BuiltinOperatorREDUCE_MIN:
		return &schema.ReducerOptionsT{KeepDims: true}
	case schema.BuiltinOperatorMEAN:
		return &schema.ReducerOptionsT{KeepDims: true}
	case schema.BuiltinOperatorRESIZE_BILINEAR:
		return &schema.ResizeBilinearOptionsT{}
	case schema.BuiltinOperatorRESIZE_NEAREST_NEIGHBOR:
		return &schema.ResizeNearestNeighborOptionsT{}
	case schema.BuiltinOperatorL2_NORMALIZATION:
		return &schema.L2NormOptionsT{}
	case schema.BuiltinOperatorLSH_PROJECTION:
		return &schema.LSHProjectionOptionsT{Type: schema.LSHProjectionTypeDENSE}
	case schema.BuiltinOperatorCONCATENATION:
		return &schema.ConcatenationOptionsT{Axis: -1}
	case schema.BuiltinOperatorPACK:
		return &schema.PackOptionsT{ValuesCount: 2}
	case schema.BuiltinOperatorUNPACK:
		return &schema.UnpackOptionsT{Num: 4}
	case schema.BuiltinOperatorSTRIDED_SLICE:
		return &schema.StridedSliceOptionsT{}
	case schema.BuiltinOperatorMIRROR_PAD:
		return &schema.MirrorPadOptionsT{}
	case schema.BuiltinOperatorGATHER:
		return &schema.GatherOptionsT{Axis: 1}
	case schema.BuiltinOperatorDEPTH_TO_SPACE:
		return &schema.DepthToSpaceOptionsT{BlockSize: 2}
	case schema.BuiltinOperatorSPACE_TO_DEPTH:
		return &schema.SpaceToDepthOptionsT{BlockSize: 2}
	case schema.BuiltinOperatorSQUEEZE:
		return &schema.SqueezeOptionsT{SqueezeDims: []int32{0, 3}}
	case schema.BuiltinOperatorRESHAPE:
		return &schema.ReshapeOptionsT{NewShape: []int32{6, 6, 32}}
	case schema.BuiltinOperatorLEAKY_RELU:
		return &schema.LeakyReluOptionsT{Alpha: 0.25}
	}
	return nil
}

// sampleModel makes the sample of an operator.
func sampleModel(t *testing.T, code graph.OpCode) *graph.Model {
	t.Helper()
	for text, names := range samples {
		for _, n := range strings.Fields(names) {
			if schema.EnumValuesBuiltinOperator[n] == code && n == code.String() {
				return parseSample(t, code, text)
			}
		}
	}
	t.Fatalf("no sample of %v", code)
	return nil
}

func parseSample(t *testing.T, code graph.OpCode, text string) *graph.Model {
	t.Helper()
	m := &graph.Model{Name: "sample", Subgraphs: []graph.Subgraph{{}}, Buffers: []graph.Buffer{nil}}
	op := graph.Op{Code: code, Version: 1, Options: sampleOptions(code)}
	in, out, _ := strings.Cut(text, ">")
	for i, side := range []string{in, out} {
		for _, word := range strings.Fields(side) {
			id := graph.NoTensor
			if word != "-" {
				id = addSample(t, m, word)
				if i == 0 && !m.IsConstant(0, id) {
					m.Subgraphs[0].Inputs = append(m.Subgraphs[0].Inputs, id)
				}
			}
			if i == 0 {
				op.Inputs = append(op.Inputs, id)
			} else {
				op.Outputs = append(op.Outputs, id)
			}
		}
	}
	m.Subgraphs[0].Outputs = op.Outputs
	m.Subgraphs[0].Ops = []graph.Op{op}
	if code == schema.BuiltinOperatorCUSTOM {
		m.Subgraphs[0].Ops[0].CustomCode = "MaxUnpooling2D"
	}
	return m
}

func addSample(t *testing.T, m *graph.Model, word string) int {
	t.Helper()
	rest, isConstant := strings.CutPrefix(word, "c")
	rest, list, hasValues := strings.Cut(rest, "=")
	sizes, letter, hasType := strings.Cut(rest, ":")
	x := graph.Tensor{Name: word, Type: graph.Float32, HasRank: true}
	if hasType {
		x.Type = letters[letter][0]
	}
	if sizes != "s" {
		for _, s := range strings.Split(sizes, "x") {
			n, err := strconv.Atoi(s)
			if err != nil {
				t.Fatal(err)
			}
			x.Shape = append(x.Shape, n)
		}
	}
	m.Subgraphs[0].Tensors = append(m.Subgraphs[0].Tensors, x)
	id := len(m.Subgraphs[0].Tensors) - 1
	setType(m, id, x.Type) // gives it a scale
	if isConstant {
		var values []int64
		if hasValues {
			for _, v := range strings.Split(list, ",") {
				n, err := strconv.ParseInt(v, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				values = append(values, n)
			}
		}
		setConstant(m, id, values)
	}
	return id
}

// setConstant gives tensor t a value of its type and shape: the given integers,
// or zeros.
func setConstant(m *graph.Model, t int, values []int64) {
	x := &m.Subgraphs[0].Tensors[t]
	n, err := graph.ByteSize(x.Type, x.Shape)
	if err != nil {
		panic(err)
	}
	data := make([]byte, n)
	for i, v := range values {
		switch x.Type {
		case graph.Int32:
			binary.LittleEndian.PutUint32(data[4*i:], uint32(v))
		case graph.Int64:
			binary.LittleEndian.PutUint64(data[8*i:], uint64(v))
		}
	}
	m.Buffers = append(m.Buffers, data)
	x.Buffer = len(m.Buffers) - 1
}

// setType changes a tensor's type, with the buffer and quantization it needs.
// The values of integer constants stay.
func setType(m *graph.Model, t int, to graph.TensorType) {
	x := &m.Subgraphs[0].Tensors[t]
	var values []int64
	if m.IsConstant(0, t) {
		values, _ = (&operand{tensor: x, constant: true, data: m.Buffers[x.Buffer]}).integers()
	}
	wasConstant := m.IsConstant(0, t)
	x.Type, x.Quantization = to, nil
	switch to {
	case graph.Uint8, graph.Int8, graph.Int16, graph.Int4:
		scale := float32(1) / 16
		x.Quantization = &graph.Quantization{Scale: []float32{scale}, ZeroPoint: []int64{0}}
	}
	if wasConstant {
		setConstant(m, t, values)
	}
}

func TestSamplesAreModels(t *testing.T) {
	for text, names := range samples {
		for _, n := range strings.Fields(names) {
			if _, known := schema.EnumValuesBuiltinOperator[n]; !known {
				t.Errorf("no operator %s", n)
				continue
			}
			m := parseSample(t, schema.EnumValuesBuiltinOperator[n], text)
			if err := graph.Check(m); err != nil {
				t.Errorf("%s: %v", n, err)
			}
		}
	}
}
