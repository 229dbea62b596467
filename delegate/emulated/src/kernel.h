/* What the plugin's kernels see, and the table of all of them. */
#ifndef NANOFLUX_EMULATED_KERNEL_H_
#define NANOFLUX_EMULATED_KERNEL_H_

#include <stddef.h>
#include <stdint.h>

#include <tensorflow/lite/c/delegate.h>

#include "params.h"

enum { MAX_RANK = 6, MAX_OPERANDS = 64 };

/* A tensor: its shape, and where its data is. Inside a claimed partition that is
 * memory of the plugin's; TensorFlow Lite gives it none. */
typedef struct {
  int type; /* TfLiteType */
  int rank;
  int dims[MAX_RANK];
  size_t count;
  void* data;
  const TfLiteTensor* tensor;
} view;

/* One operator at work. */
typedef struct {
  int op;
  const void* params; /* NULL when the file leaves the options out */
  int inputs, outputs;
  view in[MAX_OPERANDS], out[MAX_OPERANDS];
} call;

typedef struct {
  const char* name;
  int op;
  /* Most inputs; those before least must be there. */
  int least, most;
  /* Bits of element types (1 << TfLiteType) of the first data input. */
  uint32_t types;
  /* Which input decides about the type: 1 for SPLIT, whose input 0 is the axis,
   * and 2 for TRANSPOSE_CONV, after the output's shape and the weights. */
  int typed;
  /* Returns NULL, or what is wrong. */
  const char* (*run)(const call* c);
} kernel;

/* All kernels; the one with name NULL ends the list. */
extern const kernel kernels[];
const kernel* kernel_of(int op);
const kernel* kernel_named(const char* name);

/* By family. */
const char* run_binary(const call* c);
const char* run_unary(const call* c);
const char* run_fully_connected(const call* c);
const char* run_batch_matmul(const call* c);
const char* run_conv(const call* c);
const char* run_depthwise(const call* c);
const char* run_transpose_conv(const call* c);
const char* run_pool(const call* c);
const char* run_copy(const call* c);
const char* run_transpose(const call* c);
const char* run_concatenation(const call* c);
const char* run_split(const call* c);
const char* run_slice(const call* c);
const char* run_strided_slice(const call* c);
const char* run_pad(const call* c);
const char* run_gather(const call* c);
const char* run_blocks(const call* c);
const char* run_reduce(const call* c);
const char* run_softmax(const call* c);
const char* run_resize(const call* c);
const char* run_dequantize(const call* c);
const char* run_quantize(const call* c);
const char* run_cast(const call* c);

/* Integers with a scale: 8-bit versions of the above. */
const char* run_quantized_add(const call* c);
const char* run_quantized_fully_connected(const call* c);
const char* run_quantized_conv(const call* c);
const char* run_quantized_depthwise(const call* c);
const char* run_quantized_average_pool(const call* c);
const char* run_quantized_softmax(const call* c);

/* Small things that families share. */

/* Whether CAST knows an element type. */
int castable(int type);

/* Strides of an operand over the output's dimensions, 0 where it is repeated;
 * returns 0 when the shapes do not go together. */
int spread(const view* v, const view* out, size_t strides[MAX_RANK]);

static inline float activate(float x, int activation) {
  switch (activation) {
    case ACT_RELU: return x < 0 ? 0 : x;
    case ACT_RELU_N1_TO_1: return x < -1 ? -1 : x > 1 ? 1 : x;
    case ACT_RELU6: return x < 0 ? 0 : x > 6 ? 6 : x;
    default: return x;
  }
}

static inline size_t element_size(int type) {
  switch (type) {
    case kTfLiteFloat32: case kTfLiteInt32: return 4;
    case kTfLiteInt64: return 8;
    case kTfLiteFloat16: case kTfLiteInt16: return 2;
    case kTfLiteInt8: case kTfLiteUInt8: case kTfLiteBool: return 1;
    default: return 0;
  }
}

/* The dimension of an axis that may count from the end; -1 if there is none. */
static inline int axis_of(int axis, int rank) {
  if (axis < 0) axis += rank;
  return axis >= 0 && axis < rank ? axis : -1;
}

/* Padding before the first element, so that TensorFlow's SAME comes out. */
static inline int padding_before(int padding, int in, int out, int stride, int window) {
  if (padding == PADDING_VALID) return 0;
  int needed = (out - 1) * stride + window - in;
  return needed > 0 ? needed / 2 : 0;
}

#endif
