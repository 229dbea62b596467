/* What go-tflite leaves unbound: messages, cancellation, the version. */
#ifndef NANOFLUX_DELEGATE_TFLITE_SHIM_H_
#define NANOFLUX_DELEGATE_TFLITE_SHIM_H_

#include <stddef.h>
#include <tensorflow/lite/c/c_api.h>

/* A log collects the interpreter's messages, one a line, up to its size. It is
 * C memory: the interpreter may report from threads that Go does not know. */
typedef struct nanoflux_log nanoflux_log;

nanoflux_log* nanoflux_log_new(void);
void nanoflux_log_free(nanoflux_log* log);
/* Copies the messages since the last call to text, ends them with a zero byte,
 * and forgets them. */
void nanoflux_log_take(nanoflux_log* log, char* text, size_t size);

/* Lets the interpreters made with options report to log and be cancelled. */
TfLiteStatus nanoflux_options_prepare(void* options, nanoflux_log* log);

void nanoflux_interpreter_cancel(void* interpreter);

#endif
