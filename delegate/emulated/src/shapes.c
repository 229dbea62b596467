/* Operators that move elements and compute nothing. */
#include <string.h>

#include "kernel.h"

/* Copies a box of elements: out[i] = in[start + i · step] along each dimension. */
static void copy_box(const view* in, const view* out, const int64_t start[MAX_RANK], const int64_t step[MAX_RANK]) {
  size_t size = element_size(in->type), strides[MAX_RANK], index[MAX_RANK] = {0}, stride = 1;
  for (int d = in->rank - 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= (size_t)in->dims[d];
  }
  for (size_t i = 0; i < out->count; i++) {
    int64_t at = 0;
    for (int d = 0; d < in->rank; d++) at += (start[d] + (int64_t)index[d] * step[d]) * (int64_t)strides[d];
    memcpy((char*)out->data + i * size, (const char*)in->data + (size_t)at * size, size);
    for (int d = in->rank - 1; d >= 0; d--) {
      if (++index[d] < (size_t)out->dims[d]) break;
      index[d] = 0;
    }
  }
}

const char* run_copy(const call* c) {
  if (c->in[0].count != c->out[0].count) return "another number of elements than its input";
  memcpy(c->out[0].data, c->in[0].data, c->in[0].count * element_size(c->in[0].type));
  return NULL;
}

const char* run_transpose(const call* c) {
  const view *x = &c->in[0], *y = &c->out[0];
  const int32_t* order = c->in[1].data;
  if (c->in[1].count != (size_t)x->rank || x->rank != y->rank) return "an order of other dimensions";
  size_t size = element_size(x->type), strides[MAX_RANK], from[MAX_RANK], index[MAX_RANK] = {0}, stride = 1;
  for (int d = x->rank - 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= (size_t)x->dims[d];
  }
  for (int d = 0; d < x->rank; d++) {
    if (order[d] < 0 || order[d] >= x->rank || x->dims[order[d]] != y->dims[d]) return "an order that does not go with the shapes";
    from[d] = strides[order[d]];
  }
  for (size_t i = 0; i < y->count; i++) {
    size_t at = 0;
    for (int d = 0; d < y->rank; d++) at += index[d] * from[d];
    memcpy((char*)y->data + i * size, (const char*)x->data + at * size, size);
    for (int d = y->rank - 1; d >= 0; d--) {
      if (++index[d] < (size_t)y->dims[d]) break;
      index[d] = 0;
    }
  }
  return NULL;
}

/* The number of elements before and after an axis. */
static void around(const view* v, int axis, size_t* outer, size_t* inner) {
  *outer = *inner = 1;
  for (int d = 0; d < axis; d++) *outer *= (size_t)v->dims[d];
  for (int d = axis + 1; d < v->rank; d++) *inner *= (size_t)v->dims[d];
}

const char* run_concatenation(const call* c) {
  const concatenation_params* p = c->params;
  const view* y = &c->out[0];
  int axis = axis_of(p != NULL ? p->axis : 0, y->rank);
  if (axis < 0) return "an axis that is not there";
  size_t outer, inner, size = element_size(y->type), line = 0;
  around(y, axis, &outer, &inner);
  for (int i = 0; i < c->inputs; i++) {
    if (c->in[i].rank != y->rank || c->in[i].type != y->type) return "inputs of several kinds";
    line += (size_t)c->in[i].dims[axis];
  }
  if (line != (size_t)y->dims[axis]) return "sizes that do not add up";
  size_t at = 0;
  for (int i = 0; i < c->inputs; i++) {
    size_t n = (size_t)c->in[i].dims[axis] * inner * size;
    for (size_t o = 0; o < outer; o++) memcpy((char*)y->data + o * line * inner * size + at, (const char*)c->in[i].data + o * n, n);
    at += n;
  }
  return NULL;
}

const char* run_split(const call* c) {
  const view* x = &c->in[1];
  int axis = axis_of(*(const int32_t*)c->in[0].data, x->rank);
  if (axis < 0 || c->outputs == 0 || x->dims[axis] % c->outputs != 0) return "an axis that cannot be split so";
  size_t outer, inner, size = element_size(x->type);
  around(x, axis, &outer, &inner);
  size_t n = (size_t)x->dims[axis] / (size_t)c->outputs * inner * size;
  for (int i = 0; i < c->outputs; i++)
    for (size_t o = 0; o < outer; o++)
      memcpy((char*)c->out[i].data + o * n, (const char*)x->data + (o * (size_t)c->outputs + (size_t)i) * n, n);
  return NULL;
}

static int64_t integer_at(const view* v, int i) {
  return v->type == kTfLiteInt64 ? ((const int64_t*)v->data)[i] : ((const int32_t*)v->data)[i];
}

const char* run_slice(const call* c) {
  const view *x = &c->in[0], *y = &c->out[0];
  int64_t start[MAX_RANK], step[MAX_RANK];
  if (c->in[1].count != (size_t)x->rank || y->rank != x->rank) return "a start of other dimensions";
  for (int d = 0; d < x->rank; d++) {
    start[d] = integer_at(&c->in[1], d);
    step[d] = 1;
    if (start[d] < 0 || start[d] + y->dims[d] > x->dims[d]) return "a slice outside its input";
  }
  copy_box(x, y, start, step);
  return NULL;
}

