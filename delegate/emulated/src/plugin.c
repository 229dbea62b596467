/* The emulated device behind the interface of delegate plugins. */
#include <stddef.h>

#include "device.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT TfLiteDelegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count, void (*report)(const char*)) {
  options o;
  if (!options_parse(&o, keys, values, count, report)) {
    options_free(&o);
    return NULL;
  }
  TfLiteDelegate* d = device_new(o);
  if (d == NULL && report != NULL) report("emulated NPU: there is no device, on request or for want of memory");
  return d;
}

EXPORT void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) { device_free(delegate); }
