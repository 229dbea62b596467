/* Reductions, softmax and resizing of float32. */
#include <float.h>
#include <math.h>

#include "kernel.h"

const char* run_reduce(const call* c) {
  const view *x = &c->in[0], *y = &c->out[0];
  const int32_t* axes = c->in[1].data;
  int gone[MAX_RANK] = {0};
  for (size_t i = 0; i < c->in[1].count; i++) {
    int a = axis_of(axes[i], x->rank);
    if (a < 0) return "an axis that is not there";
    gone[a] = 1;
  }
  size_t strides[MAX_RANK], stride = 1, each = 1, index[MAX_RANK] = {0};
  for (int d = x->rank - 1; d >= 0; d--) {
    strides[d] = gone[d] ? 0 : stride;
    if (gone[d]) each *= (size_t)x->dims[d];
    else stride *= (size_t)x->dims[d];
  }
  if (stride != y->count) return "shapes that do not go together";
  float* out = y->data;
  for (size_t i = 0; i < y->count; i++) out[i] = c->op == OP_REDUCE_MAX ? -FLT_MAX : 0;
  for (size_t i = 0; i < x->count; i++) {
    size_t at = 0;
    for (int d = 0; d < x->rank; d++) at += index[d] * strides[d];
    float v = ((const float*)x->data)[i];
    if (c->op == OP_REDUCE_MAX) out[at] = v > out[at] ? v : out[at];
    else out[at] += v;
    for (int d = x->rank - 1; d >= 0; d--) {
      if (++index[d] < (size_t)x->dims[d]) break;
      index[d] = 0;
    }
  }
  if (c->op == OP_MEAN)
    for (size_t i = 0; i < y->count; i++) out[i] /= (float)each;
  return NULL;
}

const char* run_softmax(const call* c) {
  if (c->in[0].type == kTfLiteInt8) return run_quantized_softmax(c);
  const softmax_params* p = c->params;
  const view* x = &c->in[0];
  if (x->rank == 0 || x->count != c->out[0].count) return "shapes that do not go together";
  size_t n = (size_t)x->dims[x->rank - 1];
  float beta = p != NULL ? p->beta : 1;
  for (size_t i = 0; n > 0 && i < x->count; i += n) {
    const float* in = (const float*)x->data + i;
    float *out = (float*)c->out[0].data + i, most = -FLT_MAX, sum = 0;
    for (size_t k = 0; k < n; k++) most = in[k] > most ? in[k] : most;
    for (size_t k = 0; k < n; k++) sum += out[k] = expf((in[k] - most) * beta);
    for (size_t k = 0; k < n; k++) out[k] /= sum;
  }
  return NULL;
}

/* The source position of an output line. */
static float source(int out, int ins, int outs, const resize_params* p) {
  float scale = p->align_corners && outs > 1 ? (float)(ins - 1) / (float)(outs - 1) : (float)ins / (float)outs;
  return p->half_pixel_centers ? ((float)out + 0.5f) * scale - 0.5f : (float)out * scale;
}

static int within(int k, int n) { return k < 0 ? 0 : k >= n ? n - 1 : k; }

static int nearest(int out, int ins, int outs, const resize_params* p) {
  float scale = p->align_corners && outs > 1 ? (float)(ins - 1) / (float)(outs - 1) : (float)ins / (float)outs;
  float at = ((float)out + (p->half_pixel_centers ? 0.5f : 0)) * scale;
  return within(p->align_corners ? (int)roundf(at) : (int)floorf(at), ins);
}

const char* run_resize(const call* c) {
  const resize_params* p = c->params;
  const view *x = &c->in[0], *y = &c->out[0];
  if (p == NULL || x->rank != 4 || y->rank != 4 || x->dims[3] != y->dims[3]) return "no image";
  int channels = x->dims[3];
  float* out = y->data;
  for (int n = 0; n < y->dims[0]; n++) {
    const float* in = (const float*)x->data + (size_t)n * x->dims[1] * x->dims[2] * channels;
    for (int oy = 0; oy < y->dims[1]; oy++)
      for (int ox = 0; ox < y->dims[2]; ox++, out += channels) {
        if (c->op == OP_RESIZE_NEAREST_NEIGHBOR) {
          const float* from = in + ((size_t)nearest(oy, x->dims[1], y->dims[1], p) * x->dims[2] + nearest(ox, x->dims[2], y->dims[2], p)) * channels;
          for (int k = 0; k < channels; k++) out[k] = from[k];
          continue;
        }
        float fy = source(oy, x->dims[1], y->dims[1], p), fx = source(ox, x->dims[2], y->dims[2], p);
        int y0 = within((int)floorf(fy), x->dims[1]), x0 = within((int)floorf(fx), x->dims[2]);
        int y1 = within((int)floorf(fy) + 1, x->dims[1]), x1 = within((int)floorf(fx) + 1, x->dims[2]);
        float dy = fy - (float)y0, dx = fx - (float)x0;
        for (int k = 0; k < channels; k++)
          out[k] = in[((size_t)y0 * x->dims[2] + x0) * channels + k] * (1 - dy) * (1 - dx) + in[((size_t)y1 * x->dims[2] + x0) * channels + k] * dy * (1 - dx) +
                   in[((size_t)y0 * x->dims[2] + x1) * channels + k] * (1 - dy) * dx + in[((size_t)y1 * x->dims[2] + x1) * channels + k] * dy * dx;
      }
  }
  return NULL;
}
