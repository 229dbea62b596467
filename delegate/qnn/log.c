//go:build tflite

#include "log.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// ONNX Runtime's interface is a table of functions, to which versions only add at
// the end. This is the part of version 1.17 that is needed.
enum { kVersion = 17, kCreateEnvWithCustomLogger = 4 };

typedef void (*logging_function)(void* param, int severity, const char* category, const char* id, const char* location,
                                 const char* message);
typedef struct {
  void* const* (*get_api)(uint32_t version);
  const char* (*version)(void);
} api_base;

// More than there is room for is dropped: the first complaint tells most.
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char log_text[256 << 10];
static size_t log_used;
static int listening;

// Only what may be the reason of a failure is kept.
static int tells(int severity, const char* message) {
  const int warning = 2;
  return severity >= warning || strstr(message, "REASON") != NULL || strstr(message, "<E>") != NULL ||
         strstr(message, "<W>") != NULL;
}

static void take(void* param, int severity, const char* category, const char* id, const char* location,
                 const char* message) {
  (void)param, (void)category, (void)id, (void)location;
  if (message == NULL || !tells(severity, message)) return;
  pthread_mutex_lock(&mutex);
  size_t length = strlen(message);
  if (listening && length + 1 < sizeof log_text - log_used) {
    memcpy(log_text + log_used, message, length);
    log_used += length;
    log_text[log_used++] = '\n';
  }
  pthread_mutex_unlock(&mutex);
}

void nanoflux_qnn_log_listen(int on) {
  pthread_mutex_lock(&mutex);
  listening = on;
  if (on) log_used = 0;
  pthread_mutex_unlock(&mutex);
}

char* nanoflux_qnn_log_text(void) {
  pthread_mutex_lock(&mutex);
  char* copy = malloc(log_used + 1);
  if (copy != NULL) {
    memcpy(copy, log_text, log_used);
    copy[log_used] = 0;
  }
  pthread_mutex_unlock(&mutex);
  return copy;
}

const char* nanoflux_qnn_runtime_version(void* get_api_base) {
  const api_base* base = ((const api_base* (*)(void))get_api_base)();
  const char* version = base != NULL ? base->version() : NULL;
  return version != NULL ? version : "of an unknown version";
}

int nanoflux_qnn_log_start(void* get_api_base) {
  const api_base* base = ((const api_base* (*)(void))get_api_base)();
  void* const* api = base != NULL ? base->get_api(kVersion) : NULL;
  if (api == NULL) return 1;
  void* (*create)(logging_function, void*, int, const char*, void**) =
      (void* (*)(logging_function, void*, int, const char*, void**))api[kCreateEnvWithCustomLogger];
  void* environment = NULL;  // never released: it lives as long as the process
  const int warning = 2;
  return create(take, NULL, warning, "nanoflux", &environment) == NULL ? 0 : 2;
}
