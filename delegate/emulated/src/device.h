/* The emulated device as a TensorFlow Lite delegate. */
#ifndef NANOFLUX_EMULATED_DEVICE_H_
#define NANOFLUX_EMULATED_DEVICE_H_

#include <tensorflow/lite/c/delegate.h>

#include "options.h"

/* Takes the options over. NULL when there is no memory. */
TfLiteDelegate* device_new(options o);
void device_free(TfLiteDelegate* delegate);

/* A delegate with the options of the environment variable
 * NANOFLUX_EMUNPU_OPTIONS, "key=value;key=value", for the doubles of libraries
 * whose own options have no place for them. NULL when they are wrong. */
TfLiteDelegate* device_from_environment(void);

#endif
