// Package qnn is the backend of Qualcomm's NPUs through QNN, Qualcomm's own
// compiler and runtime: a segment is written as an ONNX model (package onnx),
// which ONNX Runtime's QNN provider compiles for one chip. On a PC, Qualcomm's
// simulator runs the result; on a Snapdragon, its NPU.
//
// What the NPU does not take is refused, with the vendor's reason: nothing runs
// on the CPU in silence. The libraries are opened at run time. The backend needs
// cgo and the build tag tflite; without the tag the package only registers the
// kind.
package qnn
