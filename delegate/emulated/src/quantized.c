/* 8-bit integers with a scale and a zero point, computed as TensorFlow Lite's
 * reference kernels do: products in 32 bits, and a rescaling by a 31-bit
 * multiplier and a shift, both rounding half away from zero. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "kernel.h"

typedef struct { int32_t multiplier; int shift; } rescale;

static rescale rescale_of(double factor) {
  rescale r = {0, 0};
  if (factor == 0) return r;
  int64_t fixed = (int64_t)round(frexp(factor, &r.shift) * (1ll << 31));
  if (fixed == 1ll << 31) {
    fixed /= 2;
    r.shift++;
  }
  if (r.shift > 30) {
    r.shift = 30;
    fixed = INT32_MAX;
  }
  if (r.shift < -31) {
    r.shift = 0;
    fixed = 0;
  }
  r.multiplier = (int32_t)fixed;
  return r;
}

static int32_t doubling_high(int32_t a, int32_t b) {
  if (a == b && a == INT32_MIN) return INT32_MAX;
  int64_t product = (int64_t)a * b;
  int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
  return (int32_t)((product + nudge) / (1ll << 31));
}

static int32_t shifted_right(int32_t x, int exponent) {
  int32_t mask = (int32_t)((1ll << exponent) - 1), rest = x & mask;
  int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (rest > threshold ? 1 : 0);
}

static int32_t rescaled(int32_t x, rescale r) {
  int left = r.shift > 0 ? r.shift : 0, right = r.shift > 0 ? 0 : -r.shift;
  return shifted_right(doubling_high((int32_t)((uint32_t)x << left), r.multiplier), right);
}

static float scale_of(const view* v, size_t channel) {
  const TfLiteAffineQuantization* q = v->tensor->quantization.params;
  if (v->tensor->quantization.type == kTfLiteAffineQuantization && q != NULL && q->scale != NULL && q->scale->size > 0)
    return q->scale->data[q->scale->size > 1 ? (int)channel : 0];
  return v->tensor->params.scale;
}

static int32_t zero_of(const view* v) { return v->tensor->params.zero_point; }

/* The nearest integer, halves away from zero; far outside every range of 8 bits
 * it need not be exact. */
static int32_t nearest(float x) {
  x = roundf(x);
  return x > 1e6f ? 1000000 : x > -1e6f ? (int32_t)x : -1000000;
}

/* The integers between which an activation keeps the output. */
static void limits(const view* out, int activation, int32_t* low, int32_t* high) {
  float scale = out->tensor->params.scale;
  int32_t zero = zero_of(out);
  *low = -128;
  *high = 127;
  if (activation == ACT_RELU || activation == ACT_RELU6) *low = zero > *low ? zero : *low;
  if (activation == ACT_RELU6) {
    int32_t six = zero + nearest(6 / scale);
    *high = six < *high ? six : *high;
  }
  if (activation == ACT_RELU_N1_TO_1) {
    int32_t one = nearest(1 / scale);
    *low = zero - one > *low ? zero - one : *low;
    *high = zero + one < *high ? zero + one : *high;
  }
}

static int8_t between(int32_t x, int32_t low, int32_t high) { return (int8_t)(x < low ? low : x > high ? high : x); }

/* One rescaling a channel of the weights. */
static rescale* rescales(const view* x, const view* w, const view* out, size_t channels) {
  rescale* list = malloc(channels * sizeof *list + 1);
  for (size_t k = 0; list != NULL && k < channels; k++)
    list[k] = rescale_of((double)scale_of(x, 0) * (double)scale_of(w, k) / (double)scale_of(out, 0));
  return list;
}

