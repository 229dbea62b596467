package graph

import "nanoflux/graph/schema"

// operands is what an operator's version depends on: its options, and the
// types, shapes and quantization of its inputs and outputs.
type operands struct {
	options any
	in, out []*Tensor // nil where an optional one is left out
}

func (o *operands) inType(i int) TensorType {
	if i < len(o.in) && o.in[i] != nil {
		return o.in[i].Type
	}
	return noType
}

func (o *operands) outType(i int) TensorType {
	if i < len(o.out) && o.out[i] != nil {
		return o.out[i].Type
	}
	return noType
}

// noType is no type of the format.
const noType TensorType = -1

// all reports whether the first two inputs and the first output have these
// types.
func (o *operands) all(in0, in1, out TensorType) bool {
	return o.inType(0) == in0 && o.inType(1) == in1 && o.outType(0) == out
}

// hybrid: float activations with int8 weights.
func (o *operands) hybrid() bool { return o.all(Float32, Int8, Float32) }

func (o *operands) maxRank() int {
	rank := 0
	for _, t := range o.in {
		if t != nil {
			rank = max(rank, len(t.Shape))
		}
	}
	return rank
}

// broadcasts reports whether the first two inputs differ in shape.
func (o *operands) broadcasts() bool {
	if len(o.in) < 2 || o.in[0] == nil || o.in[1] == nil {
		return false
	}
	return !equalShapes(o.in[0].Shape, o.in[1].Shape)
}

func perChannel(t *Tensor) bool {
	return t != nil && t.Quantization != nil && len(t.Quantization.Scale) > 1
}

// byType is the version for the type of the first input, 1 when it is not
// listed.
type byType map[TensorType]int

// The operators whose version depends on nothing but the type of their first
// input. Facts of the runtime's own versioning (TFLite 2.17, tools/versioning).
var versionsByType = map[OpCode]byType{
	schema.BuiltinOperatorSOFTMAX:            {Int8: 2, Int16: 3},
	schema.BuiltinOperatorMEAN:               {Int8: 2, Int16: 3},
	schema.BuiltinOperatorMIRROR_PAD:         {Int8: 2, Int16: 3},
	schema.BuiltinOperatorREDUCE_MAX:         {Int8: 2, Int16: 3},
	schema.BuiltinOperatorREDUCE_MIN:         {Int8: 2, Int16: 3},
	schema.BuiltinOperatorRELU6:              {Int8: 2, Int16: 3},
	schema.BuiltinOperatorRSQRT:              {Int8: 2, Int16: 3},
	schema.BuiltinOperatorTANH:               {Int8: 2, Int16: 3},
	schema.BuiltinOperatorLOGISTIC:           {Int8: 2, Int16: 3},
	schema.BuiltinOperatorAVERAGE_POOL_2D:    {Int8: 2, Int16: 3},
	schema.BuiltinOperatorMAX_POOL_2D:        {Int8: 2, Int16: 3},
	schema.BuiltinOperatorCONCATENATION:      {Int8: 2, Int16: 3, Uint32: 4},
	schema.BuiltinOperatorPACK:               {Int8: 2, Int16: 3, Uint32: 4},
	schema.BuiltinOperatorRELU:               {Int8: 2, Uint8: 2, Int16: 3},
	schema.BuiltinOperatorUNPACK:             {Int8: 2, Uint8: 2, Bool: 3, Int16: 4},
	schema.BuiltinOperatorABS:                {Int8: 2, Uint8: 2, Int16: 3, Int32: 5},
	schema.BuiltinOperatorSPACE_TO_DEPTH:     {Int8: 2},
	schema.BuiltinOperatorDEPTH_TO_SPACE:     {Int8: 2},
	schema.BuiltinOperatorSPLIT_V:            {Int8: 2},
	schema.BuiltinOperatorSUM:                {Int8: 2},
	schema.BuiltinOperatorLOG_SOFTMAX:        {Int8: 2},
	schema.BuiltinOperatorGREATER:            {Int8: 2},
	schema.BuiltinOperatorLESS_EQUAL:         {Int8: 2},
	schema.BuiltinOperatorLESS:               {Int8: 2, Int16: 3},
	schema.BuiltinOperatorGREATER_EQUAL:      {Int8: 2, Int16: 3},
	schema.BuiltinOperatorEQUAL:              {Int8: 2, String: 3, Int16: 4},
	schema.BuiltinOperatorNOT_EQUAL:          {Int8: 2, String: 3},
	schema.BuiltinOperatorSQUARED_DIFFERENCE: {Int8: 2},
	schema.BuiltinOperatorL2_NORMALIZATION:   {Int8: 2},
	schema.BuiltinOperatorEXP:                {Int8: 2, Int16: 2},
	schema.BuiltinOperatorLOG:                {Int8: 2, Int16: 2},
	schema.BuiltinOperatorREDUCE_PROD:        {Int8: 2, Int16: 2},
	schema.BuiltinOperatorBROADCAST_TO:       {Int8: 3, Int16: 3},
	schema.BuiltinOperatorARG_MAX:            {Int8: 2, Bool: 3},
	schema.BuiltinOperatorARG_MIN:            {Int8: 2, Bool: 3},
	schema.BuiltinOperatorGELU:               {Int8: 2, Uint8: 2},
	schema.BuiltinOperatorLEAKY_RELU:         {Int16: 2},
	schema.BuiltinOperatorREVERSE_V2:         {Bool: 2, Int8: 3},
	schema.BuiltinOperatorTILE:               {String: 2, Int8: 3},
	schema.BuiltinOperatorSELECT_V2:          {Uint32: 2},
	schema.BuiltinOperatorFLOOR_DIV:          {Float32: 2, Int8: 3, Int16: 3},
	schema.BuiltinOperatorFLOOR_MOD:          {Int8: 2, Int16: 2},
	schema.BuiltinOperatorSQUEEZE:            {String: 2},
}

