//go:build tflite

#include "observer.h"

#include <stdlib.h>

/* The layouts that the library was built with, on 64-bit machines. */
_Static_assert(sizeof(TfLiteDelegate) == 56, "TfLiteDelegate");
_Static_assert(offsetof(TfLiteDelegate, Prepare) == 8, "TfLiteDelegate.Prepare");
_Static_assert(offsetof(TfLiteDelegate, flags) == 40, "TfLiteDelegate.flags");
_Static_assert(offsetof(TfLiteDelegate, opaque_delegate_builder) == 48, "TfLiteDelegate.opaque_delegate_builder");
_Static_assert(sizeof(TfLiteOpaqueDelegateBuilder) == 48, "TfLiteOpaqueDelegateBuilder");
_Static_assert(offsetof(TfLiteOpaqueDelegateBuilder, Prepare) == 8, "TfLiteOpaqueDelegateBuilder.Prepare");
_Static_assert(offsetof(TfLiteContext, GetExecutionPlan) == 8, "TfLiteContext.GetExecutionPlan");
_Static_assert(offsetof(TfLiteContext, GetNodeAndRegistration) == 56, "TfLiteContext.GetNodeAndRegistration");
_Static_assert(offsetof(TfLiteRegistration, builtin_code) == 40, "TfLiteRegistration.builtin_code");

struct nanoflux_observer {
  TfLiteDelegate outer;
  TfLiteDelegate* inner;
  int count; /* of left; -1 before the inner delegate was asked */
  int* left;
  int partitions;
};

enum { builtin_delegate = 51 };

static TfLiteStatus note(nanoflux_observer* o, TfLiteContext* context) {
  TfLiteIntArray* plan = NULL;
  TfLiteStatus status = context->GetExecutionPlan(context, &plan);
  if (status != kTfLiteOk) return status;
  free(o->left);
  o->count = 0;
  o->partitions = 0;
  o->left = malloc(sizeof(int) * (size_t)(plan->size > 0 ? plan->size : 1));
  if (o->left == NULL) return kTfLiteError;
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode* node = NULL;
    TfLiteRegistration* registration = NULL;
    status = context->GetNodeAndRegistration(context, plan->data[i], &node, &registration);
    if (status != kTfLiteOk) return status;
    if (node->delegate != NULL || registration->builtin_code == builtin_delegate) {
      o->partitions++;
    } else {
      o->left[o->count++] = plan->data[i];
    }
  }
  return kTfLiteOk;
}

static TfLiteStatus prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
  nanoflux_observer* o = delegate->data_;
  TfLiteOpaqueDelegateBuilder* builder = o->inner->opaque_delegate_builder;
  TfLiteStatus status;
  if (builder != NULL && builder->Prepare != NULL) {
    status = builder->Prepare((TfLiteOpaqueContext*)context, (TfLiteOpaqueDelegateStruct*)o->inner, builder->data);
  } else {
    status = o->inner->Prepare(context, o->inner);
  }
  return status == kTfLiteOk ? note(o, context) : status;
}

nanoflux_observer* nanoflux_observer_new(TfLiteDelegate* inner) {
  nanoflux_observer* o = calloc(1, sizeof *o);
  if (o == NULL) return NULL;
  o->inner = inner;
  o->count = -1;
  /* Tensors that the inner delegate computes name it, not this one, as their
   * delegate; so there are no buffers to copy here. */
  o->outer.data_ = o;
  o->outer.Prepare = prepare;
  o->outer.flags = inner->opaque_delegate_builder != NULL ? inner->opaque_delegate_builder->flags : inner->flags;
  return o;
}

void nanoflux_observer_free(nanoflux_observer* o) {
  if (o == NULL) return;
  free(o->left);
  free(o);
}

void* nanoflux_observer_delegate(nanoflux_observer* o) { return &o->outer; }

int nanoflux_observer_left(const nanoflux_observer* o, int* left) {
  for (int i = 0; left != NULL && i < o->count; i++) left[i] = o->left[i];
  return o->count;
}

int nanoflux_observer_partitions(const nanoflux_observer* o) { return o->partitions; }
