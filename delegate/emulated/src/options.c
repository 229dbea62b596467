#include "options.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char* const faults[] = {
    [FAULT_NONE] = "none", [FAULT_REFUSE] = "refuse", [FAULT_FAIL] = "fail", [FAULT_SEGV] = "segv", [FAULT_BUS] = "bus",
    [FAULT_ABORT] = "abort", [FAULT_HANG] = "hang", [FAULT_EXIT0] = "exit0", [FAULT_NAN] = "nan", [FAULT_WRONG] = "wrong",
    [FAULT_LEAK] = "leak", [FAULT_SLOW] = "slow", [FAULT_LOST] = "lost", [FAULT_FEWER] = "fewer",
};

static int fail(void (*report)(const char*), const char* format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  int n = snprintf(text, sizeof text, "emulated NPU: ");
  vsnprintf(text + n, sizeof text - (size_t)n, format, args);
  va_end(args);
  if (report != NULL) report(text);
  return 0;
}

static int number(const char* text, int* to) {
  char* end;
  long v = strtol(text, &end, 10);
  if (end == text || *end != 0 || v < 0 || v > INT_MAX) return 0;
  *to = (int)v;
  return 1;
}

int options_parse(options* o, char** keys, char** values, size_t count, void (*report)(const char*)) {
  memset(o, 0, sizeof *o);
  o->min_nodes = 1;
  for (size_t i = 0; i < count; i++) {
    const char *k = keys[i], *v = values[i];
    struct { const char* name; int* to; } numbers[] = {
        {"delay_us", &o->delay_us}, {"max_partitions", &o->max_partitions}, {"min_nodes", &o->min_nodes}, {"leak_bytes", &o->leak_bytes},
    };
    size_t n = 0;
    while (n < sizeof numbers / sizeof *numbers && strcmp(k, numbers[n].name) != 0) n++;
    if (n < sizeof numbers / sizeof *numbers) {
      if (!number(v, numbers[n].to)) return fail(report, "option %s is '%s', must be a whole number from 0", k, v);
    } else if (strcmp(k, "rules") == 0) {
      char error[400];
      if (!rules_read(&o->rules, v, error, sizeof error)) return fail(report, "%s", error);
    } else if (strcmp(k, "log") == 0) {
      if (o->log != NULL) fclose(o->log);
      if ((o->log = fopen(v, "a")) == NULL) return fail(report, "option log: %s cannot be written", v);
      setvbuf(o->log, NULL, _IOLBF, BUFSIZ); /* a fault may end the process */
    } else if (strcmp(k, "fault") == 0) {
      size_t f = 0;
      while (f < sizeof faults / sizeof *faults && strcmp(v, faults[f]) != 0) f++;
      if (f == sizeof faults / sizeof *faults)
        return fail(report, "option fault is '%s'; there are refuse, fail, segv, bus, abort, hang, exit0, nan, wrong, leak, slow, lost, fewer", v);
      o->fault = (fault)f;
    } else if (strcmp(k, "fault_at") == 0) {
      if (strcmp(v, "create") == 0) o->fault_at = AT_CREATE;
      else if (strcmp(v, "prepare") == 0) o->fault_at = 0;
      else if (!number(v, &o->fault_at)) return fail(report, "option fault_at is '%s', must be create, prepare or the number of an invoke", v);
    } else {
      return fail(report, "unknown option '%s'; there are rules, fault, fault_at, delay_us, max_partitions, min_nodes, leak_bytes, log", k);
    }
  }
  return 1;
}

void options_free(options* o) {
  rules_free(&o->rules);
  if (o->log != NULL) fclose(o->log);
  o->log = NULL;
}
