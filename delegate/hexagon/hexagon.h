/* Calls through the addresses of the Hexagon delegate's entry points. */
#ifndef NANOFLUX_DELEGATE_HEXAGON_HEXAGON_H_
#define NANOFLUX_DELEGATE_HEXAGON_HEXAGON_H_

#include <tensorflow/lite/delegates/hexagon/hexagon_delegate.h>

static inline void nanoflux_hexagon_init(void* init) { ((TfLiteHexagonInitFunction)init)(); }

static inline void nanoflux_hexagon_init_with_path(void* init, const char* folder) {
  ((TfLiteHexagonInitWithPathFunction)init)(folder);
}

static inline void nanoflux_hexagon_tear_down(void* tear_down) { ((TfLiteHexagonTearDownFunction)tear_down)(); }

static inline TfLiteDelegate* nanoflux_hexagon_create(void* options_default, void* create, int power_save,
    int max_partitions, int min_nodes) {
  TfLiteHexagonDelegateOptions o = ((TfLiteHexagonDelegateOptionsDefaultFunction)options_default)();
  o.powersave_level = power_save;
  o.max_delegated_partitions = max_partitions;
  o.min_nodes_per_partition = min_nodes;
  return ((TfLiteHexagonDelegateCreateFunction)create)(&o);
}

static inline void nanoflux_hexagon_delete(void* delete_, void* delegate) {
  ((TfLiteHexagonDelegateDeleteFunction)delete_)(delegate);
}

#endif
