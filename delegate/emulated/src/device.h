/* The emulated device as a TensorFlow Lite delegate. */
#ifndef NANOFLUX_EMULATED_DEVICE_H_
#define NANOFLUX_EMULATED_DEVICE_H_

#include <tensorflow/lite/c/delegate.h>

#include "options.h"

/* Takes the options over. NULL when there is no memory, or on request. */
TfLiteDelegate* device_new(options o);
void device_free(TfLiteDelegate* delegate);

/* A delegate with the limits of a vendor's own options (0 or less for none), and
 * with the options of the environment variable NANOFLUX_EMUNPU_OPTIONS,
 * "key=value;key=value", which say more. For the doubles of libraries whose own
 * options have no place for them. NULL, with a line on stderr, when they are
 * wrong. */
TfLiteDelegate* device_from_environment(int max_partitions, int min_nodes);

#endif
