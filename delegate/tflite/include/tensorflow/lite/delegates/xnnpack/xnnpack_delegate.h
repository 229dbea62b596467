/* XNNPACK delegate of TensorFlow Lite 2.17.1, declared from facts. */
#ifndef NANOFLUX_TENSORFLOW_LITE_DELEGATES_XNNPACK_H_
#define NANOFLUX_TENSORFLOW_LITE_DELEGATES_XNNPACK_H_

#include <tensorflow/lite/c/c_api.h>

typedef struct TfLiteXNNPackDelegateOptions {
  int32_t num_threads;
  uint32_t flags;
  void* weights_cache;
  bool handle_variable_ops;
  const char* weight_cache_file_path;
} TfLiteXNNPackDelegateOptions;

extern TfLiteXNNPackDelegateOptions TfLiteXNNPackDelegateOptionsDefault(void);
extern TfLiteDelegate* TfLiteXNNPackDelegateCreate(const TfLiteXNNPackDelegateOptions* options);
extern void TfLiteXNNPackDelegateDelete(TfLiteDelegate* delegate);

#endif
