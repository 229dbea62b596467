/* The entry points of the Core ML delegate, declared from facts. They are
 * looked up at run time, never linked. */
#ifndef NANOFLUX_TENSORFLOW_LITE_DELEGATES_COREML_H_
#define NANOFLUX_TENSORFLOW_LITE_DELEGATES_COREML_H_

#include <tensorflow/lite/c/delegate.h>

typedef struct TfLiteCoreMlDelegateOptions {
  int enabled_devices; /* 0 those with a Neural Engine, 1 all */
  int coreml_version;  /* 2 or 3; others mean the newest */
  int max_delegated_partitions; /* 0: no limit */
  int min_nodes_per_partition;
} TfLiteCoreMlDelegateOptions;

_Static_assert(sizeof(TfLiteCoreMlDelegateOptions) == 16, "TfLiteCoreMlDelegateOptions");

typedef TfLiteDelegate* (*TfLiteCoreMlDelegateCreateFunction)(const TfLiteCoreMlDelegateOptions* options);
typedef void (*TfLiteCoreMlDelegateDeleteFunction)(TfLiteDelegate* delegate);

#endif
