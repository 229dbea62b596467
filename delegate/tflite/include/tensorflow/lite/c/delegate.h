/* TensorFlow Lite 2.17.1's structs of a delegate, declared from facts; the
 * layouts are asserted in delegate/tflite/observer.c. */
#ifndef NANOFLUX_TENSORFLOW_LITE_C_DELEGATE_H_
#define NANOFLUX_TENSORFLOW_LITE_C_DELEGATE_H_

#include <tensorflow/lite/c/c_api_experimental.h>

typedef int TfLiteBufferHandle;
typedef struct TfLiteOpaqueContext TfLiteOpaqueContext;
typedef struct TfLiteOpaqueTensor TfLiteOpaqueTensor;
/* The same object as a TfLiteDelegate, as its own functions are told of it. */
typedef struct TfLiteOpaqueDelegateStruct TfLiteOpaqueDelegateStruct;

typedef struct TfLiteOpaqueDelegateBuilder {
  void* data;
  TfLiteStatus (*Prepare)(TfLiteOpaqueContext* context, TfLiteOpaqueDelegateStruct* delegate, void* data);
  TfLiteStatus (*CopyFromBufferHandle)(TfLiteOpaqueContext* context, TfLiteOpaqueDelegateStruct* delegate, void* data,
      TfLiteBufferHandle handle, TfLiteOpaqueTensor* tensor);
  TfLiteStatus (*CopyToBufferHandle)(TfLiteOpaqueContext* context, TfLiteOpaqueDelegateStruct* delegate, void* data,
      TfLiteBufferHandle handle, TfLiteOpaqueTensor* tensor);
  void (*FreeBufferHandle)(TfLiteOpaqueContext* context, TfLiteOpaqueDelegateStruct* delegate, void* data,
      TfLiteBufferHandle* handle);
  int64_t flags;
} TfLiteOpaqueDelegateBuilder;

struct TfLiteDelegate {
  void* data_;
  TfLiteStatus (*Prepare)(TfLiteContext* context, TfLiteDelegate* delegate);
  TfLiteStatus (*CopyFromBufferHandle)(TfLiteContext* context, TfLiteDelegate* delegate, TfLiteBufferHandle handle,
      TfLiteTensor* tensor);
  TfLiteStatus (*CopyToBufferHandle)(TfLiteContext* context, TfLiteDelegate* delegate, TfLiteBufferHandle handle,
      TfLiteTensor* tensor);
  void (*FreeBufferHandle)(TfLiteContext* context, TfLiteDelegate* delegate, TfLiteBufferHandle* handle);
  int64_t flags;
  TfLiteOpaqueDelegateBuilder* opaque_delegate_builder;
};

/* What a delegate's kernel gets as the buffer of its init. */
struct TfLiteDelegateParams {
  TfLiteDelegate* delegate;
  TfLiteIntArray* nodes_to_replace;
  TfLiteIntArray* input_tensors;
  TfLiteIntArray* output_tensors;
};

#endif