const char* run_quantized_fully_connected(const call* c) {
  const fully_connected_params* p = c->params;
  const view *x = &c->in[0], *w = &c->in[1], *out = &c->out[0];
  if (w->type != kTfLiteInt8 || out->type != kTfLiteInt8 || w->rank != 2 || w->dims[1] == 0) return "types that this device does not know";
  size_t outs = (size_t)w->dims[0], ins = (size_t)w->dims[1];
  if (x->count % ins != 0 || out->count != x->count / ins * outs) return "shapes that do not go together";
  const int32_t* bias = c->inputs > 2 ? c->in[2].data : NULL;
  int32_t low, high, zx = zero_of(x), zw = zero_of(w), zy = zero_of(out);
  limits(out, p != NULL ? p->activation : ACT_NONE, &low, &high);
  rescale* r = rescales(x, w, out, outs);
  if (r == NULL) return "no memory";
  const TfLiteAffineQuantization* q = w->tensor->quantization.params;
  int each = w->tensor->quantization.type == kTfLiteAffineQuantization && q != NULL && q->scale != NULL && q->scale->size > 1;
  /* With one scale the library rounds the product of the scales to float32. */
  float product = scale_of(x, 0) * scale_of(w, 0);
  for (size_t o = 0; !each && o < outs; o++) r[o] = rescale_of((double)product / (double)scale_of(out, 0));
  const int8_t *data = x->data, *weights = w->data;
  for (size_t row = 0; row < x->count / ins; row++)
    for (size_t o = 0; o < outs; o++) {
      int32_t sum = bias != NULL ? bias[o] : 0;
      for (size_t k = 0; k < ins; k++) sum += (data[row * ins + k] - zx) * (weights[o * ins + k] - zw);
      ((int8_t*)out->data)[row * outs + o] = between(rescaled(sum, r[o]) + zy, low, high);
    }
  free(r);
  return NULL;
}

/* Both convolutions: multiplier 0 is the full one, else outputs an input channel. */
static const char* convolve(const call* c, int padding, int sh, int sw, int dh, int dw, int activation, int depthwise) {
  const view *x = &c->in[0], *w = &c->in[1], *out = &c->out[0];
  if (x->rank != 4 || w->rank != 4 || out->rank != 4 || w->type != kTfLiteInt8 || out->type != kTfLiteInt8) return "types that this device does not know";
  int ins = x->dims[3], outs = out->dims[3], kh = w->dims[1], kw = w->dims[2];
  if (w->dims[depthwise ? 3 : 0] != outs || (!depthwise && w->dims[3] != ins) || (depthwise && (ins == 0 || outs % ins != 0))) return "channels that do not go together";
  const int32_t* bias = c->inputs > 2 ? c->in[2].data : NULL;
  int32_t low, high, zx = zero_of(x), zy = zero_of(out);
  limits(out, activation, &low, &high);
  rescale* r = rescales(x, w, out, (size_t)outs);
  if (r == NULL) return "no memory";
  int top = padding_before(padding, x->dims[1], out->dims[1], sh, (kh - 1) * dh + 1);
  int left = padding_before(padding, x->dims[2], out->dims[2], sw, (kw - 1) * dw + 1);
  const int8_t *data = x->data, *weights = w->data;
  int8_t* y = out->data;
  for (int n = 0; n < out->dims[0]; n++)
    for (int oy = 0; oy < out->dims[1]; oy++)
      for (int ox = 0; ox < out->dims[2]; ox++, y += outs)
        for (int o = 0; o < outs; o++) {
          int32_t sum = bias != NULL ? bias[o] : 0;
          for (int i = 0; i < kh; i++) {
            int iy = oy * sh - top + i * dh;
            if (iy < 0 || iy >= x->dims[1]) continue;
            for (int j = 0; j < kw; j++) {
              int ix = ox * sw - left + j * dw;
              if (ix < 0 || ix >= x->dims[2]) continue;
              const int8_t* pixel = data + (((size_t)n * x->dims[1] + iy) * x->dims[2] + ix) * ins;
              if (depthwise) {
                sum += (pixel[o / (outs / ins)] - zx) * weights[((size_t)i * kw + j) * outs + o];
                continue;
              }
              const int8_t* tap = weights + (((size_t)o * kh + i) * kw + j) * ins;
              for (int k = 0; k < ins; k++) sum += (pixel[k] - zx) * tap[k];
            }
          }
          y[o] = between(rescaled(sum, r[o]) + zy, low, high);
        }
  free(r);
  return NULL;
}

