/* The entry points of the NNAPI delegate in TensorFlow Lite's library for
 * Android, declared from facts. They are looked up at run time, never linked. */
#ifndef NANOFLUX_TENSORFLOW_LITE_DELEGATES_NNAPI_H_
#define NANOFLUX_TENSORFLOW_LITE_DELEGATES_NNAPI_H_

#include <tensorflow/lite/c/delegate.h>

typedef struct TfLiteNnapiDelegateOptions {
  int execution_preference; /* -1 undefined, 0 low power, 1 fast single answer, 2 sustained speed */
  const char* accelerator_name;
  const char* cache_dir;
  const char* model_token;
  int disallow_nnapi_cpu;
  int allow_fp16;
  int max_number_delegated_partitions; /* 0 or less: no limit */
  void* nnapi_support_library_handle;
} TfLiteNnapiDelegateOptions;

_Static_assert(sizeof(TfLiteNnapiDelegateOptions) == 56, "TfLiteNnapiDelegateOptions");
_Static_assert(offsetof(TfLiteNnapiDelegateOptions, accelerator_name) == 8, "TfLiteNnapiDelegateOptions.accelerator_name");
_Static_assert(offsetof(TfLiteNnapiDelegateOptions, disallow_nnapi_cpu) == 32, "TfLiteNnapiDelegateOptions.disallow_nnapi_cpu");
_Static_assert(offsetof(TfLiteNnapiDelegateOptions, nnapi_support_library_handle) == 48, "TfLiteNnapiDelegateOptions.nnapi_support_library_handle");

typedef TfLiteNnapiDelegateOptions (*TfLiteNnapiDelegateOptionsDefaultFunction)(void);
typedef TfLiteDelegate* (*TfLiteNnapiDelegateCreateFunction)(const TfLiteNnapiDelegateOptions* options);
typedef void (*TfLiteNnapiDelegateDeleteFunction)(TfLiteDelegate* delegate);

#endif
