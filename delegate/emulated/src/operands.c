#include "operands.h"

#include <stddef.h>

static const char kTypes[] = "operands of types that the kernel does not know";
static const char kShapes[] = "shapes that do not go together";
static const char kScales[] = "integers without a scale that the kernel knows";
static const char kOptions[] = "options that the kernel does not know";
static const char kComputed[] = "an operand that must be constant is computed";

static int constant(const view* v) { return v->tensor->allocation_type == kTfLiteMmapRo && v->data != NULL; }

/* A constant list of indices: INT32, or INT64 where wide. */
static int indices(const view* v, int wide) {
  return constant(v) && (v->type == kTfLiteInt32 || (wide && v->type == kTfLiteInt64));
}

static const TfLiteAffineQuantization* affine(const view* v) {
  return v->tensor->quantization.type == kTfLiteAffineQuantization ? v->tensor->quantization.params : NULL;
}

static int scales(const view* v) {
  const TfLiteAffineQuantization* q = affine(v);
  return q != NULL && q->scale != NULL ? q->scale->size : v->tensor->params.scale > 0;
}

/* One scale for the tensor, or one for each index of a dimension. */
static int scaled(const view* v, int dimension) {
  int n = scales(v);
  if (n <= 1) return n == 1;
  return dimension >= 0 && affine(v)->quantized_dimension == dimension && n == v->dims[dimension];
}

static int clamps(int activation) { return activation == ACT_NONE || activation == ACT_RELU || activation == ACT_RELU_N1_TO_1 || activation == ACT_RELU6; }

static const char* binary(const call* c) {
  const view *x = &c->in[0], *y = &c->in[1], *out = &c->out[0];
  size_t strides[MAX_RANK];
  if (y->type != x->type || out->type != x->type) return kTypes;
  if (!spread(x, out, strides) || !spread(y, out, strides)) return kShapes;
  int fused = c->op == OP_ADD || c->op == OP_SUB || c->op == OP_MUL || c->op == OP_DIV;
  if (fused && c->params != NULL && !clamps(((const binary_params*)c->params)->activation)) return kOptions;
  if (x->type == kTfLiteInt8 && !(scaled(x, -1) && scaled(y, -1) && scaled(out, -1))) return kScales;
  return NULL;
}

static const char* unary(const call* c) {
  if (c->out[0].type != c->in[0].type) return kTypes;
  return c->out[0].count == c->in[0].count ? NULL : kShapes;
}

/* x · w + bias, where dimension channels of w counts the outputs. */
static const char* weighted(const view* x, const view* w, const view* bias, const view* out, int channels) {
  int integers = x->type == kTfLiteInt8;
  if (w->type != x->type || out->type != x->type || (bias != NULL && bias->type != (integers ? kTfLiteInt32 : kTfLiteFloat32))) return kTypes;
  if (bias != NULL && bias->count != (size_t)w->dims[channels]) return kShapes;
  if (integers && !(scaled(x, -1) && scaled(w, channels) && scaled(out, -1))) return kScales;
  return NULL;
}

static const char* fully_connected(const call* c) {
  const fully_connected_params* p = c->params;
  const view *x = &c->in[0], *w = &c->in[1], *out = &c->out[0];
  if (w->rank != 2 || w->dims[1] == 0) return kShapes;
  size_t ins = (size_t)w->dims[1], outs = (size_t)w->dims[0];
  if (x->count % ins != 0 || out->count != x->count / ins * outs) return kShapes;
  if (p != NULL && (p->weights_format != 0 || !clamps(p->activation))) return kOptions;
  return weighted(x, w, c->inputs > 2 ? &c->in[2] : NULL, out, 0);
}

