/* Matrix products of float32. */
#include "kernel.h"

/* The dot product in eight sums, which compilers turn into vectors. */
static float dot(const float* x, const float* y, size_t n) {
  float s[8] = {0};
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; k++) s[k] += x[i + k] * y[i + k];
  float sum = ((s[0] + s[4]) + (s[1] + s[5])) + ((s[2] + s[6]) + (s[3] + s[7]));
  for (; i < n; i++) sum += x[i] * y[i];
  return sum;
}

const char* run_fully_connected(const call* c) {
  if (c->in[0].type == kTfLiteInt8) return run_quantized_fully_connected(c);
  const fully_connected_params* p = c->params;
  const view *w = &c->in[1], *out = &c->out[0];
  if (w->rank != 2 || w->type != kTfLiteFloat32 || w->dims[1] == 0) return "weights that are no float32 matrix";
  size_t outs = (size_t)w->dims[0], ins = (size_t)w->dims[1];
  const float* bias = c->inputs > 2 ? c->in[2].data : NULL;
  if (c->in[0].count % ins != 0 || out->count != c->in[0].count / ins * outs) return "shapes that do not go together";
  if (bias != NULL && c->in[2].count != outs) return "a bias of another size";
  const float *x = c->in[0].data, *weights = w->data;
  float* y = out->data;
  int activation = p != NULL ? p->activation : ACT_NONE;
  for (size_t r = 0; r < c->in[0].count / ins; r++)
    for (size_t o = 0; o < outs; o++)
      y[r * outs + o] = activate(dot(x + r * ins, weights + o * ins, ins) + (bias != NULL ? bias[o] : 0), activation);
  return NULL;
}

/* Where the matrices of each batch begin, with broadcasting of one operand. */
static size_t batch_offset(const view* v, const view* out, size_t batch) {
  size_t at = 0, stride = (size_t)v->dims[v->rank - 2] * (size_t)v->dims[v->rank - 1];
  for (int i = out->rank - 3; i >= 0; i--) {
    size_t index = batch % (size_t)out->dims[i];
    batch /= (size_t)out->dims[i];
    int k = i - (out->rank - v->rank);
    int d = k >= 0 ? v->dims[k] : 1;
    if (d != 1) at += index * stride;
    stride *= (size_t)d;
  }
  return at;
}

const char* run_batch_matmul(const call* c) {
  const batch_matmul_params* p = c->params;
  const view *a = &c->in[0], *b = &c->in[1], *out = &c->out[0];
  if (a->rank < 2 || b->rank < 2 || out->rank < 2 || b->type != kTfLiteFloat32) return "operands that are no float32 matrices";
  int adjx = p != NULL && p->adj_x, adjy = p != NULL && p->adj_y;
  size_t rows = (size_t)out->dims[out->rank - 2], columns = (size_t)out->dims[out->rank - 1];
  size_t depth = (size_t)a->dims[adjx ? a->rank - 2 : a->rank - 1];
  if ((size_t)a->dims[adjx ? a->rank - 1 : a->rank - 2] != rows || (size_t)b->dims[adjy ? b->rank - 2 : b->rank - 1] != columns ||
      (size_t)b->dims[adjy ? b->rank - 1 : b->rank - 2] != depth)
    return "shapes that do not go together";
  size_t batches = rows * columns == 0 ? 0 : out->count / (rows * columns);
  for (size_t n = 0; n < batches; n++) {
    const float* x = (const float*)a->data + batch_offset(a, out, n);
    const float* y = (const float*)b->data + batch_offset(b, out, n);
    float* z = (float*)out->data + n * rows * columns;
    for (size_t r = 0; r < rows; r++)
      for (size_t q = 0; q < columns; q++) z[r * columns + q] = 0;
    for (size_t r = 0; r < rows; r++) {
      if (adjy && !adjx) {
        for (size_t q = 0; q < columns; q++) z[r * columns + q] = dot(x + r * depth, y + q * depth, depth);
        continue;
      }
      for (size_t k = 0; k < depth; k++) {
        float left = adjx ? x[k * rows + r] : x[r * depth + k];
        for (size_t q = 0; q < columns; q++) z[r * columns + q] += left * (adjy ? y[q * depth + k] : y[k * columns + q]);
      }
    }
  }
  return NULL;
}
