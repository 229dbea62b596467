#include "rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

static const struct { const char* name; int type; } type_names[] = {
    {"FLOAT32", kTfLiteFloat32}, {"FLOAT16", kTfLiteFloat16}, {"INT32", kTfLiteInt32}, {"UINT8", kTfLiteUInt8},
    {"INT8", kTfLiteInt8}, {"INT64", kTfLiteInt64}, {"BOOL", kTfLiteBool}, {"INT16", kTfLiteInt16},
};

static int read_types(const char* text, uint32_t* types) {
  while (*text != 0) {
    size_t n = strcspn(text, ","), k = 0;
    for (; k < sizeof type_names / sizeof *type_names; k++)
      if (strlen(type_names[k].name) == n && strncmp(type_names[k].name, text, n) == 0) break;
    if (k == sizeof type_names / sizeof *type_names) return 0;
    *types |= 1u << type_names[k].type;
    text += n + (text[n] == ',');
  }
  return *types != 0;
}

static int read_number(const char* text, int* number) {
  char* end;
  long v = strtol(text, &end, 10);
  if (end == text || *end != 0 || v < 1 || v > 100) return 0;
  *number = (int)v;
  return 1;
}

static int add(rules* r, rule new) {
  rule* list = realloc(r->list, (r->count + 1) * sizeof *list);
  if (list == NULL) return 0;
  r->list = list;
  list[r->count++] = new;
  return 1;
}

/* Reads "OP key=value key=value"; * is every operator that has a kernel. */
static const char* read_line(rules* r, char* line) {
  char* save;
  char* name = strtok_r(line, " \t", &save);
  rule new = {0};
  for (char* word; (word = strtok_r(NULL, " \t", &save)) != NULL;) {
    if (strncmp(word, "types=", 6) == 0) {
      if (!read_types(word + 6, &new.types)) return "types= wants a list like FLOAT32,INT8";
    } else if (strncmp(word, "max_rank=", 9) == 0) {
      if (!read_number(word + 9, &new.max_rank)) return "max_rank= wants a number from 1 to 100";
    } else if (strncmp(word, "max_version=", 12) == 0) {
      if (!read_number(word + 12, &new.max_version)) return "max_version= wants a number from 1 to 100";
    } else {
      return "unknown key; there are types=, max_rank= and max_version=";
    }
  }
  if (strcmp(name, "*") == 0) {
    new.any = 1;
    for (const kernel* k = kernels; k->name != NULL; k++) {
      new.op = k->op;
      if (rules_find(r, k->op) == NULL && !add(r, new)) return "no memory";
    }
    return NULL;
  }
  const kernel* k = kernel_named(name);
  if (k == NULL) return "this device has no kernel for that operator";
  new.op = k->op;
  for (size_t i = 0; i < r->count; i++) {
    if (r->list[i].op != k->op) continue;
    if (!r->list[i].any) return "that operator has a line already";
    r->list[i] = new; /* a line of its own says more than * */
    return NULL;
  }
  return add(r, new) ? NULL : "no memory";
}

int rules_read(rules* r, const char* path, char* error, size_t size) {
  FILE* f = fopen(path, "r");
  if (f == NULL) {
    snprintf(error, size, "option rules: %s cannot be opened", path);
    return 0;
  }
  char line[1024];
  r->given = 1;
  for (int number = 1; fgets(line, sizeof line, f) != NULL; number++) {
    const char* wrong = strchr(line, '\n') == NULL && !feof(f) ? "a line of more than 1000 characters" : NULL;
    line[strcspn(line, "#\r\n")] = 0;
    if (wrong == NULL && line[strspn(line, " \t")] == 0) continue;
    if (wrong == NULL) wrong = read_line(r, line);
    if (wrong != NULL) {
      snprintf(error, size, "%s:%d: %s", path, number, wrong);
      fclose(f);
      return 0;
    }
  }
  fclose(f);
  return 1;
}

void rules_free(rules* r) {
  free(r->list);
  r->list = NULL;
  r->count = 0;
}

const rule* rules_find(const rules* r, int op) {
  for (size_t i = 0; i < r->count; i++)
    if (r->list[i].op == op) return &r->list[i];
  return NULL;
}
