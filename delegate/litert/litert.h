/* The part of LiteRT's C interface that is used here, as version 2.3.0 has it.
 * The library is opened at run time: the functions stand in a table, which the
 * macro below lists once, with their types. Handles are opaque to callers. */
#ifndef NANOFLUX_DELEGATE_LITERT_LITERT_H_
#define NANOFLUX_DELEGATE_LITERT_LITERT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void* litert_handle;

/* A value of one of several types. */
typedef struct {
  int32_t type;
  union {
    int64_t integer;
    const char* text;
  } value;
} litert_any;
enum { LITERT_ANY_INT = 2, LITERT_ANY_STRING = 8 };

/* An option of the environment. */
typedef struct {
  int32_t tag;
  litert_any value;
} litert_setting;
enum { LITERT_DISPATCH_FOLDER = 1, LITERT_ACCELERATORS = 24, LITERT_LOG_FROM = 25 };
enum { LITERT_LOG_ERRORS = 3 };

/* Sets of accelerators. */
enum { LITERT_CPU = 1, LITERT_NPU = 4 };

enum { LITERT_MOST_RANK = 8 };

typedef struct {
  unsigned int rank : 7;
  unsigned int has_strides : 1;
  int32_t dimensions[LITERT_MOST_RANK];
  uint32_t strides[LITERT_MOST_RANK];
} litert_layout;

typedef struct {
  int32_t element;
  litert_layout layout;
} litert_type;

_Static_assert(sizeof(litert_any) == 16 && offsetof(litert_any, value) == 8, "LiteRtAny");
_Static_assert(sizeof(litert_setting) == 24 && offsetof(litert_setting, value) == 8, "LiteRtEnvOption");
_Static_assert(sizeof(litert_layout) == 68 && offsetof(litert_layout, dimensions) == 4 && offsetof(litert_layout, strides) == 36, "LiteRtLayout");
_Static_assert(sizeof(litert_type) == 72 && offsetof(litert_type, layout) == 4, "LiteRtRankedTensorType");
_Static_assert(sizeof(void*) == 8, "a 64-bit machine");

enum { LITERT_OK = 0 };
enum { LITERT_LOCK_READ = 0, LITERT_LOCK_WRITE = 1 };

/* F(result, name, parameters): every function that is used. The last one is in no
 * version before 2.3.0, of which some have other parameters under these names. */
#define NANOFLUX_LITERT(F)                                                                              \
  F(int, LiteRtCreateEnvironment, (int count, const litert_setting* settings, litert_handle* made))     \
  F(int, LiteRtCreateModelFromBuffer, (litert_handle environment, const void* data, size_t size, litert_handle* made)) \
  F(void, LiteRtDestroyModel, (litert_handle model))                                                    \
  F(int, LiteRtCreateOptions, (litert_handle * made))                                                   \
  F(void, LiteRtDestroyOptions, (litert_handle options))                                                \
  F(int, LiteRtSetOptionsHardwareAccelerators, (litert_handle options, int set))                        \
  F(int, LiteRtCreateOpaqueOptions, (const char* name, void* data, void (*destroy)(void*), litert_handle* made)) \
  F(void, LiteRtDestroyOpaqueOptions, (litert_handle opaque))                                           \
  F(int, LiteRtAddOpaqueOptions, (litert_handle options, litert_handle opaque))                         \
  F(int, LiteRtCreateCompiledModel, (litert_handle environment, litert_handle model, litert_handle options, litert_handle* made)) \
  F(void, LiteRtDestroyCompiledModel, (litert_handle compiled))                                         \
  F(int, LiteRtSetCompiledModelCancellationFunction, (litert_handle compiled, void* data, bool (*cancelled)(void*))) \
  F(int, LiteRtCompiledModelGetErrorMessages, (litert_handle compiled, char** text))                    \
  F(int, LiteRtCompiledModelClearErrors, (litert_handle compiled))                                      \
  F(int, LiteRtCompiledModelResizeInputTensorNonStrict, (litert_handle compiled, size_t signature, size_t input, const int* dimensions, size_t rank)) \
  F(int, LiteRtGetCompiledModelInputTensorLayout, (litert_handle compiled, size_t signature, size_t input, litert_layout* layout)) \
  F(int, LiteRtGetCompiledModelOutputTensorLayouts, (litert_handle compiled, size_t signature, size_t count, litert_layout* layouts, bool allocate)) \
  F(int, LiteRtGetCompiledModelInputBufferRequirements, (litert_handle compiled, size_t signature, size_t input, litert_handle* requirements)) \
  F(int, LiteRtGetCompiledModelOutputBufferRequirements, (litert_handle compiled, size_t signature, size_t output, litert_handle* requirements)) \
  F(int, LiteRtCreateManagedTensorBufferFromRequirements, (litert_handle environment, const litert_type* type, litert_handle requirements, litert_handle* made)) \
  F(void, LiteRtDestroyTensorBuffer, (litert_handle buffer))                                            \
  F(int, LiteRtGetTensorBufferSize, (litert_handle buffer, size_t* size))                               \
  F(int, LiteRtLockTensorBuffer, (litert_handle buffer, void** memory, int mode))                       \
  F(int, LiteRtUnlockTensorBuffer, (litert_handle buffer))                                              \
  F(int, LiteRtRunCompiledModel, (litert_handle compiled, size_t signature, size_t inputs, litert_handle* input, size_t outputs, litert_handle* output)) \
  F(int, LiteRtCompiledModelIsNonCpuFullyAccelerated, (litert_handle compiled, bool* all))