static const char* batch_matmul(const call* c) {
  const view *x = &c->in[0], *y = &c->in[1], *out = &c->out[0];
  if (y->type != x->type || out->type != x->type) return kTypes;
  if (x->rank < 2 || y->rank < 2 || out->rank < x->rank || out->rank < y->rank) return kShapes;
  const view* both[] = {x, y};
  for (int n = 0; n < 2; n++)
    for (int d = 0; d < both[n]->rank - 2; d++) {
      int size = both[n]->dims[d];
      if (size != 1 && size != out->dims[d + out->rank - both[n]->rank]) return kShapes;
    }
  const batch_matmul_params* p = c->params;
  int adjx = p != NULL && p->adj_x, adjy = p != NULL && p->adj_y;
  const int *a = x->dims + x->rank - 2, *b = y->dims + y->rank - 2, *z = out->dims + out->rank - 2;
  return a[adjx] == z[0] && b[!adjy] == z[1] && a[!adjx] == b[adjy] ? NULL : kShapes;
}

/* The number of positions of a window along one dimension. */
static int positions(int padding, int in, int stride, int window) {
  int n = padding == PADDING_SAME ? in : in - window + 1;
  return n <= 0 ? 0 : (n + stride - 1) / stride;
}

/* Windows over an image, channels last. */
static const char* windows(const view* in, const view* out, int padding, int sh, int sw, int64_t kh, int64_t kw) {
  if (in->rank != 4 || out->rank != 4 || in->dims[0] != out->dims[0]) return kShapes;
  if ((padding != PADDING_SAME && padding != PADDING_VALID) || sh < 1 || sw < 1) return kOptions;
  if (kh < 1 || kw < 1 || kh > INT16_MAX || kw > INT16_MAX) return kShapes;
  if (out->dims[1] != positions(padding, in->dims[1], sh, (int)kh) || out->dims[2] != positions(padding, in->dims[2], sw, (int)kw)) return kShapes;
  return NULL;
}

static const char* convolution(const call* c) {
  const view *x = &c->in[0], *w = &c->in[1], *out = &c->out[0];
  const conv_params* p = c->params;
  const depthwise_params* d = c->params;
  int depthwise = c->op == OP_DEPTHWISE_CONV_2D;
  if (c->params == NULL || !clamps(depthwise ? d->activation : p->activation)) return kOptions;
  int dh = depthwise ? d->dilation_height : p->dilation_height, dw = depthwise ? d->dilation_width : p->dilation_width;
  if (dh < 1 || dw < 1) return kOptions;
  if (w->rank != 4 || x->rank != 4 || out->rank != 4) return kShapes;
  int ins = x->dims[3], outs = out->dims[3];
  if (depthwise ? ins == 0 || outs % ins != 0 || w->dims[0] != 1 || w->dims[3] != outs : w->dims[3] != ins || w->dims[0] != outs) return "channels in groups";
  const char* wrong = windows(x, out, depthwise ? d->padding : p->padding, depthwise ? d->stride_height : p->stride_height,
                              depthwise ? d->stride_width : p->stride_width, ((int64_t)w->dims[1] - 1) * dh + 1, ((int64_t)w->dims[2] - 1) * dw + 1);
  if (wrong == NULL) wrong = weighted(x, w, c->inputs > 2 ? &c->in[2] : NULL, out, depthwise ? 3 : 0);
  /* The sums leave the zero point of the weights out. */
  if (wrong == NULL && x->type == kTfLiteInt8 && w->tensor->params.zero_point != 0) wrong = kScales;
  return wrong;
}

static const char* transposed_convolution(const call* c) {
  const transpose_conv_params* p = c->params;
  const view *w = &c->in[1], *x = &c->in[2], *out = &c->out[0];
  if (p == NULL || !clamps(p->activation)) return kOptions;
  if (!indices(&c->in[0], 0)) return kComputed;
  if (w->rank != 4 || x->rank != 4 || out->rank != 4 || w->dims[3] != x->dims[3] || w->dims[0] != out->dims[3]) return kShapes;
  const char* wrong = windows(out, x, p->padding, p->stride_height, p->stride_width, w->dims[1], w->dims[2]);
  return wrong != NULL ? wrong : weighted(x, w, c->inputs > 3 ? &c->in[3] : NULL, out, 0);
}

