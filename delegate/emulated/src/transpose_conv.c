/* TRANSPOSE_CONV of float32, channels last: every input pixel is spread over the
 * output pixels that the convolution from output to input would have read. */
#include "kernel.h"

const char* run_transpose_conv(const call* c) {
  const transpose_conv_params* p = c->params;
  const view *w = &c->in[1], *x = &c->in[2], *out = &c->out[0];
  if (p == NULL || x->rank != 4 || w->rank != 4 || out->rank != 4 || x->type != kTfLiteFloat32) return "no transposed convolution of images";
  int ins = x->dims[3], outs = w->dims[0], kh = w->dims[1], kw = w->dims[2];
  if (w->dims[3] != ins || out->dims[3] != outs || x->dims[0] != out->dims[0]) return "channels that do not go together";
  const float *weights = w->data, *bias = c->inputs > 3 ? c->in[3].data : NULL;
  int top = padding_before(p->padding, out->dims[1], x->dims[1], p->stride_height, kh);
  int left = padding_before(p->padding, out->dims[2], x->dims[2], p->stride_width, kw);
  float* y = out->data;
  for (size_t i = 0; i < out->count; i++) y[i] = 0;
  const float* pixel = x->data;
  for (int n = 0; n < x->dims[0]; n++)
    for (int iy = 0; iy < x->dims[1]; iy++)
      for (int ix = 0; ix < x->dims[2]; ix++, pixel += ins)
        for (int i = 0; i < kh; i++) {
          int oy = iy * p->stride_height - top + i;
          if (oy < 0 || oy >= out->dims[1]) continue;
          for (int j = 0; j < kw; j++) {
            int ox = ix * p->stride_width - left + j;
            if (ox < 0 || ox >= out->dims[2]) continue;
            float* to = y + (((size_t)n * out->dims[1] + oy) * out->dims[2] + ox) * outs;
            for (int o = 0; o < outs; o++) {
              const float* tap = weights + (((size_t)o * kh + i) * kw + j) * ins;
              float sum = 0;
              for (int k = 0; k < ins; k++) sum += pixel[k] * tap[k];
              to[o] += sum;
            }
          }
        }
  for (size_t i = 0; i < out->count; i++) y[i] = activate(y[i] + (bias != NULL ? bias[i % (size_t)outs] : 0), p->activation);
  return NULL;
}
