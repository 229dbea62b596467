//go:build tflite

#include "model.h"

#include <sys/mman.h>

void* nanoflux_memory_below(size_t size, uintptr_t first, uintptr_t end) {
  const uintptr_t page = 1 << 16; /* the largest that is in use */
  const uintptr_t reach = ((uintptr_t)1 << 31) - 1;
  uintptr_t room = (size + page - 1) & ~(page - 1);
  /* The address is a wish: the kernel gives another one where it is taken. Steps
   * grow, so that a few dozen wishes cover all that is in reach. */
  for (uintptr_t step = 0; step < reach; step += page + step / 8) {
    uintptr_t wish = (first & ~(page - 1)) - room - (step & ~(page - 1));
    if (wish < page || wish > first || end - wish > reach) return NULL;
    void* p = mmap((void*)wish, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return NULL;
    if ((uintptr_t)p + room <= first && end - (uintptr_t)p <= reach) return p;
    munmap(p, room);
  }
  return NULL;
}

void nanoflux_memory_free(void* memory, size_t size) {
  const size_t page = 1 << 16;
  munmap(memory, (size + page - 1) & ~(page - 1));
}
