/* Which operators the device takes. */
#ifndef NANOFLUX_EMULATED_RULES_H_
#define NANOFLUX_EMULATED_RULES_H_

#include <stddef.h>
#include <stdint.h>

/* One line of a rule file; a value of 0 is no limit. */
typedef struct {
  int op;
  uint32_t types;
  int max_rank, max_version;
  int any; /* from the line of * */
} rule;

/* Without rules the device takes all that it has kernels for. */
typedef struct {
  int given;
  size_t count;
  rule* list;
} rules;

/* Reads a rule file. Returns 0 and writes what is wrong, and where, to error. */
int rules_read(rules* r, const char* path, char* error, size_t size);
void rules_free(rules* r);

/* The rule for an operator, NULL when the device does not take it. */
const rule* rules_find(const rules* r, int op);

#endif