// opVersion is the operator version that a runtime of TFLite 2.17 wants for
// these operands: the lowest that covers them.
func opVersion(code OpCode, o *operands) int {
	if types, ok := versionsByType[code]; ok {
		if v, ok := types[o.inType(0)]; ok {
			return v
		}
		if code == schema.BuiltinOperatorBROADCAST_TO {
			return 2 // version 1 had another operator number and was withdrawn
		}
		return 1
	}
	if version, ok := versionRules[code]; ok {
		return version(o)
	}
	return 1
}

// The operators whose version depends on more.
var versionRules = map[OpCode]func(*operands) int{
	schema.BuiltinOperatorFULLY_CONNECTED:         fullyConnectedVersion,
	schema.BuiltinOperatorCONV_2D:                 convVersion,
	schema.BuiltinOperatorDEPTHWISE_CONV_2D:       depthwiseVersion,
	schema.BuiltinOperatorTRANSPOSE_CONV:          transposeConvVersion,
	schema.BuiltinOperatorBATCH_MATMUL:            batchMatMulVersion,
	schema.BuiltinOperatorADD:                     addVersion,
	schema.BuiltinOperatorSUB:                     subVersion,
	schema.BuiltinOperatorMUL:                     mulVersion,
	schema.BuiltinOperatorDIV:                     divVersion,
	schema.BuiltinOperatorMAXIMUM:                 maximumVersion,
	schema.BuiltinOperatorMINIMUM:                 maximumVersion,
	schema.BuiltinOperatorTRANSPOSE:               transposeVersion,
	schema.BuiltinOperatorSPLIT:                   splitVersion,
	schema.BuiltinOperatorSLICE:                   sliceVersion,
	schema.BuiltinOperatorSTRIDED_SLICE:           stridedSliceVersion,
	schema.BuiltinOperatorGATHER:                  gatherVersion,
	schema.BuiltinOperatorPAD:                     padVersion,
	schema.BuiltinOperatorPADV2:                   padVersion,
	schema.BuiltinOperatorDEQUANTIZE:              dequantizeVersion,
	schema.BuiltinOperatorQUANTIZE:                quantizeVersion,
	schema.BuiltinOperatorCAST:                    castVersion,
	schema.BuiltinOperatorRESIZE_BILINEAR:         resizeBilinearVersion,
	schema.BuiltinOperatorRESIZE_NEAREST_NEIGHBOR: resizeNearestVersion,
}

