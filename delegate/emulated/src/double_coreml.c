/* A double of the Core ML delegate's entry points, over the emulated device. */
#include <tensorflow/lite/delegates/coreml/coreml_delegate.h>

#include "device.h"

#define EXPORT __attribute__((visibility("default")))

/* As on a machine without a Neural Engine: only for all devices. */
EXPORT TfLiteDelegate* TfLiteCoreMlDelegateCreate(const TfLiteCoreMlDelegateOptions* options) {
  return options->enabled_devices == 1 ? device_from_environment(options->max_delegated_partitions, options->min_nodes_per_partition) : NULL;
}

EXPORT void TfLiteCoreMlDelegateDelete(TfLiteDelegate* delegate) { device_free(delegate); }
