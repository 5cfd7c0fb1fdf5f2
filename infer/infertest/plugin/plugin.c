// A delegate for TensorFlow Lite as a shared library with the external delegate's entry points, for tests. It takes the
// float32 FULLY_CONNECTED operators of a model and computes them in the plainest way. The option "mode" makes it fail:
//
//	fail              no delegate is made; the error is reported
//	prepare           the delegate refuses the model
//	crash-create, crash-prepare, crash-invoke
//	hang-invoke       never returns
//	wrong             the outputs in reverse order
//	none              it takes nothing
//
// It also has the entry points of TFLite's GPU delegate, which take no options.
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tensorflow/lite/c/c_api_types.h>
#include <tensorflow/lite/c/common.h>

enum { fully_connected = 9 };

typedef struct {
  TfLiteDelegate delegate;  // first
  char mode[32];
} plugin;

static void crash(void) { *(volatile int*)8 = 0; }

static int is(const plugin* p, const char* mode) { return strcmp(p->mode, mode) == 0; }

// A kernel keeps the nodes it stands for: the tensors of each, since the nodes themselves go away.
typedef struct {
  int input, weights, bias, output, activation;
} layer;

typedef struct {
  const plugin* owner;
  int n;
  layer layers[];
} kernel;

static void* kernel_init(TfLiteContext* context, const char* buffer, size_t length) {
  (void)length;
  const TfLiteDelegateParams* params = (const TfLiteDelegateParams*)buffer;
  int n = params->nodes_to_replace->size;
  kernel* k = calloc(1, sizeof *k + (size_t)n * sizeof k->layers[0]);
  k->owner = (const plugin*)params->delegate;
  k->n = n;
  for (int i = 0; i < n; i++) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    context->GetNodeAndRegistration(context, params->nodes_to_replace->data[i], &node, &registration);
    k->layers[i] = (layer){node->inputs->data[0], node->inputs->data[1], node->inputs->size > 2 ? node->inputs->data[2] : -1,
                           node->outputs->data[0], *(const int*)node->builtin_data};
  }
  return k;
}

static void kernel_free(TfLiteContext* context, void* k) {
  (void)context;
  free(k);
}

static TfLiteStatus kernel_prepare(TfLiteContext* context, TfLiteNode* node) {
  (void)context;
  if (is(((kernel*)node->user_data)->owner, "crash-prepare")) crash();
  return kTfLiteOk;
}

static TfLiteStatus kernel_invoke(TfLiteContext* context, TfLiteNode* node) {
  const kernel* k = node->user_data;
  if (is(k->owner, "crash-invoke")) crash();
  if (is(k->owner, "hang-invoke")) for (;;) sleep(1);
  for (int l = 0; l < k->n; l++) {
    const layer* f = &k->layers[l];
    const TfLiteTensor* w = &context->tensors[f->weights];
    const float *x = context->tensors[f->input].data.data, *weights = w->data.data;
    const float* bias = f->bias < 0 ? NULL : context->tensors[f->bias].data.data;
    float* y = context->tensors[f->output].data.data;
    int outputs = w->dims->data[0], inputs = w->dims->data[1];
    int batches = (int)(context->tensors[f->output].bytes / sizeof(float)) / outputs;
    for (int b = 0; b < batches; b++) {
      for (int o = 0; o < outputs; o++) {
        float sum = bias ? bias[o] : 0;
        for (int i = 0; i < inputs; i++) sum += weights[o * inputs + i] * x[b * inputs + i];
        y[b * outputs + (is(k->owner, "wrong") ? outputs - 1 - o : o)] = sum;
      }
    }
  }
  return kTfLiteOk;
}

// takes says whether a node is one the kernel computes: float32, no fused activation.
static int takes(TfLiteContext* context, int index) {
  TfLiteNode* node;
  TfLiteRegistration* registration;
  if (context->GetNodeAndRegistration(context, index, &node, &registration) != kTfLiteOk) return 0;
  if (registration->builtin_code != fully_connected || *(const int*)node->builtin_data != 0) return 0;
  return context->tensors[node->inputs->data[0]].type == kTfLiteFloat32 &&
         context->tensors[node->inputs->data[1]].type == kTfLiteFloat32;
}

static TfLiteStatus delegate_prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
  const plugin* p = (const plugin*)delegate;
  if (is(p, "prepare")) {
    context->ReportError(context, "this plugin never likes a model");
    return kTfLiteError;
  }
  TfLiteIntArray* plan;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return kTfLiteError;
  TfLiteIntArray* nodes = malloc(sizeof *nodes + (size_t)plan->size * sizeof(int));
  nodes->size = 0;
  for (int i = 0; i < plan->size; i++) {
    if (!is(p, "none") && takes(context, plan->data[i])) nodes->data[nodes->size++] = plan->data[i];
  }
  TfLiteRegistration r = {.init = kernel_init, .free = kernel_free, .prepare = kernel_prepare, .invoke = kernel_invoke,
                          .builtin_code = 51 /* a delegate */, .custom_name = "plugin", .version = 1};
  TfLiteStatus status = context->ReplaceNodeSubsetsWithDelegateKernels(context, r, nodes, delegate);
  free(nodes);
  return status;
}

TfLiteDelegate* tflite_plugin_create_delegate(char** keys, char** values, size_t n, void (*report_error)(const char*)) {
  plugin* p = calloc(1, sizeof *p);
  for (size_t i = 0; i < n; i++) {
    if (strcmp(keys[i], "mode") == 0) strncpy(p->mode, values[i], sizeof p->mode - 1);
  }
  if (is(p, "crash-create")) crash();
  if (is(p, "fail")) {
    report_error("this plugin was told to fail");
    free(p);
    return NULL;
  }
  p->delegate.Prepare = delegate_prepare;
  p->delegate.flags = kTfLiteDelegateFlagsAllowDynamicTensors;
  return &p->delegate;
}

void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) { free(delegate); }

TfLiteDelegate* TfLiteGpuDelegateV2Create(const void* options) {
  (void)options;
  return tflite_plugin_create_delegate(NULL, NULL, 0, NULL);
}

void TfLiteGpuDelegateV2Delete(TfLiteDelegate* delegate) { tflite_plugin_destroy_delegate(delegate); }
