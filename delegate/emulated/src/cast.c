/* CAST: float32 becomes an integer by cutting off; what an integer cannot hold
 * becomes its nearest value, and no number becomes 0. */
#include <string.h>

#include "kernel.h"

int castable(int type) {
  return type == kTfLiteFloat32 || type == kTfLiteInt64 || type == kTfLiteInt32 || type == kTfLiteInt16 || type == kTfLiteInt8 || type == kTfLiteUInt8 ||
         type == kTfLiteBool;
}

static int64_t integer(const void* data, int type, size_t i) {
  switch (type) {
    case kTfLiteInt64: return ((const int64_t*)data)[i];
    case kTfLiteInt32: return ((const int32_t*)data)[i];
    case kTfLiteInt16: return ((const int16_t*)data)[i];
    case kTfLiteInt8: return ((const int8_t*)data)[i];
    case kTfLiteBool: return ((const uint8_t*)data)[i] != 0;
    default: return ((const uint8_t*)data)[i];
  }
}

/* The integer of a type that is nearest to x's whole part. */
static int64_t cut(float x, int type) {
  if (type == kTfLiteUInt8) return x >= 255 ? 255 : x > 0 ? (int64_t)x : 0;
  if (type == kTfLiteBool) return x != 0;
  int bits = 8 * (int)element_size(type) - 1;
  float limit = bits == 63 ? 9223372036854775808.0f : (float)((int64_t)1 << bits);
  int64_t most = bits == 63 ? INT64_MAX : ((int64_t)1 << bits) - 1;
  if (x >= limit) return most;
  if (x <= -limit) return -most - 1;
  return x == x ? (int64_t)x : 0;
}

static void store(void* data, int type, size_t i, int64_t v) {
  switch (type) {
    case kTfLiteInt64: ((int64_t*)data)[i] = v; break;
    case kTfLiteInt32: ((int32_t*)data)[i] = (int32_t)v; break;
    case kTfLiteInt16: ((int16_t*)data)[i] = (int16_t)v; break;
    case kTfLiteBool: ((uint8_t*)data)[i] = v != 0; break;
    default: ((uint8_t*)data)[i] = (uint8_t)v;
  }
}

const char* run_cast(const call* c) {
  const view *x = &c->in[0], *out = &c->out[0];
  if (x->count != out->count || !castable(x->type) || !castable(out->type)) return "types that this device does not know";
  if (x->type == out->type) {
    memcpy(out->data, x->data, x->count * element_size(x->type));
    return NULL;
  }
  for (size_t i = 0; i < x->count; i++) {
    if (x->type == kTfLiteFloat32) store(out->data, out->type, i, cut(((const float*)x->data)[i], out->type));
    else if (out->type == kTfLiteFloat32) ((float*)out->data)[i] = (float)integer(x->data, x->type, i);
    else store(out->data, out->type, i, integer(x->data, x->type, i));
  }
  return NULL;
}