func fullyConnectedVersion(o *operands) int {
	opt, _ := o.options.(*schema.FullyConnectedOptionsT)
	if opt == nil {
		opt = &schema.FullyConnectedOptionsT{}
	}
	switch {
	case o.hybrid() && perChannel(o.in[1]):
		return 12
	case o.all(Int16, Int8, Int16) && opt.QuantizedBiasType != Float32:
		return 11
	case len(o.in) > 1 && o.in[1] != nil && o.in[1].Sparsity != nil:
		return 8
	case o.all(Int16, Int16, Int16):
		return 7
	case len(o.in) == 2:
		return 6
	case opt.KeepNumDims:
		return 5
	case o.all(Int8, Int8, Int8):
		return 4
	case o.all(Int8, Int4, Int8):
		return 10
	case o.hybrid() && opt.AsymmetricQuantizeInputs:
		return 9
	case o.hybrid():
		return 3
	case opt.WeightsFormat == schema.FullyConnectedOptionsWeightsFormatSHUFFLED4x16INT8:
		return 2
	}
	return 1
}

func convVersion(o *operands) int {
	opt, _ := o.options.(*schema.Conv2DOptionsT)
	switch {
	case o.all(Int16, Int8, Int16) && opt != nil && opt.QuantizedBiasType != Float32:
		return 8
	case grouped(o):
		return 6
	case o.all(Int16, Int16, Int16):
		return 4
	case o.all(Int8, Int8, Int8):
		return 3
	case o.all(Int8, Int4, Int8):
		return 7
	case o.hybrid() && perChannel(o.in[1]):
		return 5
	case o.hybrid():
		return 2
	}
	return 1
}

// grouped: the filter's input channels are a part of the input's.
func grouped(o *operands) bool {
	if len(o.in) < 2 || o.in[0] == nil || o.in[1] == nil {
		return false
	}
	x, w := o.in[0].Shape, o.in[1].Shape
	return len(x) == 4 && len(w) == 4 && w[3] > 0 && x[3] != w[3]
}

func depthwiseVersion(o *operands) int {
	opt, _ := o.options.(*schema.DepthwiseConv2DOptionsT)
	switch {
	case o.all(Int16, Int16, Int16):
		return 5
	case o.hybrid() && perChannel(o.in[1]):
		return 6
	case o.hybrid():
		return 4
	case o.all(Int8, Int8, Int8):
		return 3
	case o.all(Int8, Int4, Int8):
		return 7
	case opt != nil && (opt.DilationWFactor != 1 || opt.DilationHFactor != 1):
		return 2
	}
	return 1
}

func transposeConvVersion(o *operands) int {
	opt, _ := o.options.(*schema.TransposeConvOptionsT)
	switch {
	case opt != nil && opt.FusedActivationFunction != schema.ActivationFunctionTypeNONE:
		return 4
	case len(o.in) == 4 && o.in[3] != nil:
		return 3
	case o.inType(1) == Int8:
		return 2
	}
	return 1
}

func batchMatMulVersion(o *operands) int {
	opt, _ := o.options.(*schema.BatchMatMulOptionsT)
	switch {
	case o.inType(0) == Int16:
		return 3
	case o.inType(0) == Int8:
		return 2
	case o.hybrid() && opt != nil && opt.AsymmetricQuantizeInputs:
		return 4
	}
	return 1
}

func addVersion(o *operands) int {
	opt, _ := o.options.(*schema.AddOptionsT)
	switch {
	case o.inType(0) == Int16 && o.in[0].Quantization == nil:
		return 5
	case o.inType(0) == Int64:
		return 4
	case o.inType(0) == Int16 && opt != nil && !opt.PotScaleInt16:
		return 3
	case o.inType(0) == Int8:
		return 2
	}
	return 1
}

func subVersion(o *operands) int {
	opt, _ := o.options.(*schema.SubOptionsT)
	switch {
	case o.inType(0) == Int16 && opt != nil && !opt.PotScaleInt16:
		return 5
	case o.inType(0) == Int64:
		return 4
	case o.broadcasts() && o.maxRank() > 4:
		return 3
	case o.inType(0) == Int8:
		return 2
	}
	return 1
}

func mulVersion(o *operands) int {
	t := o.inType(0)
	switch {
	case t == Uint32, t == Int16 && o.in[0].Quantization == nil:
		return 7
	case t == complex64Type:
		return 6
	case t == Int64:
		return 5
	case t == Int16:
		return 4
	case rescale(o) >= 1:
		return 3
	case t == Int8:
		return 2
	}
	return 1
}

