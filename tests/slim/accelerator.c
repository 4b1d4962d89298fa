/* An external delegate for the tests, against the interpreter's stable C structures (tensorflow/lite/core/c/common.h), of which
 * it declares the beginnings that it uses. The option `mode` says what it does:
 *   idle     takes no op
 *   copy     takes RESHAPE over, rightly; from the call after `calls` on it fails
 *   wrong    takes RESHAPE over and adds to every byte
 *   refuse   fails when the graph is offered
 *   crash    ends the process then
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, FAILED = 1, RESHAPE = 22 };
typedef struct { int size; int data[]; } Ints;
typedef struct { int type; void *data; Ints *dims; struct { float scale; int32_t zero_point; } params; int allocation; size_t bytes; } TensorHead;
typedef struct { Ints *inputs, *outputs; } NodeHead;
typedef struct Context Context;
typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, NodeHead *);
  int (*invoke)(Context *, NodeHead *);
  const char *(*profile)(const Context *, const NodeHead *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *operator, *async_kernel;
  uint64_t inplace;
} Registration;
struct Context {
  size_t tensors_size;
  int (*execution_plan)(Context *, Ints **);
  char *tensors; /* structures longer than TensorHead */
  void *impl;
  int (*resize)(Context *, void *, Ints *);
  void (*report)(Context *, const char *, ...);
  int (*add_tensors)(Context *, int, int *);
  int (*node)(Context *, int, NodeHead **, Registration **);
  int (*replace)(Context *, Registration, const Ints *, void *);
};
typedef struct Delegate {
  void *data;
  int (*prepare)(Context *, struct Delegate *);
  void *copy_from, *copy_to, *free_handle;
  int64_t flags;
  void *opaque;
} Delegate;

static char mode[16];
static long left = -1;

static int copy(TensorHead *from, TensorHead *to) {
  if (left == 0) return FAILED;
  if (left > 0) left--;
  memcpy(to->data, from->data, to->bytes);
  if (!strcmp(mode, "wrong"))
    for (size_t i = 0; i < to->bytes; i++) ((unsigned char *)to->data)[i] += 3;
  return OK;
}

static size_t tensor_size; /* distance of two tensors in the interpreter's array, an option: it differs between versions */
static TensorHead *tensor(Context *context, int index) { return (TensorHead *)(context->tensors + index * tensor_size); }
static int invoke(Context *context, NodeHead *node) {
  TensorHead *to = tensor(context, node->outputs->data[0]);
  for (int i = 0; i < node->inputs->size; i++) { /* the other input is the shape */
    TensorHead *from = tensor(context, node->inputs->data[i]);
    if (from->bytes == to->bytes && from->type == to->type) return copy(from, to);
  }
  return FAILED;
}
static int ready(Context *context, NodeHead *node) { return OK; }
static void *begin(Context *context, const char *buffer, size_t length) { return NULL; }
static void end(Context *context, void *data) {}

static int offer(Context *context, Delegate *self) {
  if (!strcmp(mode, "crash")) abort();
  if (!strcmp(mode, "refuse")) return FAILED;
  if (!strcmp(mode, "idle")) return OK;
  Ints *plan;
  if (context->execution_plan(context, &plan)) return FAILED;
  int size = plan->size;
  Ints *taken = malloc(sizeof(Ints) + size * sizeof(int));
  taken->size = 0;
  for (int i = 0; i < size; i++) {
    NodeHead *node;
    Registration *registration;
    if (context->node(context, plan->data[i], &node, &registration)) return FAILED;
    if (registration->builtin_code == RESHAPE) taken->data[taken->size++] = plan->data[i];
  }
  Registration mine = {begin, end, ready, invoke, NULL, 0, "TestAccelerator", 1, NULL, NULL, 0};
  int status = taken->size ? context->replace(context, mine, taken, self) : FAILED;
  free(taken);
  return status;
}

void *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
  Delegate *delegate = calloc(1, sizeof(Delegate));
  left = -1; /* of the library, as the option is of the newest delegate */
  for (size_t i = 0; i < count; i++) {
    if (!strcmp(keys[i], "mode")) strncpy(mode, values[i], sizeof(mode) - 1);
    else if (!strcmp(keys[i], "calls")) left = atol(values[i]);
    else if (!strcmp(keys[i], "tensor_size")) tensor_size = atol(values[i]);
    else { report("no such option"); free(delegate); return NULL; }
  }
  delegate->prepare = offer;
  return delegate;
}

void tflite_plugin_destroy_delegate(void *delegate) { free(delegate); }
