//go:build tflite

#include "observe.h"

#include <stdio.h>
#include <stdlib.h>

static TfLiteStatus count_nodes(TfLiteContext* context, int* nodes, int* delegated) {
  TfLiteIntArray* plan = NULL;
  TfLiteStatus status = context->GetExecutionPlan(context, &plan);
  if (status != kTfLiteOk) return status;
  *nodes = plan->size;
  *delegated = 0;
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode* node = NULL;
    TfLiteRegistration* registration = NULL;
    status = context->GetNodeAndRegistration(context, plan->data[i], &node, &registration);
    if (status != kTfLiteOk) return status;
    if (registration->builtin_code == kTfLiteBuiltinDelegate) ++*delegated;
  }
  return kTfLiteOk;
}

// list_places notes the plan's nodes, none of which anyone has taken yet.
static TfLiteStatus list_places(TfLiteContext* context, mnet_observer* o) {
  TfLiteIntArray* plan = NULL;
  TfLiteStatus status = context->GetExecutionPlan(context, &plan);
  if (status != kTfLiteOk) return status;
  free(o->places);
  o->places = calloc((size_t)plan->size + 1, sizeof *o->places);
  if (o->places == NULL) return kTfLiteError;
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode* node = NULL;
    TfLiteRegistration* registration = NULL;
    status = context->GetNodeAndRegistration(context, plan->data[i], &node, &registration);
    if (status != kTfLiteOk) return status;
    mnet_place* p = &o->places[i];
    p->node = plan->data[i];
    p->partition = -1;
  }
  return kTfLiteOk;
}

// find_partitions completes the places by the kernels that a delegate has put into the plan.
static TfLiteStatus find_partitions(TfLiteContext* context, mnet_observer* o) {
  TfLiteIntArray* plan = NULL;
  TfLiteStatus status = context->GetExecutionPlan(context, &plan);
  int partition = 0;
  for (int i = 0; status == kTfLiteOk && i < plan->size; i++) {
    TfLiteNode* node = NULL;
    TfLiteRegistration* registration = NULL;
    status = context->GetNodeAndRegistration(context, plan->data[i], &node, &registration);
    if (status != kTfLiteOk || registration->builtin_code != kTfLiteBuiltinDelegate) continue;
    TfLiteIntArray* replaced = ((TfLiteDelegateParams*)node->builtin_data)->nodes_to_replace;
    for (int k = 0; k < replaced->size; k++) {
      for (int j = 0; j < o->total; j++) {
        if (o->places[j].node == replaced->data[k]) o->places[j].partition = partition;
      }
    }
    partition++;
  }
  return status;
}

// prepare runs while the interpreter is built, the one time at which the context lets the plan be read.
static TfLiteStatus prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
  mnet_observer* o = (mnet_observer*)delegate;
  int before = 0;
  TfLiteStatus status = count_nodes(context, &o->total, &before);
  if (status == kTfLiteOk) status = list_places(context, o);
  if (status == kTfLiteOk && o->inner != NULL) status = o->inner->Prepare(context, o->inner);
  if (status == kTfLiteOk) status = find_partitions(context, o);
  if (status == kTfLiteOk) status = count_nodes(context, &o->remaining, &o->partitions);
  o->partitions -= before;
  return status;
}

mnet_observer* mnet_observer_new(TfLiteDelegate* inner) {
  // A delegate made by an opaque builder keeps its functions there; TFLite 2.20's XNNPACK is not one.
  if (inner != NULL && (inner->Prepare == NULL || inner->opaque_delegate_builder != NULL)) return NULL;
  mnet_observer* o = calloc(1, sizeof *o);
  if (o == NULL) return NULL;
  if (inner != NULL) {
    o->self = *inner;
  } else {
    o->self.flags = kTfLiteDelegateFlagsAllowDynamicTensors;  // so that the runtime asks nothing of the graph
  }
  o->self.Prepare = prepare;
  o->inner = inner;
  return o;
}

void mnet_observer_free(mnet_observer* o) {
  free(o->places);
  free(o);
}

static void report(void* user_data, const char* format, va_list args) {
  mnet_log* log = user_data;
  size_t room = sizeof log->text - log->used;
  int n = vsnprintf(log->text + log->used, room, format, args);
  if (n < 0) return;
  log->used += (size_t)n < room ? (size_t)n : room - 1;
  if (log->used + 1 < sizeof log->text) {
    log->text[log->used++] = '\n';
    log->text[log->used] = 0;
  }
}

TfLiteModel* mnet_model_new(const void* data, size_t size, mnet_log* log) {
  return TfLiteModelCreateWithErrorReporter(data, size, report, log);
}

void mnet_log_to(TfLiteInterpreterOptions* options, mnet_log* log) {
  TfLiteInterpreterOptionsSetErrorReporter(options, report, log);
}
