/* The options of operators as TensorFlow Lite 2.17.1 hands them to kernels, and
 * the numbers of the operators, declared from facts. Members that no kernel here
 * reads are left out where they come last. */
#ifndef NANOFLUX_EMULATED_PARAMS_H_
#define NANOFLUX_EMULATED_PARAMS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  OP_ADD = 0, OP_AVERAGE_POOL_2D = 1, OP_CONCATENATION = 2, OP_CONV_2D = 3, OP_DEPTHWISE_CONV_2D = 4,
  OP_DEPTH_TO_SPACE = 5, OP_DEQUANTIZE = 6, OP_FULLY_CONNECTED = 9, OP_LOGISTIC = 14, OP_MAX_POOL_2D = 17,
  OP_MUL = 18, OP_RELU = 19, OP_RELU_N1_TO_1 = 20, OP_RELU6 = 21, OP_RESHAPE = 22, OP_RESIZE_BILINEAR = 23,
  OP_SOFTMAX = 25, OP_SPACE_TO_DEPTH = 26, OP_TANH = 28, OP_PAD = 34, OP_GATHER = 36, OP_TRANSPOSE = 39,
  OP_MEAN = 40, OP_SUB = 41, OP_DIV = 42, OP_SQUEEZE = 43, OP_STRIDED_SLICE = 45, OP_EXP = 47, OP_SPLIT = 49,
  OP_DELEGATE = 51, OP_CAST = 53, OP_MAXIMUM = 55, OP_MINIMUM = 57, OP_NEG = 59, OP_SLICE = 65, OP_TRANSPOSE_CONV = 67, OP_EXPAND_DIMS = 70,
  OP_LOG = 73, OP_SUM = 74, OP_SQRT = 75, OP_RSQRT = 76, OP_POW = 78, OP_REDUCE_MAX = 82, OP_SQUARE = 92,
  OP_RESIZE_NEAREST_NEIGHBOR = 97, OP_SQUARED_DIFFERENCE = 99, OP_ABS = 101, OP_QUANTIZE = 114,
  OP_HARD_SWISH = 117, OP_BATCH_MATMUL = 126, OP_GELU = 150,
};

enum { ACT_NONE, ACT_RELU, ACT_RELU_N1_TO_1, ACT_RELU6, ACT_TANH };
enum { PADDING_SAME = 1, PADDING_VALID = 2 };

/* ADD, SUB, MUL and DIV begin with the activation. */
typedef struct { int activation; } binary_params;
typedef struct { int axis, activation; } concatenation_params;
typedef struct {
  int padding, stride_width, stride_height, activation, dilation_width, dilation_height;
} conv_params;
typedef struct {
  int padding, stride_width, stride_height, depth_multiplier, activation, dilation_width, dilation_height;
} depthwise_params;
typedef struct { int padding, stride_width, stride_height, activation; } transpose_conv_params;
typedef struct { int padding, stride_width, stride_height, filter_width, filter_height, activation; } pool_params;
typedef struct { int activation, weights_format; bool keep_num_dims; } fully_connected_params;
typedef struct { float beta; } softmax_params;
typedef struct { bool adj_x, adj_y; } batch_matmul_params;
typedef struct { bool keep_dims; } reducer_params;
typedef struct { int axis, batch_dims; } gather_params;
typedef struct { int num_splits; } split_params;
typedef struct { int block_size; } block_params;
typedef struct { bool align_corners, half_pixel_centers; } resize_params;
typedef struct { bool approximate; } gelu_params;
typedef struct { int begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask; bool offset; } strided_slice_params;

/* Where the last member that is read lies; those before it are of its kind. */
_Static_assert(offsetof(concatenation_params, activation) == 4, "TfLiteConcatenationParams.activation");
_Static_assert(offsetof(conv_params, activation) == 12 && offsetof(conv_params, dilation_height) == 20, "TfLiteConvParams");
_Static_assert(offsetof(depthwise_params, activation) == 16 && offsetof(depthwise_params, dilation_height) == 24, "TfLiteDepthwiseConvParams");
_Static_assert(offsetof(transpose_conv_params, activation) == 12, "TfLiteTransposeConvParams.activation");
_Static_assert(offsetof(pool_params, activation) == 20, "TfLitePoolParams.activation");
_Static_assert(offsetof(fully_connected_params, keep_num_dims) == 8, "TfLiteFullyConnectedParams.keep_num_dims");
_Static_assert(offsetof(batch_matmul_params, adj_y) == 1, "TfLiteBatchMatMulParams.adj_y");
_Static_assert(offsetof(gather_params, batch_dims) == 4, "TfLiteGatherParams.batch_dims");
_Static_assert(offsetof(resize_params, half_pixel_centers) == 1, "TfLiteResizeBilinearParams.half_pixel_centers");
_Static_assert(offsetof(strided_slice_params, shrink_axis_mask) == 16 && offsetof(strided_slice_params, offset) == 20, "TfLiteStridedSliceParams");

#endif
