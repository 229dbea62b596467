/* A double of the NNAPI delegate's entry points, over the emulated device. It
 * stands in for TensorFlow Lite's library for Android in tests. */
#include <string.h>
#include <tensorflow/lite/delegates/nnapi/nnapi_delegate_c_api.h>

#include "device.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT TfLiteNnapiDelegateOptions TfLiteNnapiDelegateOptionsDefault(void) {
  return (TfLiteNnapiDelegateOptions){.execution_preference = -1, .disallow_nnapi_cpu = 1, .max_number_delegated_partitions = 3};
}

/* As the real one does, it makes nothing for an accelerator that is not there. */
EXPORT TfLiteDelegate* TfLiteNnapiDelegateCreate(const TfLiteNnapiDelegateOptions* options) {
  if (options->accelerator_name != NULL && strcmp(options->accelerator_name, "emulated") != 0) return NULL;
  return device_from_environment(options->max_number_delegated_partitions, 0);
}

EXPORT void TfLiteNnapiDelegateDelete(TfLiteDelegate* delegate) { device_free(delegate); }
