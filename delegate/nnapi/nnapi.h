/* Calls through the addresses of the NNAPI delegate's entry points. */
#ifndef NANOFLUX_DELEGATE_NNAPI_NNAPI_H_
#define NANOFLUX_DELEGATE_NNAPI_NNAPI_H_

#include <tensorflow/lite/delegates/nnapi/nnapi_delegate_c_api.h>

static inline TfLiteDelegate* nanoflux_nnapi_create(void* options_default, void* create, int preference,
    const char* accelerator, const char* cache_dir, const char* model_token, int allow_cpu, int fp16,
    int max_partitions) {
  TfLiteNnapiDelegateOptions o = ((TfLiteNnapiDelegateOptionsDefaultFunction)options_default)();
  o.execution_preference = preference;
  o.accelerator_name = accelerator;
  o.cache_dir = cache_dir;
  o.model_token = model_token;
  o.disallow_nnapi_cpu = !allow_cpu;
  o.allow_fp16 = fp16;
  o.max_number_delegated_partitions = max_partitions;
  return ((TfLiteNnapiDelegateCreateFunction)create)(&o);
}

static inline void nanoflux_nnapi_delete(void* delete_, void* delegate) {
  ((TfLiteNnapiDelegateDeleteFunction)delete_)(delegate);
}

#endif
