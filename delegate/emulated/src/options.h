/* The plugin's settings. */
#ifndef NANOFLUX_EMULATED_OPTIONS_H_
#define NANOFLUX_EMULATED_OPTIONS_H_

#include <stddef.h>
#include <stdio.h>

#include "rules.h"

typedef enum {
  FAULT_NONE, FAULT_REFUSE, FAULT_FAIL, FAULT_SEGV, FAULT_BUS, FAULT_ABORT, FAULT_HANG, FAULT_EXIT0, FAULT_NAN,
  FAULT_WRONG, FAULT_LEAK, FAULT_SLOW, FAULT_LOST, FAULT_FEWER,
} fault;

#define AT_CREATE (-1)

typedef struct {
  rules rules;
  fault fault;
  /* AT_CREATE when a delegate is made, 0 in Prepare, N in its N-th invoke. */
  int fault_at;
  int delay_us;
  int max_partitions; /* 0 for no limit */
  int min_nodes; /* in a partition */
  int leak_bytes;
  FILE* log; /* NULL for none */
} options;

/* Reads key and value pairs. Returns 0 and reports what is wrong otherwise. */
int options_parse(options* o, char** keys, char** values, size_t count, void (*report)(const char*));
void options_free(options* o);

#endif
