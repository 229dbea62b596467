/* A double of libhexagon_delegate.so, over the emulated device. */
#include <tensorflow/lite/delegates/hexagon/hexagon_delegate.h>

#include "device.h"

#define EXPORT __attribute__((visibility("default")))

/* Whether the DSP is connected; without, there is no delegate. */
static int connected;

EXPORT void TfLiteHexagonInit(void) { connected = 1; }

EXPORT void TfLiteHexagonInitWithPath(const char* folder) { connected = folder != NULL; }

EXPORT void TfLiteHexagonTearDown(void) { connected = 0; }

EXPORT TfLiteHexagonDelegateOptions TfLiteHexagonDelegateOptionsDefault(void) {
  return (TfLiteHexagonDelegateOptions){.max_delegated_partitions = 4, .min_nodes_per_partition = 2};
}

EXPORT TfLiteDelegate* TfLiteHexagonDelegateCreate(const TfLiteHexagonDelegateOptions* options) {
  return connected && options->max_delegated_partitions > 0 ? device_from_environment(options->max_delegated_partitions, options->min_nodes_per_partition) : NULL;
}

EXPORT void TfLiteHexagonDelegateDelete(TfLiteDelegate* delegate) { device_free(delegate); }
