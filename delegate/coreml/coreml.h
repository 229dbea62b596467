/* Calls through the addresses of the Core ML delegate's entry points. */
#ifndef NANOFLUX_DELEGATE_COREML_COREML_H_
#define NANOFLUX_DELEGATE_COREML_COREML_H_

#include <tensorflow/lite/delegates/coreml/coreml_delegate.h>

static inline TfLiteDelegate* nanoflux_coreml_create(void* create, int all_devices, int version, int max_partitions,
    int min_nodes) {
  TfLiteCoreMlDelegateOptions o = {all_devices, version, max_partitions, min_nodes};
  return ((TfLiteCoreMlDelegateCreateFunction)create)(&o);
}

static inline void nanoflux_coreml_delete(void* delete_, void* delegate) {
  ((TfLiteCoreMlDelegateDeleteFunction)delete_)(delegate);
}

#endif
