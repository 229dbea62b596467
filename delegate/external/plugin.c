//go:build tflite

#include "plugin.h"

#include <stdio.h>

#include "_cgo_export.h"

/* The plugin's error callback has no argument of ours, so the Go value that is
 * being made is known by the thread. A plugin may keep the callback and report
 * later, from an interpreter's call or a thread of its own: a call into Go is
 * not allowed there, and the message goes to the program's standard error. */
static __thread void* current;

static void report(const char* message) {
  if (message == NULL) return;
  if (current != NULL) {
    nanofluxPluginReport(current, (char*)message);
  } else {
    fprintf(stderr, "nanoflux: delegate plugin: %s\n", message);
  }
}

TfLiteDelegate* nanoflux_plugin_create(void* create, char** keys, char** values, size_t count, void* token) {
  current = token;
  TfLiteDelegate* d = ((tflite_plugin_create_delegate_function)create)(keys, values, count, report);
  current = NULL;
  return d;
}

void nanoflux_plugin_destroy(void* destroy, void* delegate) {
  ((tflite_plugin_destroy_delegate_function)destroy)(delegate);
}
