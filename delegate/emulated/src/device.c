#include "device.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "claim.h"
#include "kernel.h"

typedef struct {
  TfLiteDelegate delegate; /* first: what TensorFlow Lite has */
  options options;
  int invokes;
  int lost;
} device;

/* An operator of a partition. */
typedef struct {
  const kernel* kernel;
  const void* params;
  TfLiteIntArray *inputs, *outputs;
  /* Its inputs never change, so it is computed once. */
  int constant, done;
} step;

/* A partition: what the device runs in one go. */
typedef struct {
  device* device;
  int count;
  step* steps;
  /* Memory of tensors inside the partition, by tensor; TensorFlow Lite gives
   * them none. */
  size_t tensors;
  void** memory;
} partition;

/* note writes a line to the log. */
static void note(const device* d, const char* format, ...) {
  if (d->options.log == NULL) return;
  va_list args;
  va_start(args, format);
  vfprintf(d->options.log, format, args);
  va_end(args);
  fputc('\n', d->options.log);
}

/* misbehave does what the options ask for at this point: AT_CREATE, 0 in Prepare,
 * N in the N-th invoke. It returns 0 when the call shall fail. */
static int misbehave(device* d, int at) {
  if (d->lost) return 0;
  int leaks = d->options.fault == FAULT_LEAK && at > d->options.fault_at;
  if (d->options.fault == FAULT_NONE || (at != d->options.fault_at && !leaks)) return 1;
  note(d, at == AT_CREATE ? "misbehaves while it is made" : at == 0 ? "misbehaves while it prepares" : "misbehaves in invoke %d", at);
  switch (d->options.fault) {
    case FAULT_REFUSE: case FAULT_FAIL: return 0;
    case FAULT_LOST: d->lost = 1; return 0;
    case FAULT_SEGV: {
      /* Not address 0, which some kernels let a program have. */
      int* nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      *(volatile int*)nowhere = 1;
      return 0;
    }
    case FAULT_BUS: raise(SIGBUS); return 0;
    case FAULT_ABORT: abort();
    case FAULT_HANG: for (;;) pause();
    case FAULT_EXIT0: exit(0);
    case FAULT_LEAK: {
      /* Volatile: what nobody reads, the compiler would not even allocate. */
      volatile char* p = malloc((size_t)d->options.leak_bytes);
      for (int i = 0; p != NULL && i < d->options.leak_bytes; i += 1024) p[i] = 1;
      return 1;
    }
    case FAULT_SLOW: usleep(200000); return 1;
    default: return 1; /* numbers are spoilt where they are computed */
  }
}

static int is_constant(const TfLiteTensor* t) { return t->allocation_type == kTfLiteMmapRo; }

static void partition_free(TfLiteContext* context, void* buffer) {
  (void)context;
  partition* p = buffer;
  if (p == NULL) return;
  for (size_t i = 0; p->memory != NULL && i < p->tensors; i++) free(p->memory[i]);
  free(p->memory);
  free(p->steps);
  free(p);
}

static void* partition_init(TfLiteContext* context, const char* buffer, size_t length) {
  (void)length;
  const TfLiteDelegateParams* params = (const TfLiteDelegateParams*)buffer;
  partition* p = calloc(1, sizeof *p);
  if (p == NULL) return NULL;
  p->device = params->delegate->data_;
  p->count = params->nodes_to_replace->size;
  p->tensors = context->tensors_size;
  p->steps = calloc((size_t)p->count + 1, sizeof *p->steps);
  p->memory = calloc(p->tensors + 1, sizeof *p->memory);
  char* fixed = calloc(p->tensors + 1, 1); /* constant, or computed from constants */
  if (p->steps == NULL || p->memory == NULL || fixed == NULL) {
    free(fixed);
    partition_free(context, p);
    return NULL;
  }
  for (int i = 0; i < p->count; i++) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    if (context->GetNodeAndRegistration(context, params->nodes_to_replace->data[i], &node, &registration) != kTfLiteOk) {
      free(fixed);
      partition_free(context, p);
      return NULL;
    }
    step* s = &p->steps[i];
    *s = (step){kernel_of(registration->builtin_code), node->builtin_data, node->inputs, node->outputs, 1, 0};
    for (int k = 0; k < node->inputs->size; k++) {
      int t = node->inputs->data[k];
      if (t >= 0 && !is_constant(&context->tensors[t]) && !fixed[t]) s->constant = 0;
    }
    for (int k = 0; k < node->outputs->size; k++) {
      int t = node->outputs->data[k], leaves = 0;
      for (int n = 0; n < params->output_tensors->size; n++) leaves |= params->output_tensors->data[n] == t;
      /* What leaves the partition lies in TensorFlow Lite's memory, which others
       * use meanwhile. */
      if (leaves) s->constant = 0;
    }
    for (int k = 0; k < node->outputs->size; k++) fixed[node->outputs->data[k]] = (char)s->constant;
  }
  free(fixed);
  return p;
}