const char* run_strided_slice(const call* c) {
  const strided_slice_params* p = c->params;
  const view *x = &c->in[0], *y = &c->out[0];
  int n = (int)c->in[1].count;
  if (p == NULL || p->ellipsis_mask != 0 || p->new_axis_mask != 0 || n > x->rank) return "masks that this device does not know";
  int64_t start[MAX_RANK], step[MAX_RANK];
  view whole = *y; /* the output with the axes that are dropped */
  whole.rank = x->rank;
  size_t count = 1;
  for (int d = 0; d < x->rank; d++) {
    int64_t size = x->dims[d], from = 0, to = size, by = 1;
    if (d < n) {
      by = integer_at(&c->in[3], d);
      if (by == 0) return "a step of 0";
      from = integer_at(&c->in[1], d);
      to = integer_at(&c->in[2], d);
      if (from < 0) from += size;
      if (to < 0) to += size;
      if (p->begin_mask & (1 << d)) from = by > 0 ? 0 : size - 1;
      if (p->end_mask & (1 << d)) to = by > 0 ? size : -1;
      if (p->shrink_axis_mask & (1 << d)) to = from + 1, by = 1;
      int64_t low = by > 0 ? 0 : -1, high = by > 0 ? size : size - 1;
      from = from < low ? low : from > high ? high : from;
      to = to < low ? low : to > high ? high : to;
    }
    int64_t k = by > 0 ? (to - from + by - 1) / by : (from - to - by - 1) / -by;
    if (k < 0) k = 0;
    start[d] = from;
    step[d] = by;
    whole.dims[d] = (int)k;
    count *= (size_t)k;
  }
  if (count != y->count) return "shapes that do not go together";
  copy_box(x, &whole, start, step);
  return NULL;
}

const char* run_pad(const call* c) {
  const view *x = &c->in[0], *y = &c->out[0];
  if (c->in[1].count != 2 * (size_t)x->rank || x->rank != y->rank) return "paddings of other dimensions";
  size_t index[MAX_RANK] = {0};
  for (size_t i = 0; i < y->count; i++) {
    size_t at = 0;
    int inside = 1;
    for (int d = 0; d < y->rank; d++) {
      int64_t k = (int64_t)index[d] - integer_at(&c->in[1], 2 * d);
      if (k < 0 || k >= x->dims[d]) inside = 0;
      at = at * (size_t)x->dims[d] + (size_t)(inside ? k : 0);
    }
    ((float*)y->data)[i] = inside ? ((const float*)x->data)[at] : 0;
    for (int d = y->rank - 1; d >= 0; d--) {
      if (++index[d] < (size_t)y->dims[d]) break;
      index[d] = 0;
    }
  }
  return NULL;
}

const char* run_gather(const call* c) {
  const gather_params* p = c->params;
  const view *x = &c->in[0], *y = &c->out[0];
  int axis = axis_of(p != NULL ? p->axis : 0, x->rank);
  if (axis < 0 || (p != NULL && p->batch_dims != 0)) return "an axis that this device does not know";
  size_t outer, inner, size = element_size(x->type), n = c->in[1].count;
  around(x, axis, &outer, &inner);
  if (y->count != outer * n * inner) return "shapes that do not go together";
  for (size_t o = 0; o < outer; o++)
    for (size_t i = 0; i < n; i++) {
      int64_t k = integer_at(&c->in[1], (int)i);
      if (k < 0 || k >= x->dims[axis]) return "an index outside its input";
      memcpy((char*)y->data + (o * n + i) * inner * size, (const char*)x->data + (o * (size_t)x->dims[axis] + (size_t)k) * inner * size, inner * size);
    }
  return NULL;
}

const char* run_blocks(const call* c) {
  const block_params* p = c->params;
  int deep = c->op == OP_DEPTH_TO_SPACE; /* the input has the channels */
  const view *wide = deep ? &c->out[0] : &c->in[0], *thick = deep ? &c->in[0] : &c->out[0];
  if (p == NULL || p->block_size < 1 || wide->rank != 4 || thick->rank != 4) return "no image";
  int b = p->block_size, channels = wide->dims[3];
  if (thick->dims[3] != channels * b * b || wide->dims[1] != thick->dims[1] * b || wide->dims[2] != thick->dims[2] * b) return "shapes that do not go together";
  size_t size = element_size(wide->type) * (size_t)channels;
  for (int n = 0; n < wide->dims[0]; n++)
    for (int y = 0; y < wide->dims[1]; y++)
      for (int x = 0; x < wide->dims[2]; x++) {
        char* w = (char*)wide->data + (((size_t)n * wide->dims[1] + y) * wide->dims[2] + x) * size;
        char* t = (char*)thick->data + ((((size_t)n * thick->dims[1] + y / b) * thick->dims[2] + x / b) * b * b + (size_t)(y % b * b + x % b)) * size;
        memcpy(deep ? w : t, deep ? t : w, size);
      }
  return NULL;
}
