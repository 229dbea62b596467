/* Convolutions and pooling of float32, channels last. */
#include <float.h>

#include "kernel.h"

const char* run_conv(const call* c) {
  if (c->in[0].type == kTfLiteInt8) return run_quantized_conv(c);
  const conv_params* p = c->params;
  const view *x = &c->in[0], *w = &c->in[1], *out = &c->out[0];
  if (p == NULL || x->rank != 4 || w->rank != 4 || out->rank != 4 || w->type != kTfLiteFloat32) return "no convolution of images";
  int ins = x->dims[3], outs = w->dims[0], kh = w->dims[1], kw = w->dims[2];
  if (w->dims[3] != ins || out->dims[3] != outs) return "channels that do not go together";
  const float* bias = c->inputs > 2 ? c->in[2].data : NULL;
  int top = padding_before(p->padding, x->dims[1], out->dims[1], p->stride_height, (kh - 1) * p->dilation_height + 1);
  int left = padding_before(p->padding, x->dims[2], out->dims[2], p->stride_width, (kw - 1) * p->dilation_width + 1);
  const float *data = x->data, *weights = w->data;
  float* y = out->data;
  for (int n = 0; n < out->dims[0]; n++)
    for (int oy = 0; oy < out->dims[1]; oy++)
      for (int ox = 0; ox < out->dims[2]; ox++, y += outs)
        for (int o = 0; o < outs; o++) {
          float sum = bias != NULL ? bias[o] : 0;
          for (int i = 0; i < kh; i++) {
            int iy = oy * p->stride_height - top + i * p->dilation_height;
            if (iy < 0 || iy >= x->dims[1]) continue;
            for (int j = 0; j < kw; j++) {
              int ix = ox * p->stride_width - left + j * p->dilation_width;
              if (ix < 0 || ix >= x->dims[2]) continue;
              const float* pixel = data + (((size_t)n * x->dims[1] + iy) * x->dims[2] + ix) * ins;
              const float* tap = weights + (((size_t)o * kh + i) * kw + j) * ins;
              float s[4] = {0};
              int k = 0;
              for (; k + 4 <= ins; k += 4)
                for (int l = 0; l < 4; l++) s[l] += pixel[k + l] * tap[k + l];
              for (; k < ins; k++) s[0] += pixel[k] * tap[k];
              sum += (s[0] + s[1]) + (s[2] + s[3]);
            }
          }
          y[o] = activate(sum, p->activation);
        }
  return NULL;
}

const char* run_depthwise(const call* c) {
  if (c->in[0].type == kTfLiteInt8) return run_quantized_depthwise(c);
  const depthwise_params* p = c->params;
  const view *x = &c->in[0], *w = &c->in[1], *out = &c->out[0];
  if (p == NULL || x->rank != 4 || w->rank != 4 || out->rank != 4 || w->type != kTfLiteFloat32) return "no convolution of images";
  int ins = x->dims[3], outs = w->dims[3], kh = w->dims[1], kw = w->dims[2];
  if (ins == 0 || outs % ins != 0 || out->dims[3] != outs) return "channels that do not go together";
  int multiplier = outs / ins;
  const float* bias = c->inputs > 2 ? c->in[2].data : NULL;
  int top = padding_before(p->padding, x->dims[1], out->dims[1], p->stride_height, (kh - 1) * p->dilation_height + 1);
  int left = padding_before(p->padding, x->dims[2], out->dims[2], p->stride_width, (kw - 1) * p->dilation_width + 1);
  const float *data = x->data, *weights = w->data;
  float* y = out->data;
  for (int n = 0; n < out->dims[0]; n++)
    for (int oy = 0; oy < out->dims[1]; oy++)
      for (int ox = 0; ox < out->dims[2]; ox++, y += outs)
        for (int o = 0; o < outs; o++) {
          float sum = bias != NULL ? bias[o] : 0;
          for (int i = 0; i < kh; i++) {
            int iy = oy * p->stride_height - top + i * p->dilation_height;
            if (iy < 0 || iy >= x->dims[1]) continue;
            for (int j = 0; j < kw; j++) {
              int ix = ox * p->stride_width - left + j * p->dilation_width;
              if (ix < 0 || ix >= x->dims[2]) continue;
              sum += data[(((size_t)n * x->dims[1] + iy) * x->dims[2] + ix) * ins + o / multiplier] * weights[((size_t)i * kw + j) * outs + o];
            }
          }
          y[o] = activate(sum, p->activation);
        }
  return NULL;
}

const char* run_pool(const call* c) {
  if (c->in[0].type == kTfLiteInt8) return run_quantized_average_pool(c);
  const pool_params* p = c->params;
  const view *x = &c->in[0], *out = &c->out[0];
  if (p == NULL || x->rank != 4 || out->rank != 4 || out->dims[3] != x->dims[3]) return "no pooling of images";
  int channels = x->dims[3];
  int top = padding_before(p->padding, x->dims[1], out->dims[1], p->stride_height, p->filter_height);
  int left = padding_before(p->padding, x->dims[2], out->dims[2], p->stride_width, p->filter_width);
  const float* data = x->data;
  float* y = out->data;
  for (int n = 0; n < out->dims[0]; n++)
    for (int oy = 0; oy < out->dims[1]; oy++)
      for (int ox = 0; ox < out->dims[2]; ox++, y += channels)
        for (int k = 0; k < channels; k++) {
          float sum = 0, most = -FLT_MAX;
          int count = 0;
          for (int i = 0; i < p->filter_height; i++) {
            int iy = oy * p->stride_height - top + i;
            if (iy < 0 || iy >= x->dims[1]) continue;
            for (int j = 0; j < p->filter_width; j++) {
              int ix = ox * p->stride_width - left + j;
              if (ix < 0 || ix >= x->dims[2]) continue;
              float v = data[(((size_t)n * x->dims[1] + iy) * x->dims[2] + ix) * channels + k];
              sum += v;
              most = v > most ? v : most;
              count++;
            }
          }
          y[k] = activate(c->op == OP_MAX_POOL_2D ? most : sum / (float)count, p->activation);
        }
  return NULL;
}
