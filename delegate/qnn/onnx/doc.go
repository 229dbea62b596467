// Package onnx writes segments as ONNX models, for runtimes that read these.
//
// Operators become ONNX's of operator set 21, with the numerics of TensorFlow
// Lite. Quantized tensors become floats between QuantizeLinear and
// DequantizeLinear, which is how ONNX says it; signed activations are written as
// unsigned ones with another zero point, for which NPUs have more kernels.
// Convolutions want channels before rows: a tensor is transposed for them once,
// and what stands between two convolutions stays in their order.
//
// The wire format is Protocol Buffers', by the field numbers of onnx.proto.
package onnx
