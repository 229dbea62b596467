#include "claim.h"

#include <stddef.h>

#include "operands.h"

_Static_assert(offsetof(TfLiteContext, ReplaceNodeSubsetsWithDelegateKernels) == 64, "TfLiteContext.ReplaceNodeSubsetsWithDelegateKernels");
_Static_assert(offsetof(TfLiteContext, PreviewDelegatePartitioning) == 152, "TfLiteContext.PreviewDelegatePartitioning");
_Static_assert(offsetof(TfLiteTensor, allocation_type) == 32 && offsetof(TfLiteTensor, quantization) == 80 && offsetof(TfLiteTensor, dims_signature) == 104, "TfLiteTensor");
_Static_assert(sizeof(TfLiteNode) == 80 && offsetof(TfLiteNode, builtin_data) == 40, "TfLiteNode");

int describe(const TfLiteTensor* t, view* v) {
  if (element_size(t->type) == 0 || t->dims == NULL || t->dims->size < 0 || t->dims->size > MAX_RANK) return 0;
  v->type = t->type;
  v->tensor = t;
  v->rank = t->dims->size;
  v->count = 1;
  for (int d = 0; d < v->rank; d++) {
    if (t->dims->data[d] < 0) return 0;
    v->dims[d] = t->dims->data[d];
    v->count *= (size_t)v->dims[d];
  }
  v->data = t->data.data;
  return 1;
}

const char* claim_refusal(const rules* r, const TfLiteContext* context, const TfLiteNode* node, const TfLiteRegistration* registration) {
  const kernel* k = kernel_of(registration->builtin_code);
  if (k == NULL) return "there is no kernel for it";
  if (node->inputs->size < k->least || node->inputs->size > k->most || node->outputs->size < 1 || node->outputs->size > MAX_OPERANDS)
    return "it has another number of operands than the kernel";
  const rule* only = NULL;
  if (r->given && (only = rules_find(r, k->op)) == NULL) return "the rules do not have it";
  if (only != NULL && only->max_version > 0 && registration->version > only->max_version) return "the rules have older versions only";
  call c = {.op = k->op, .params = node->builtin_data};
  for (int i = 0; i < node->inputs->size + node->outputs->size; i++) {
    int in = i < node->inputs->size;
    int index = in ? node->inputs->data[i] : node->outputs->data[i - node->inputs->size];
    if (index < 0) {
      /* Only the last inputs may be left out; the others keep their places. */
      if (!in || i < k->least) return "an operand is left out";
      continue;
    }
    const TfLiteTensor* t = &context->tensors[index];
    if (t->allocation_type == kTfLiteDynamic) return "an operand has no fixed size";
    view* v = in ? &c.in[c.inputs++] : &c.out[c.outputs++];
    if (!describe(t, v)) return "an operand is of a type or rank that no kernel knows";
    if (t->allocation_type == kTfLiteMmapRo && t->bytes < v->count * element_size(v->type)) return "a constant is shorter than its shape";
    if (only != NULL && only->max_rank > 0 && v->rank > only->max_rank) return "the rules have lower ranks only";
    if (in && i == k->typed && (k->types & 1u << t->type) == 0) return "the kernel does not know the type";
    if (in && i == k->typed && only != NULL && only->types != 0 && (only->types & 1u << t->type) == 0) return "the rules do not have the type";
  }
  return operands_unfit(&c);
}

static int contains(const TfLiteIntArray* list, int value) {
  for (int i = 0; i < list->size; i++)
    if (list->data[i] == value) return 1;
  return 0;
}

TfLiteStatus claim_limit(TfLiteContext* context, TfLiteIntArray* claimed, int most, int fewest) {
  if (claimed->size == 0 || (most == 0 && fewest <= 1)) return kTfLiteOk;
  TfLiteDelegateParams* partitions = NULL;
  int count = 0;
  TfLiteStatus status = context->PreviewDelegatePartitioning(context, claimed, &partitions, &count);
  if (status != kTfLiteOk) return status;
  int kept = 0;
  for (int n = 0; n < claimed->size; n++) {
    int keep = 0;
    for (int p = 0; p < count && !keep; p++) {
      if (!contains(partitions[p].nodes_to_replace, claimed->data[n])) continue;
      int size = partitions[p].nodes_to_replace->size, before = 0;
      for (int q = 0; q < count; q++) {
        int other = partitions[q].nodes_to_replace->size;
        before += other > size || (other == size && q < p);
      }
      keep = size >= fewest && (most == 0 || before < most);
    }
    if (keep) claimed->data[kept++] = claimed->data[n];
  }
  claimed->size = kept;
  return kTfLiteOk;
}
