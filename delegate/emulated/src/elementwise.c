/* Operators of one element: two operands with broadcasting, or one. */
#include <math.h>

#include "kernel.h"

static float combine(int op, float x, float y) {
  switch (op) {
    case OP_ADD: return x + y;
    case OP_SUB: return x - y;
    case OP_MUL: return x * y;
    case OP_DIV: return x / y;
    case OP_MAXIMUM: return x > y ? x : y;
    case OP_MINIMUM: return x < y ? x : y;
    case OP_POW: return powf(x, y);
    default: return (x - y) * (x - y); /* SQUARED_DIFFERENCE */
  }
}

int spread(const view* v, const view* out, size_t strides[MAX_RANK]) {
  size_t stride = 1;
  for (int i = out->rank - 1; i >= 0; i--) {
    int k = i - (out->rank - v->rank);
    int d = k >= 0 ? v->dims[k] : 1;
    if (d != out->dims[i] && d != 1) return 0;
    strides[i] = d == 1 ? 0 : stride;
    stride *= (size_t)d;
  }
  return v->rank <= out->rank;
}

const char* run_binary(const call* c) {
  if (c->in[0].type == kTfLiteInt8) return run_quantized_add(c);
  const binary_params* p = c->params;
  int fused = c->op == OP_ADD || c->op == OP_SUB || c->op == OP_MUL || c->op == OP_DIV;
  int activation = fused && p != NULL ? p->activation : ACT_NONE;
  const view* out = &c->out[0];
  size_t sx[MAX_RANK], sy[MAX_RANK], index[MAX_RANK] = {0};
  if (!spread(&c->in[0], out, sx) || !spread(&c->in[1], out, sy)) return "shapes that do not go together";
  const float *x = c->in[0].data, *y = c->in[1].data;
  float* z = out->data;
  int last = out->rank - 1;
  size_t line = out->rank > 0 ? (size_t)out->dims[last] : 1;
  size_t stepx = out->rank > 0 ? sx[last] : 0, stepy = out->rank > 0 ? sy[last] : 0;
  for (size_t i = 0; i < out->count; i += line) {
    size_t ox = 0, oy = 0;
    for (int d = 0; d < last; d++) {
      ox += index[d] * sx[d];
      oy += index[d] * sy[d];
    }
    for (size_t k = 0; k < line; k++) z[i + k] = activate(combine(c->op, x[ox + k * stepx], y[oy + k * stepy]), activation);
    for (int d = last - 1; d >= 0; d--) {
      if (++index[d] < (size_t)out->dims[d]) break;
      index[d] = 0;
    }
  }
  return NULL;
}

static float change(int op, int approximate, float x) {
  switch (op) {
    case OP_SQUARE: return x * x;
    case OP_NEG: return -x;
    case OP_ABS: return fabsf(x);
    case OP_EXP: return expf(x);
    case OP_LOG: return logf(x);
    case OP_SQRT: return sqrtf(x);
    case OP_RSQRT: return 1 / sqrtf(x);
    case OP_TANH: return tanhf(x);
    case OP_LOGISTIC: return 1 / (1 + expf(-x));
    case OP_RELU: return activate(x, ACT_RELU);
    case OP_RELU6: return activate(x, ACT_RELU6);
    case OP_RELU_N1_TO_1: return activate(x, ACT_RELU_N1_TO_1);
    case OP_HARD_SWISH: return x * activate(x + 3, ACT_RELU6) / 6;
    default: /* GELU */
      if (approximate) return 0.5f * x * (1 + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
      return 0.5f * x * erfcf(x * -0.70710678118654752f);
  }
}

const char* run_unary(const call* c) {
  const gelu_params* p = c->params;
  int approximate = c->op == OP_GELU && p != NULL && p->approximate;
  const float* x = c->in[0].data;
  float* y = c->out[0].data;
  if (c->in[0].count != c->out[0].count) return "another number of elements than its input";
  for (size_t i = 0; i < c->out[0].count; i++) y[i] = change(c->op, approximate, x[i]);
  return NULL;
}