static TfLiteStatus partition_prepare(TfLiteContext* context, TfLiteNode* node) {
  (void)context;
  partition* p = node->user_data;
  if (p == NULL) return kTfLiteDelegateError;
  /* TensorFlow Lite 2.17.1 makes partitions anew when shapes change; others may
   * only prepare them again. */
  for (size_t i = 0; i < p->tensors; i++) {
    free(p->memory[i]);
    p->memory[i] = NULL;
  }
  for (int i = 0; i < p->count; i++) p->steps[i].done = 0;
  return kTfLiteOk;
}

/* Fills a view; inner memory is made at first use. Returns 0 when there is none. */
static int look(const TfLiteContext* context, partition* p, int index, view* v) {
  if (!describe(&context->tensors[index], v)) return 0;
  if (v->data == NULL) {
    if (p->memory[index] == NULL) p->memory[index] = malloc(v->count * element_size(v->type) + 1);
    v->data = p->memory[index];
  }
  return v->data != NULL;
}

/* spoil makes a result wrong. */
static void spoil(const device* d, const view* v) {
  if (v->type != kTfLiteFloat32 || v->count == 0) {
    for (size_t i = 0; d->options.fault == FAULT_WRONG && i < v->count * element_size(v->type); i++) ((char*)v->data)[i] ^= 0x40;
    return;
  }
  float* x = v->data;
  if (d->options.fault == FAULT_NAN) x[v->count / 2] = NAN;
  for (size_t i = 0; d->options.fault == FAULT_WRONG && i < v->count; i++) x[i] = x[i] * 1.25f + 0.5f;
}

static TfLiteStatus partition_invoke(TfLiteContext* context, TfLiteNode* node) {
  partition* p = node->user_data;
  device* d = p->device;
  int at = ++d->invokes;
  if (d->options.delay_us > 0) usleep((useconds_t)d->options.delay_us);
  if (!misbehave(d, at)) {
    context->ReportError(context, d->lost ? "emulated NPU: the device is lost" : "emulated NPU: invoke %d failed on request", at);
    return kTfLiteDelegateError;
  }
  call c;
  for (int i = 0; i < p->count; i++) {
    step* s = &p->steps[i];
    if (s->constant && s->done) continue;
    c.op = s->kernel->op;
    c.params = s->params;
    c.inputs = c.outputs = 0;
    const char* wrong = NULL;
    for (int k = 0; k < s->inputs->size; k++) {
      if (s->inputs->data[k] < 0) continue; /* only the last may be left out */
      if (!look(context, p, s->inputs->data[k], &c.in[c.inputs++])) wrong = "no memory";
    }
    for (int k = 0; k < s->outputs->size; k++)
      if (!look(context, p, s->outputs->data[k], &c.out[c.outputs++])) wrong = "no memory";
    if (wrong == NULL) wrong = s->kernel->run(&c);
    if (wrong != NULL) {
      context->ReportError(context, "emulated NPU: %s (operator %d of its partition): %s", s->kernel->name, i, wrong);
      return kTfLiteDelegateError;
    }
    s->done = 1;
    if (at >= d->options.fault_at && i == p->count - 1 && (d->options.fault == FAULT_NAN || d->options.fault == FAULT_WRONG)) spoil(d, &c.out[0]);
  }
  return kTfLiteOk;
}

