/* A delegate around another one: it passes everything on, and notes which
 * operators the other one left to the CPU. The C interface has no other way to
 * learn that. */
#ifndef NANOFLUX_DELEGATE_TFLITE_OBSERVER_H_
#define NANOFLUX_DELEGATE_TFLITE_OBSERVER_H_

#include <tensorflow/lite/c/c_api_experimental.h>
#include <tensorflow/lite/c/delegate.h>

typedef struct nanoflux_observer nanoflux_observer;

nanoflux_observer* nanoflux_observer_new(TfLiteDelegate* inner);
void nanoflux_observer_free(nanoflux_observer* observer);

/* What to give to the interpreter. */
void* nanoflux_observer_delegate(nanoflux_observer* observer);

/* The operators and partitions of the execution plan after the other delegate
 * has changed it; -1 when it was never asked. left needs room for *count of
 * nanoflux_observer_left(observer, NULL). */
int nanoflux_observer_left(const nanoflux_observer* observer, int* left);
int nanoflux_observer_partitions(const nanoflux_observer* observer);

#endif
