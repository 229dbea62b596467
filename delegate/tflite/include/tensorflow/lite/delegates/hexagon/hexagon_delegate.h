/* The entry points of libhexagon_delegate.so, declared from facts. They are
 * looked up at run time, never linked. */
#ifndef NANOFLUX_TENSORFLOW_LITE_DELEGATES_HEXAGON_H_
#define NANOFLUX_TENSORFLOW_LITE_DELEGATES_HEXAGON_H_

#include <tensorflow/lite/c/delegate.h>

typedef struct TfLiteHexagonDelegateOptions {
  int debug_level;
  int powersave_level; /* 0 is the fastest */
  bool print_graph_profile;
  bool print_graph_debug;
  int max_delegated_partitions;
  int min_nodes_per_partition;
  bool enable_dynamic_batch_size;
  int max_batch_size;
  TfLiteIntArray* input_batch_dimensions;
  TfLiteIntArray* output_batch_dimensions;
} TfLiteHexagonDelegateOptions;

_Static_assert(sizeof(TfLiteHexagonDelegateOptions) == 48, "TfLiteHexagonDelegateOptions");
_Static_assert(offsetof(TfLiteHexagonDelegateOptions, max_delegated_partitions) == 12, "TfLiteHexagonDelegateOptions.max_delegated_partitions");
_Static_assert(offsetof(TfLiteHexagonDelegateOptions, input_batch_dimensions) == 32, "TfLiteHexagonDelegateOptions.input_batch_dimensions");

typedef TfLiteHexagonDelegateOptions (*TfLiteHexagonDelegateOptionsDefaultFunction)(void);
typedef TfLiteDelegate* (*TfLiteHexagonDelegateCreateFunction)(const TfLiteHexagonDelegateOptions* options);
typedef void (*TfLiteHexagonDelegateDeleteFunction)(TfLiteDelegate* delegate);
typedef void (*TfLiteHexagonInitFunction)(void);
typedef void (*TfLiteHexagonInitWithPathFunction)(const char* library_directory);
typedef void (*TfLiteHexagonTearDownFunction)(void);

#endif
