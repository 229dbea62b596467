// Package support says what each vendor's delegate takes, as data: one table a
// delegate (data/*.psv), whose rows name an operator, the system level and the
// operator version it needs, its element types, and its constraints. It needs
// no library and no device, so a plan can be made, and coverage counted, on any
// machine.
//
// A table is the static part of the truth. What comes after it can only take
// less: a named NNAPI accelerator asks its driver, Core ML its compiler, QNN
// the validator of the chip's backend. A driver's own answer overrides a table.
//
// # Where the facts are from
//
// The delegates' own checks, as they stand in LiteRT at commit f6745779 (August
// 2026): NNAPI's Validate, Core ML's IsNodeSupportedByDelegate and the builders'
// checks that it calls, Hexagon's IsNodeSupportedByHexagon, and the operator list
// of Qualcomm's LiteRT compiler plugin with its list of chips. XNNPACK's table
// began with its Visit…Node functions and was then corrected by the answers of
// the library that we link. Where a check is silent a table is silent too, except that all
// tables refuse sparse and blockwise quantized tensors, and, unless a row says
// otherwise, shapes that are only known at run time.
//
// HTP is of another sort: Qualcomm's compiler was asked about each operator by
// itself (`make htp-table`), and backend qnn answers by it where the compiler is not.
//
// # Constants behind DEQUANTIZE
//
// Our weights are FLOAT16 or INT8 constants, each behind a DEQUANTIZE. Delegates
// differ in what they see there:
//
//	NNAPI, Core ML  look through DEQUANTIZE of a FLOAT16 constant: the consumer
//	                is checked as if it read the FLOAT16 constant itself, and
//	                the DEQUANTIZE vanishes when the whole segment is delegated
//	                (FP16GraphPartitionHelper). NNAPI delegates such a segment to
//	                a named accelerator whole or not at all. DEQUANTIZE of an
//	                INT8 constant is an operator like any other, its output a
//	                tensor that is computed.
//	XNNPACK         unpacks FLOAT16 and affine INT8 constants when it is made, if
//	                it takes all their users; the consumer sees a FLOAT32
//	                constant.
//	Hexagon, QNN    do not look through; the output is a tensor that is computed.
//
// So FULLY_CONNECTED with INT8 weights behind DEQUANTIZE goes to Core ML only
// after the weights are stored as FLOAT16, and the DEQUANTIZE of weights with
// one scale a row (version 5) is taken by neither NNAPI nor Core ML.
package support
