//go:build tflite

#include "shim.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tensorflow/lite/c/c_api_experimental.h>
#include <tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h>

/* The layouts that the library was built with, on 64-bit machines. */
_Static_assert(sizeof(TfLiteXNNPackDelegateOptions) == 32, "TfLiteXNNPackDelegateOptions");
_Static_assert(offsetof(TfLiteXNNPackDelegateOptions, flags) == 4, "TfLiteXNNPackDelegateOptions.flags");
_Static_assert(sizeof(TfLiteQuantizationParams) == 8, "TfLiteQuantizationParams");
_Static_assert(offsetof(TfLiteTensor, bytes) == 40, "TfLiteTensor.bytes");
_Static_assert(offsetof(TfLiteTensor, name) == 56, "TfLiteTensor.name");
_Static_assert(sizeof(TfLiteRegistration) == 88, "TfLiteRegistration");

struct nanoflux_log {
  pthread_mutex_t lock;
  size_t used;
  char text[4096];
};

nanoflux_log* nanoflux_log_new(void) {
  nanoflux_log* log = calloc(1, sizeof *log);
  if (log != NULL) pthread_mutex_init(&log->lock, NULL);
  return log;
}

void nanoflux_log_free(nanoflux_log* log) {
  if (log == NULL) return;
  pthread_mutex_destroy(&log->lock);
  free(log);
}

void nanoflux_log_take(nanoflux_log* log, char* text, size_t size) {
  pthread_mutex_lock(&log->lock);
  size_t n = log->used < size - 1 ? log->used : size - 1;
  memcpy(text, log->text, n);
  text[n] = 0;
  log->used = 0;
  pthread_mutex_unlock(&log->lock);
}

static void report(void* user_data, const char* format, va_list args) {
  nanoflux_log* log = user_data;
  pthread_mutex_lock(&log->lock);
  size_t left = sizeof log->text - log->used;
  int n = vsnprintf(log->text + log->used, left, format, args);
  if (n > 0) log->used += (size_t)n < left ? (size_t)n : left - 1;
  if (log->used + 1 < sizeof log->text) log->text[log->used++] = '\n';
  pthread_mutex_unlock(&log->lock);
}

TfLiteStatus nanoflux_options_prepare(void* options, nanoflux_log* log) {
  TfLiteInterpreterOptionsSetErrorReporter(options, report, log);
  return TfLiteInterpreterOptionsEnableCancellation(options, true);
}

void nanoflux_interpreter_cancel(void* interpreter) { TfLiteInterpreterCancel(interpreter); }