static const char* pool(const call* c) {
  const pool_params* p = c->params;
  const view *x = &c->in[0], *out = &c->out[0];
  if (p == NULL || !clamps(p->activation)) return kOptions;
  if (out->type != x->type) return kTypes;
  if (x->rank != 4 || out->rank != 4 || x->dims[3] != out->dims[3]) return kShapes;
  if (x->type == kTfLiteInt8 && !(scaled(x, -1) && scaled(out, -1))) return kScales;
  return windows(x, out, p->padding, p->stride_height, p->stride_width, p->filter_height, p->filter_width);
}

/* One input of data, and after it lists that say where the elements go. */
static const char* moved(const call* c, int wide) {
  for (int i = 1; i < c->inputs; i++)
    if (!indices(&c->in[i], wide)) return kComputed;
  return c->out[0].type == c->in[0].type ? NULL : kTypes;
}

static const char* reshaped(const call* c) {
  const char* wrong = moved(c, 1);
  return wrong != NULL ? wrong : unary(c);
}

static const char* concatenation(const call* c) {
  const concatenation_params* p = c->params;
  const view* out = &c->out[0];
  int axis = axis_of(p != NULL ? p->axis : 0, out->rank);
  if (axis < 0 || (p != NULL && p->activation != ACT_NONE)) return kOptions;
  int64_t line = 0;
  for (int i = 0; i < c->inputs; i++) {
    const view* x = &c->in[i];
    if (x->type != out->type) return kTypes;
    if (x->rank != out->rank) return kShapes;
    for (int d = 0; d < out->rank; d++)
      if (d != axis && x->dims[d] != out->dims[d]) return kShapes;
    line += x->dims[axis];
  }
  return line == out->dims[axis] ? NULL : kShapes;
}

static const char* split(const call* c) {
  const view* x = &c->in[1];
  if (!indices(&c->in[0], 0) || c->in[0].count != 1) return kComputed;
  int axis = axis_of(*(const int32_t*)c->in[0].data, x->rank);
  if (axis < 0 || x->dims[axis] % c->outputs != 0) return kShapes;
  for (int i = 0; i < c->outputs; i++) {
    if (c->out[i].type != x->type) return kTypes;
    if (c->out[i].count * (size_t)c->outputs != x->count) return kShapes;
  }
  return NULL;
}

static const char* sliced(const call* c) {
  const char* wrong = moved(c, 1);
  if (wrong != NULL) return wrong;
  for (int i = 2; i < c->inputs; i++)
    if (c->in[i].count != c->in[1].count || c->in[i].type != c->in[1].type) return kShapes;
  if (c->op == OP_SLICE) return c->in[1].count == (size_t)c->in[0].rank && c->out[0].rank == c->in[0].rank ? NULL : kShapes;
  const strided_slice_params* p = c->params;
  return p != NULL && p->ellipsis_mask == 0 && p->new_axis_mask == 0 && !p->offset && c->in[1].count <= (size_t)c->in[0].rank ? NULL : kOptions;
}

static const char* gathered(const call* c) {
  const gather_params* p = c->params;
  const view *x = &c->in[0], *which = &c->in[1], *out = &c->out[0];
  if (out->type != x->type || (which->type != kTfLiteInt32 && which->type != kTfLiteInt64)) return kTypes;
  int axis = axis_of(p != NULL ? p->axis : 0, x->rank);
  if (axis < 0 || (p != NULL && p->batch_dims != 0)) return kOptions;
  size_t count = which->count;
  for (int d = 0; d < x->rank; d++)
    if (d != axis) count *= (size_t)x->dims[d];
  return count == out->count ? NULL : kShapes;
}

