/* Calls of a plugin's two functions. */
#ifndef NANOFLUX_DELEGATE_EXTERNAL_PLUGIN_H_
#define NANOFLUX_DELEGATE_EXTERNAL_PLUGIN_H_

#include <tensorflow/lite/delegates/external/external_delegate_interface.h>

/* Makes the delegate. What the plugin reports meanwhile goes to the Go value
 * that token stands for. */
TfLiteDelegate* nanoflux_plugin_create(void* create, char** keys, char** values, size_t count, void* token);
void nanoflux_plugin_destroy(void* destroy, void* delegate);

#endif