static TfLiteStatus device_prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
  device* d = delegate->data_;
  if (!misbehave(d, 0)) {
    context->ReportError(context, "emulated NPU: it refuses the model on request");
    return kTfLiteDelegateError;
  }
  TfLiteIntArray* plan;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return kTfLiteError;
  TfLiteIntArray* claimed = malloc(sizeof *claimed + ((size_t)plan->size + 1) * sizeof(int));
  if (claimed == NULL) return kTfLiteError;
  claimed->size = 0;
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node, &registration) != kTfLiteOk) {
      free(claimed);
      return kTfLiteError;
    }
    const char* why = claim_refusal(&d->options.rules, context, node, registration);
    if (why == NULL) claimed->data[claimed->size++] = plan->data[i];
    else note(d, "leaves operator %d (number %d, version %d): %s", plan->data[i], (int)registration->builtin_code, registration->version, why);
  }
  /* Only the first half of what its rules say. */
  if (d->options.fault == FAULT_FEWER) claimed->size /= 2;
  TfLiteStatus status = claim_limit(context, claimed, d->options.max_partitions, d->options.min_nodes);
  note(d, "takes %d of %d operators", claimed->size, plan->size);
  TfLiteRegistration registration = {
      .init = partition_init, .free = partition_free, .prepare = partition_prepare, .invoke = partition_invoke,
      .builtin_code = OP_DELEGATE, .custom_name = "EmulatedNpu", .version = 1,
  };
  if (status == kTfLiteOk && claimed->size > 0)
    status = context->ReplaceNodeSubsetsWithDelegateKernels(context, registration, claimed, delegate);
  free(claimed);
  return status;
}

TfLiteDelegate* device_new(options o) {
  device* d = calloc(1, sizeof *d);
  if (d == NULL) {
    options_free(&o);
    return NULL;
  }
  d->options = o;
  d->delegate.data_ = d;
  d->delegate.Prepare = device_prepare;
  if (!misbehave(d, AT_CREATE)) {
    device_free(&d->delegate);
    return NULL;
  }
  return &d->delegate;
}

void device_free(TfLiteDelegate* delegate) {
  if (delegate == NULL) return;
  device* d = delegate->data_;
  options_free(&d->options);
  free(d);
}

static void to_stderr(const char* message) { fprintf(stderr, "%s\n", message); }

TfLiteDelegate* device_from_environment(int max_partitions, int min_nodes) {
  const char* text = getenv("NANOFLUX_EMUNPU_OPTIONS");
  char* copy = strdup(text != NULL ? text : "");
  if (copy == NULL) return NULL;
  char most[16], fewest[16];
  snprintf(most, sizeof most, "%d", max_partitions > 0 ? max_partitions : 0);
  snprintf(fewest, sizeof fewest, "%d", min_nodes > 1 ? min_nodes : 1);
  char *keys[16] = {"max_partitions", "min_nodes"}, *values[16] = {most, fewest}, *save;
  size_t count = 2;
  int ok = 1;
  for (char* pair = strtok_r(copy, ";", &save); pair != NULL && ok; pair = strtok_r(NULL, ";", &save)) {
    char* equals = strchr(pair, '=');
    ok = equals != NULL && count < 16;
    if (!ok) {
      fprintf(stderr, "emulated NPU: NANOFLUX_EMUNPU_OPTIONS: '%s' must be key=value, at most 14 of them\n", pair);
      break;
    }
    *equals = 0;
    keys[count] = pair;
    values[count++] = equals + 1;
  }
  options o = {0};
  ok = ok && options_parse(&o, keys, values, count, to_stderr);
  free(copy);
  if (!ok) {
    options_free(&o);
    return NULL;
  }
  return device_new(o);
}