// rescale is the factor from the integer product to the output, 0 when the
// tensors are not quantized.
func rescale(o *operands) float64 {
	scale := func(t *Tensor) float64 {
		if t == nil || t.Quantization == nil || len(t.Quantization.Scale) == 0 {
			return 0
		}
		return float64(t.Quantization.Scale[0])
	}
	if len(o.in) < 2 || len(o.out) < 1 || scale(o.out[0]) == 0 {
		return 0
	}
	return scale(o.in[0]) * scale(o.in[1]) / scale(o.out[0])
}

func divVersion(o *operands) int {
	if o.broadcasts() && o.maxRank() > 4 {
		return 2
	}
	return 1
}

func maximumVersion(o *operands) int {
	switch {
	case o.inType(0) == Int16:
		return 4
	case o.broadcasts() && o.maxRank() > 4:
		return 3
	case o.inType(0) == Int8:
		return 2
	}
	return 1
}

func transposeVersion(o *operands) int {
	rank := 0
	if len(o.in) > 0 && o.in[0] != nil {
		rank = len(o.in[0].Shape)
	}
	switch {
	case rank > 5:
		return 6
	case o.inType(0) == Int16:
		return 5
	case rank > 4:
		return 4
	case o.inType(0) == Bool:
		return 3
	case o.inType(0) == Int8:
		return 2
	}
	return 1
}

// splitVersion looks at input 1: input 0 is the axis.
func splitVersion(o *operands) int {
	return max(1, byType{Int8: 2, Int32: 3, Int16: 4}[o.inType(1)])
}

func sliceVersion(o *operands) int {
	switch {
	case o.inType(0) == Uint32:
		return 6
	case o.maxRank() > 4:
		return 5
	}
	return max(1, byType{Int8: 2, String: 3, Int16: 4}[o.inType(0)])
}

func stridedSliceVersion(o *operands) int {
	opt, _ := o.options.(*schema.StridedSliceOptionsT)
	switch {
	case opt != nil && opt.Offset:
		return 8
	case o.inType(0) == Uint32:
		return 7
	case opt != nil && (opt.EllipsisMask != 0 || opt.NewAxisMask != 0):
		return 6
	case o.inType(0) == String:
		return 5
	case o.maxRank() > 4:
		return 4
	}
	return max(1, byType{Int8: 2, Bool: 3}[o.inType(0)])
}

func gatherVersion(o *operands) int {
	opt, _ := o.options.(*schema.GatherOptionsT)
	switch {
	case o.inType(0) == Int4:
		return 7
	case o.inType(1) == Int16:
		return 6
	case opt != nil && opt.BatchDims != 0:
		return 5
	}
	return max(1, byType{Int8: 2, Bool: 3, Int16: 4}[o.inType(0)])
}

func padVersion(o *operands) int {
	if o.maxRank() > 4 {
		return 4
	}
	return max(1, byType{Int8: 2, Int16: 3}[o.inType(0)])
}

func dequantizeVersion(o *operands) int {
	switch o.inType(0) {
	case Int4:
		return 6
	case Int16, Float16:
		return 3
	case Int8:
		if perChannel(o.in[0]) {
			return 5
		}
		return 2
	}
	return 1
}

func quantizeVersion(o *operands) int {
	switch {
	case o.inType(0) == Int4 || o.outType(0) == Int4:
		return 4
	case len(o.out) > 0 && perChannel(o.out[0]):
		return 3
	case o.outType(0) == Int16:
		return 2
	}
	return 1
}

func castVersion(o *operands) int {
	either := func(t TensorType) bool { return o.inType(0) == t || o.outType(0) == t }
	switch {
	case either(BFloat16):
		return 7
	case o.inType(0) == Int4:
		return 6
	case either(Float64), either(Float16):
		return 5
	case either(Uint16):
		return 4
	case either(Int8):
		return 3
	case either(Uint32):
		return 2
	}
	return 1
}

func resizeBilinearVersion(o *operands) int {
	opt, _ := o.options.(*schema.ResizeBilinearOptionsT)
	switch {
	case o.inType(0) == Int16:
		return 4
	case opt != nil && opt.HalfPixelCenters:
		return 3
	case o.inType(0) == Int8:
		return 2
	}
	return 1
}

func resizeNearestVersion(o *operands) int {
	opt, _ := o.options.(*schema.ResizeNearestNeighborOptionsT)
	switch {
	case o.inType(0) == Int16:
		return 4
	case opt != nil && (opt.HalfPixelCenters || opt.AlignCorners):
		return 3
	case o.inType(0) == Int8:
		return 2
	}
	return 1
}

func equalShapes(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