const char* run_quantized_conv(const call* c) {
  const conv_params* p = c->params;
  if (p == NULL) return "no options";
  return convolve(c, p->padding, p->stride_height, p->stride_width, p->dilation_height, p->dilation_width, p->activation, 0);
}

const char* run_quantized_depthwise(const call* c) {
  const depthwise_params* p = c->params;
  if (p == NULL) return "no options";
  return convolve(c, p->padding, p->stride_height, p->stride_width, p->dilation_height, p->dilation_width, p->activation, 1);
}

const char* run_quantized_add(const call* c) {
  const binary_params* p = c->params;
  const view *x = &c->in[0], *y = &c->in[1], *out = &c->out[0];
  if (c->op != OP_ADD || y->type != kTfLiteInt8 || out->type != kTfLiteInt8) return "types that this device does not know";
  size_t sx[MAX_RANK], sy[MAX_RANK], index[MAX_RANK] = {0};
  if (!spread(x, out, sx) || !spread(y, out, sy)) return "shapes that do not go together";
  const int left = 20;
  double twice = 2 * (double)(scale_of(x, 0) > scale_of(y, 0) ? scale_of(x, 0) : scale_of(y, 0));
  rescale rx = rescale_of(scale_of(x, 0) / twice), ry = rescale_of(scale_of(y, 0) / twice);
  rescale ro = rescale_of(twice / ((1 << left) * (double)scale_of(out, 0)));
  int32_t low, high, zx = zero_of(x), zy = zero_of(y), zo = zero_of(out);
  limits(out, p != NULL ? p->activation : ACT_NONE, &low, &high);
  for (size_t i = 0; i < out->count; i++) {
    size_t ox = 0, oy = 0;
    for (int d = 0; d < out->rank; d++) {
      ox += index[d] * sx[d];
      oy += index[d] * sy[d];
    }
    int32_t a = rescaled((((const int8_t*)x->data)[ox] - zx) * (1 << left), rx), b = rescaled((((const int8_t*)y->data)[oy] - zy) * (1 << left), ry);
    ((int8_t*)out->data)[i] = between(rescaled(a + b, ro) + zo, low, high);
    for (int d = out->rank - 1; d >= 0; d--) {
      if (++index[d] < (size_t)out->dims[d]) break;
      index[d] = 0;
    }
  }
  return NULL;
}

const char* run_quantized_average_pool(const call* c) {
  const pool_params* p = c->params;
  const view *x = &c->in[0], *out = &c->out[0];
  if (p == NULL || c->op != OP_AVERAGE_POOL_2D || x->rank != 4 || out->rank != 4 || out->type != kTfLiteInt8) return "no pooling of images";
  int channels = x->dims[3];
  int32_t low, high;
  limits(out, p->activation, &low, &high);
  int top = padding_before(p->padding, x->dims[1], out->dims[1], p->stride_height, p->filter_height);
  int left = padding_before(p->padding, x->dims[2], out->dims[2], p->stride_width, p->filter_width);
  int8_t* y = out->data;
  for (int n = 0; n < out->dims[0]; n++)
    for (int oy = 0; oy < out->dims[1]; oy++)
      for (int ox = 0; ox < out->dims[2]; ox++, y += channels)
        for (int k = 0; k < channels; k++) {
          int32_t sum = 0, count = 0;
          for (int i = 0; i < p->filter_height; i++) {
            int iy = oy * p->stride_height - top + i;
            if (iy < 0 || iy >= x->dims[1]) continue;
            for (int j = 0; j < p->filter_width; j++) {
              int ix = ox * p->stride_width - left + j;
              if (ix < 0 || ix >= x->dims[2]) continue;
              sum += ((const int8_t*)x->data)[(((size_t)n * x->dims[1] + iy) * x->dims[2] + ix) * channels + k];
              count++;
            }
          }
          if (count == 0) return "a window without elements";
          y[k] = between(sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count, low, high);
        }
  return NULL;
}