static const char* blocks(const call* c) {
  const block_params* p = c->params;
  const view *x = &c->in[0], *out = &c->out[0];
  if (p == NULL || p->block_size < 1) return kOptions;
  if (out->type != x->type) return kTypes;
  return x->rank == 4 && out->rank == 4 && x->dims[0] == out->dims[0] && x->count == out->count ? NULL : kShapes;
}

static const char* resized(const call* c) {
  const view *x = &c->in[0], *out = &c->out[0];
  const char* wrong = moved(c, 0);
  if (wrong != NULL) return wrong;
  if (c->params == NULL) return kOptions;
  return x->rank == 4 && out->rank == 4 && x->dims[0] == out->dims[0] && x->dims[3] == out->dims[3] && x->count > 0 ? NULL : kShapes;
}

static const char* softmax(const call* c) {
  const char* wrong = unary(c);
  if (wrong != NULL) return wrong;
  if (c->in[0].rank == 0) return kShapes;
  return c->in[0].type == kTfLiteInt8 && !(scaled(&c->in[0], -1) && scaled(&c->out[0], -1)) ? kScales : NULL;
}

static const char* converted(const call* c) {
  const view *x = &c->in[0], *out = &c->out[0];
  if (x->count != out->count) return kShapes;
  if (c->op == OP_QUANTIZE) return out->type != kTfLiteInt8 ? kTypes : scaled(out, -1) ? NULL : kScales;
  if (c->op == OP_DEQUANTIZE) {
    if (out->type != kTfLiteFloat32) return kTypes;
    if (x->type == kTfLiteFloat16) return NULL;
    int dimension = scales(x) > 1 ? affine(x)->quantized_dimension : -1;
    return scaled(x, dimension < x->rank ? dimension : -1) ? NULL : kScales;
  }
  return castable(out->type) ? NULL : kTypes;
}

const char* operands_unfit(const call* c) {
  if (c->outputs != 1 && c->op != OP_SPLIT) return "more outputs than the kernel knows";
  switch (c->op) {
    case OP_ADD: case OP_SUB: case OP_MUL: case OP_DIV: case OP_MAXIMUM: case OP_MINIMUM: case OP_POW: case OP_SQUARED_DIFFERENCE: return binary(c);
    case OP_FULLY_CONNECTED: return fully_connected(c);
    case OP_BATCH_MATMUL: return batch_matmul(c);
    case OP_CONV_2D: case OP_DEPTHWISE_CONV_2D: return convolution(c);
    case OP_TRANSPOSE_CONV: return transposed_convolution(c);
    case OP_AVERAGE_POOL_2D: case OP_MAX_POOL_2D: return pool(c);
    case OP_RESHAPE: case OP_SQUEEZE: case OP_EXPAND_DIMS: return reshaped(c);
    case OP_TRANSPOSE: return c->in[1].count != (size_t)c->in[0].rank || c->out[0].rank != c->in[0].rank ? kShapes : moved(c, 0);
    case OP_CONCATENATION: return concatenation(c);
    case OP_SPLIT: return split(c);
    case OP_SLICE: case OP_STRIDED_SLICE: return sliced(c);
    case OP_PAD: return c->in[1].count != 2 * (size_t)c->in[0].rank || c->out[0].rank != c->in[0].rank ? kShapes : moved(c, 1);
    case OP_GATHER: return gathered(c);
    case OP_DEPTH_TO_SPACE: case OP_SPACE_TO_DEPTH: return blocks(c);
    case OP_MEAN: case OP_SUM: case OP_REDUCE_MAX: return moved(c, 0);
    case OP_RESIZE_BILINEAR: case OP_RESIZE_NEAREST_NEIGHBOR: return resized(c);
    case OP_SOFTMAX: return softmax(c);
    case OP_QUANTIZE: case OP_DEQUANTIZE: case OP_CAST: return converted(c);
    default: return unary(c);
  }
}
