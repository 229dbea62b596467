//go:build tflite

#include "litert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NANOFLUX_NAME(result, name, parameters) #name,
static const char* const names[] = {NANOFLUX_LITERT(NANOFLUX_NAME)};
#undef NANOFLUX_NAME

_Static_assert(sizeof(nanoflux_litert) == sizeof(names), "one pointer a name");

const char* nanoflux_litert_name(int i) { return i < (int)(sizeof(names) / sizeof(names[0])) ? names[i] : NULL; }

int nanoflux_litert_environment(const nanoflux_litert* l, int set, const char* dispatch, litert_handle* made) {
  litert_setting settings[3];
  int count = 0;
  memset(settings, 0, sizeof(settings));
  settings[count].tag = LITERT_ACCELERATORS;
  settings[count].value.type = LITERT_ANY_INT;
  settings[count++].value.value.integer = set;
  settings[count].tag = LITERT_LOG_FROM;
  settings[count].value.type = LITERT_ANY_INT;
  settings[count++].value.value.integer = LITERT_LOG_ERRORS;
  if (dispatch != NULL) {
    settings[count].tag = LITERT_DISPATCH_FOLDER;
    settings[count].value.type = LITERT_ANY_STRING;
    settings[count++].value.value.text = dispatch;
  }
  return l->LiteRtCreateEnvironment(count, settings, made);
}

/* Adds options that are written as lines of "name = value". */
static int add_lines(const nanoflux_litert* l, litert_handle options, const char* name, const char* lines) {
  char* copy = strdup(lines);
  if (copy == NULL) return 2; /* out of memory */
  litert_handle opaque = NULL;
  int status = l->LiteRtCreateOpaqueOptions(name, copy, free, &opaque);
  if (status != LITERT_OK) {
    free(copy);
    return status;
  }
  status = l->LiteRtAddOpaqueOptions(options, opaque); /* and owns it then */
  if (status != LITERT_OK) l->LiteRtDestroyOpaqueOptions(opaque);
  return status;
}

int nanoflux_litert_compile(const nanoflux_litert* l, litert_handle environment, litert_handle model, int set, int threads,
                            litert_handle* made) {
  litert_handle options = NULL;
  int status = l->LiteRtCreateOptions(&options);
  if (status != LITERT_OK) return status;
  char lines[64];
  snprintf(lines, sizeof(lines), "num_threads = %d\n", threads);
  status = l->LiteRtSetOptionsHardwareAccelerators(options, set);
  if (status == LITERT_OK) status = add_lines(l, options, "xnnpack", lines);
  /* Messages are kept until they are asked for. */
  if (status == LITERT_OK) status = add_lines(l, options, "runtime_options_string", "error_reporter_mode = 2\n");
  if (status == LITERT_OK) status = l->LiteRtCreateCompiledModel(environment, model, options, made);
  l->LiteRtDestroyOptions(options);
  return status;
}

static bool cancelled(void* flag) { return __atomic_load_n((int*)flag, __ATOMIC_ACQUIRE) != 0; }

int nanoflux_litert_cancellable(const nanoflux_litert* l, litert_handle compiled, int* flag) {
  return l->LiteRtSetCompiledModelCancellationFunction(compiled, flag, cancelled);
}

void nanoflux_litert_flag(int* flag, int value) { __atomic_store_n(flag, value, __ATOMIC_RELEASE); }

int nanoflux_litert_buffer(const nanoflux_litert* l, litert_handle environment, litert_handle compiled, int output, size_t index,
                           const litert_type* type, litert_handle* made) {
  litert_handle requirements = NULL; /* the compiled model's */
  int status = output ? l->LiteRtGetCompiledModelOutputBufferRequirements(compiled, 0, index, &requirements)
                      : l->LiteRtGetCompiledModelInputBufferRequirements(compiled, 0, index, &requirements);
  if (status != LITERT_OK) return status;
  return l->LiteRtCreateManagedTensorBufferFromRequirements(environment, type, requirements, made);
}

void nanoflux_litert_free_buffer(const nanoflux_litert* l, litert_handle buffer) { l->LiteRtDestroyTensorBuffer(buffer); }

/* Locks a buffer that must have room for size bytes. */
static int lock(const nanoflux_litert* l, litert_handle buffer, size_t size, int mode, void** memory) {
  size_t room = 0;
  int status = l->LiteRtGetTensorBufferSize(buffer, &room);
  if (status != LITERT_OK) return status;
  if (room < size) return 1000; /* index out of bounds */
  return l->LiteRtLockTensorBuffer(buffer, memory, mode);
}

int nanoflux_litert_write(const nanoflux_litert* l, litert_handle buffer, const void* from, size_t size) {
  void* memory = NULL;
  int status = lock(l, buffer, size, LITERT_LOCK_WRITE, &memory);
  if (status != LITERT_OK) return status;
  if (size > 0) memcpy(memory, from, size);
  return l->LiteRtUnlockTensorBuffer(buffer);
}

int nanoflux_litert_read(const nanoflux_litert* l, litert_handle buffer, void* to, size_t size) {
  void* memory = NULL;
  int status = lock(l, buffer, size, LITERT_LOCK_READ, &memory);
  if (status != LITERT_OK) return status;
  if (size > 0) memcpy(to, memory, size);
  return l->LiteRtUnlockTensorBuffer(buffer);
}

void nanoflux_litert_set_shape(litert_layout* layout, const int32_t* dimensions, int rank) {
  memset(layout, 0, sizeof(*layout));
  layout->rank = (unsigned int)rank;
  for (int i = 0; i < rank; i++) layout->dimensions[i] = dimensions[i];
}

int nanoflux_litert_rank(const litert_layout* layout) { return (int)layout->rank; }

int nanoflux_litert_run(const nanoflux_litert* l, litert_handle compiled, size_t inputs, litert_handle* input, size_t outputs,
                        litert_handle* output) {
  return l->LiteRtRunCompiledModel(compiled, 0, inputs, input, outputs, output);
}

int nanoflux_litert_resize(const nanoflux_litert* l, litert_handle compiled, size_t input, const int* dimensions, size_t rank) {
  return l->LiteRtCompiledModelResizeInputTensorNonStrict(compiled, 0, input, dimensions, rank);
}

int nanoflux_litert_outputs(const nanoflux_litert* l, litert_handle compiled, size_t count, litert_layout* layouts) {
  return l->LiteRtGetCompiledModelOutputTensorLayouts(compiled, 0, count, layouts, true);
}

int nanoflux_litert_model(const nanoflux_litert* l, litert_handle environment, const void* data, size_t size, litert_handle* made) {
  return l->LiteRtCreateModelFromBuffer(environment, data, size, made);
}

void nanoflux_litert_destroy(const nanoflux_litert* l, litert_handle compiled, litert_handle model) {
  if (compiled != NULL) l->LiteRtDestroyCompiledModel(compiled);
  if (model != NULL) l->LiteRtDestroyModel(model);
}

char* nanoflux_litert_messages(const nanoflux_litert* l, litert_handle compiled) {
  char* text = NULL;
  if (compiled == NULL || l->LiteRtCompiledModelGetErrorMessages(compiled, &text) != LITERT_OK) return NULL;
  (void)l->LiteRtCompiledModelClearErrors(compiled);
  return text;
}