#define NANOFLUX_FIELD(result, name, parameters) result(*name) parameters;
typedef struct {
  NANOFLUX_LITERT(NANOFLUX_FIELD)
} nanoflux_litert;
#undef NANOFLUX_FIELD

/* The names of the table's functions in its order; NULL after the last. */
const char* nanoflux_litert_name(int i);

/* An environment: which accelerators there are, where dispatch libraries lie (NULL
 * for nowhere). */
int nanoflux_litert_environment(const nanoflux_litert* l, int set, const char* dispatch, litert_handle* made);

/* A model made ready on the accelerators of the set. */
int nanoflux_litert_compile(const nanoflux_litert* l, litert_handle environment, litert_handle model, int set, int threads,
                            litert_handle* made);

/* Lets *flag, set from any thread, end a run. */
int nanoflux_litert_cancellable(const nanoflux_litert* l, litert_handle compiled, int* flag);
void nanoflux_litert_flag(int* flag, int value);

/* A buffer for an input or output of that type. */
int nanoflux_litert_buffer(const nanoflux_litert* l, litert_handle environment, litert_handle compiled, int output, size_t index,
                           const litert_type* type, litert_handle* made);
void nanoflux_litert_free_buffer(const nanoflux_litert* l, litert_handle buffer);

/* Copies all bytes of a buffer from memory, or to it. */
int nanoflux_litert_write(const nanoflux_litert* l, litert_handle buffer, const void* from, size_t size);
int nanoflux_litert_read(const nanoflux_litert* l, litert_handle buffer, void* to, size_t size);

/* The type of an output as it is now, for the caller to add its element. */
void nanoflux_litert_set_shape(litert_layout* layout, const int32_t* dimensions, int rank);
int nanoflux_litert_rank(const litert_layout* layout);

int nanoflux_litert_run(const nanoflux_litert* l, litert_handle compiled, size_t inputs, litert_handle* input, size_t outputs,
                        litert_handle* output);
int nanoflux_litert_resize(const nanoflux_litert* l, litert_handle compiled, size_t input, const int* dimensions, size_t rank);
int nanoflux_litert_outputs(const nanoflux_litert* l, litert_handle compiled, size_t count, litert_layout* layouts);
int nanoflux_litert_model(const nanoflux_litert* l, litert_handle environment, const void* data, size_t size, litert_handle* made);
void nanoflux_litert_destroy(const nanoflux_litert* l, litert_handle compiled, litert_handle model);

/* What was reported since the last call; to be freed. NULL for nothing. */
char* nanoflux_litert_messages(const nanoflux_litert* l, litert_handle compiled);

#endif