/* In float32, and rounded: within one step of TensorFlow Lite's. */
const char* run_quantized_softmax(const call* c) {
  const softmax_params* p = c->params;
  const view *x = &c->in[0], *out = &c->out[0];
  if (x->rank == 0 || out->type != kTfLiteInt8 || x->count != out->count) return "types that this device does not know";
  size_t n = (size_t)x->dims[x->rank - 1];
  float step = scale_of(x, 0) * (p != NULL ? p->beta : 1), scale = scale_of(out, 0);
  for (size_t i = 0; n > 0 && i < x->count; i += n) {
    const int8_t* in = (const int8_t*)x->data + i;
    int most = -128;
    float sum = 0;
    for (size_t k = 0; k < n; k++) most = in[k] > most ? in[k] : most;
    for (size_t k = 0; k < n; k++) sum += expf((float)(in[k] - most) * step);
    for (size_t k = 0; k < n; k++)
      ((int8_t*)out->data)[i + k] = between(nearest(expf((float)(in[k] - most) * step) / sum / scale) + zero_of(out), -128, 127);
  }
  return NULL;
}

static float half(uint16_t h) {
  int sign = h >> 15, exponent = h >> 10 & 31, fraction = h & 1023;
  float v = exponent == 0 ? ldexpf((float)fraction, -24) : exponent == 31 ? (fraction ? NAN : INFINITY) : ldexpf((float)(fraction + 1024), exponent - 25);
  return sign ? -v : v;
}

const char* run_dequantize(const call* c) {
  const view *x = &c->in[0], *out = &c->out[0];
  if (out->type != kTfLiteFloat32 || x->count != out->count) return "types that this device does not know";
  float* y = out->data;
  if (x->type == kTfLiteFloat16) {
    for (size_t i = 0; i < x->count; i++) y[i] = half(((const uint16_t*)x->data)[i]);
    return NULL;
  }
  const TfLiteAffineQuantization* q = x->tensor->quantization.params;
  size_t channels = 1, inner = x->count;
  if (q != NULL && x->tensor->quantization.type == kTfLiteAffineQuantization && q->scale != NULL && q->scale->size > 1) {
    if (q->quantized_dimension < 0 || q->quantized_dimension >= x->rank || q->scale->size != x->dims[q->quantized_dimension]) return "scales that do not go with the shape";
    channels = (size_t)q->scale->size;
    inner = 1;
    for (int d = q->quantized_dimension + 1; d < x->rank; d++) inner *= (size_t)x->dims[d];
  }
  for (size_t i = 0; i < x->count; i++) {
    size_t k = channels > 1 ? i / inner % channels : 0;
    int32_t zero = channels > 1 && q->zero_point != NULL && q->zero_point->size > (int)k ? q->zero_point->data[k] : channels > 1 ? 0 : zero_of(x);
    y[i] = (float)(((const int8_t*)x->data)[i] - zero) * scale_of(x, k);
  }
  return NULL;
}

const char* run_quantize(const call* c) {
  const view *x = &c->in[0], *out = &c->out[0];
  if (out->type != kTfLiteInt8 || x->count != out->count) return "types that this device does not know";
  float scale = scale_of(out, 0);
  for (size_t i = 0; i < x->count; i++)
    ((int8_t*)out->data)[i] = between(nearest(((const float*)x->data)[i] / scale) + zero_of(out), -128, 127);
  return NULL;
}
