/* Memory for the structure of a model whose weights lie elsewhere. */
#ifndef NANOFLUX_DELEGATE_TFLITE_MODEL_H_
#define NANOFLUX_DELEGATE_TFLITE_MODEL_H_

#include <stddef.h>
#include <stdint.h>

/* Memory of that size that begins at most 2 GiB before end, and ends before
 * first; NULL if there is none. */
void* nanoflux_memory_below(size_t size, uintptr_t first, uintptr_t end);
void nanoflux_memory_free(void* memory, size_t size);

#endif
