// What ONNX Runtime, the QNN provider and Qualcomm's compiler say.
#ifndef NANOFLUX_QNN_LOG_H_
#define NANOFLUX_QNN_LOG_H_

// The version of ONNX Runtime, "1.29.0"; get_api_base is its OrtGetApiBase.
const char* nanoflux_qnn_runtime_version(void* get_api_base);

// Starts ONNX Runtime's environment, of which a process has one, so that it tells
// all to this log. Returns 0, or
// what is missing: 1 for a version that is too old, 2 for a failure.
int nanoflux_qnn_log_start(void* get_api_base);

// Empties the log and listens, or stops listening.
void nanoflux_qnn_log_listen(int on);

// A copy of the text, to be freed; NULL without memory.
char* nanoflux_qnn_log_text(void);

#endif
