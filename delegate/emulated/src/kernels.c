#include "kernel.h"

#include <string.h>

#define F32 (1u << kTfLiteFloat32)
#define I32 (1u << kTfLiteInt32)
#define I8 (1u << kTfLiteInt8)
#define F16 (1u << kTfLiteFloat16)
#define PLAIN (F32 | I32 | I8)
#define CASTABLE (PLAIN | 1u << kTfLiteInt64 | 1u << kTfLiteInt16 | 1u << kTfLiteUInt8 | 1u << kTfLiteBool)

const kernel kernels[] = {
    {"ADD", OP_ADD, 2, 2, F32 | I8, 0, run_binary},
    {"SUB", OP_SUB, 2, 2, F32, 0, run_binary},
    {"MUL", OP_MUL, 2, 2, F32, 0, run_binary},
    {"DIV", OP_DIV, 2, 2, F32, 0, run_binary},
    {"MAXIMUM", OP_MAXIMUM, 2, 2, F32, 0, run_binary},
    {"MINIMUM", OP_MINIMUM, 2, 2, F32, 0, run_binary},
    {"POW", OP_POW, 2, 2, F32, 0, run_binary},
    {"SQUARED_DIFFERENCE", OP_SQUARED_DIFFERENCE, 2, 2, F32, 0, run_binary},
    {"SQUARE", OP_SQUARE, 1, 1, F32, 0, run_unary},
    {"NEG", OP_NEG, 1, 1, F32, 0, run_unary},
    {"ABS", OP_ABS, 1, 1, F32, 0, run_unary},
    {"EXP", OP_EXP, 1, 1, F32, 0, run_unary},
    {"LOG", OP_LOG, 1, 1, F32, 0, run_unary},
    {"SQRT", OP_SQRT, 1, 1, F32, 0, run_unary},
    {"RSQRT", OP_RSQRT, 1, 1, F32, 0, run_unary},
    {"TANH", OP_TANH, 1, 1, F32, 0, run_unary},
    {"LOGISTIC", OP_LOGISTIC, 1, 1, F32, 0, run_unary},
    {"RELU", OP_RELU, 1, 1, F32, 0, run_unary},
    {"RELU6", OP_RELU6, 1, 1, F32, 0, run_unary},
    {"RELU_N1_TO_1", OP_RELU_N1_TO_1, 1, 1, F32, 0, run_unary},
    {"HARD_SWISH", OP_HARD_SWISH, 1, 1, F32, 0, run_unary},
    {"GELU", OP_GELU, 1, 1, F32, 0, run_unary},
    {"FULLY_CONNECTED", OP_FULLY_CONNECTED, 2, 3, F32 | I8, 0, run_fully_connected},
    {"BATCH_MATMUL", OP_BATCH_MATMUL, 2, 2, F32, 0, run_batch_matmul},
    {"CONV_2D", OP_CONV_2D, 2, 3, F32 | I8, 0, run_conv},
    {"DEPTHWISE_CONV_2D", OP_DEPTHWISE_CONV_2D, 2, 3, F32 | I8, 0, run_depthwise},
    {"TRANSPOSE_CONV", OP_TRANSPOSE_CONV, 3, 4, F32, 2, run_transpose_conv},
    {"AVERAGE_POOL_2D", OP_AVERAGE_POOL_2D, 1, 1, F32 | I8, 0, run_pool},
    {"MAX_POOL_2D", OP_MAX_POOL_2D, 1, 1, F32, 0, run_pool},
    {"RESHAPE", OP_RESHAPE, 1, 2, PLAIN, 0, run_copy},
    {"SQUEEZE", OP_SQUEEZE, 1, 1, PLAIN, 0, run_copy},
    {"EXPAND_DIMS", OP_EXPAND_DIMS, 2, 2, PLAIN, 0, run_copy},
    {"TRANSPOSE", OP_TRANSPOSE, 2, 2, PLAIN, 0, run_transpose},
    {"CONCATENATION", OP_CONCATENATION, 1, MAX_OPERANDS, F32 | I32, 0, run_concatenation},
    {"SPLIT", OP_SPLIT, 2, 2, PLAIN, 1, run_split},
    {"SLICE", OP_SLICE, 3, 3, PLAIN, 0, run_slice},
    {"STRIDED_SLICE", OP_STRIDED_SLICE, 4, 4, PLAIN, 0, run_strided_slice},
    {"PAD", OP_PAD, 2, 2, F32, 0, run_pad},
    {"GATHER", OP_GATHER, 2, 2, PLAIN, 0, run_gather},
    {"DEPTH_TO_SPACE", OP_DEPTH_TO_SPACE, 1, 1, PLAIN, 0, run_blocks},
    {"SPACE_TO_DEPTH", OP_SPACE_TO_DEPTH, 1, 1, PLAIN, 0, run_blocks},
    {"MEAN", OP_MEAN, 2, 2, F32, 0, run_reduce},
    {"SUM", OP_SUM, 2, 2, F32, 0, run_reduce},
    {"REDUCE_MAX", OP_REDUCE_MAX, 2, 2, F32, 0, run_reduce},
    {"SOFTMAX", OP_SOFTMAX, 1, 1, F32 | I8, 0, run_softmax},
    {"RESIZE_BILINEAR", OP_RESIZE_BILINEAR, 2, 2, F32, 0, run_resize},
    {"RESIZE_NEAREST_NEIGHBOR", OP_RESIZE_NEAREST_NEIGHBOR, 2, 2, F32, 0, run_resize},
    {"DEQUANTIZE", OP_DEQUANTIZE, 1, 1, I8 | F16, 0, run_dequantize},
    {"QUANTIZE", OP_QUANTIZE, 1, 1, F32, 0, run_quantize},
    {"CAST", OP_CAST, 1, 1, CASTABLE, 0, run_cast},
    {NULL, 0, 0, 0, 0, 0, NULL},
};

const kernel* kernel_of(int op) {
  for (const kernel* k = kernels; k->name != NULL; k++)
    if (k->op == op) return k;
  return NULL;
}

const kernel* kernel_named(const char* name) {
  for (const kernel* k = kernels; k->name != NULL; k++)
    if (strcmp(k->name, name) == 0) return k;
  return NULL;
}
