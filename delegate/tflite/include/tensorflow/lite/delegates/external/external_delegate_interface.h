/* The interface of delegate plugins (TensorFlow Lite's external delegates),
 * declared from facts. */
#ifndef NANOFLUX_TENSORFLOW_LITE_DELEGATES_EXTERNAL_H_
#define NANOFLUX_TENSORFLOW_LITE_DELEGATES_EXTERNAL_H_

#include <tensorflow/lite/c/delegate.h>

typedef TfLiteDelegate* (*tflite_plugin_create_delegate_function)(char** keys, char** values, size_t count,
    void (*report_error)(const char* message));
typedef void (*tflite_plugin_destroy_delegate_function)(TfLiteDelegate* delegate);

#endif
