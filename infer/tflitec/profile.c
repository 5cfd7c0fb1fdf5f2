//go:build tflite

#define _POSIX_C_SOURCE 199309L  // clock_gettime

#include "profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static mnet_event* next(TfLiteTelemetryProfilerStruct* p, const char* name, int64_t node, int delegated) {
  mnet_watcher* w = (mnet_watcher*)p;
  if (w->count == sizeof w->events / sizeof w->events[0]) return NULL;
  mnet_event* e = &w->events[w->count++];
  if (e->node != node || e->name[0] == 0) snprintf(e->name, sizeof e->name, "%s", name);  // the same in every call
  e->node = node;
  e->delegated = delegated;
  e->ns = 0;
  return e;
}

static uint32_t begin(TfLiteTelemetryProfilerStruct* p, const char* name, int64_t node, int64_t subgraph) {
  mnet_event* e = next(p, name, node, 0);
  if (e == NULL) return UINT32_MAX;
  e->began = now();
  return (uint32_t)(e - ((mnet_watcher*)p)->events);
}

static void end(TfLiteTelemetryProfilerStruct* p, uint32_t handle) {
  uint64_t t = now();
  if (handle == UINT32_MAX) return;
  mnet_event* e = &((mnet_watcher*)p)->events[handle];
  e->ns = t - e->began;
}

static void delegated(TfLiteTelemetryProfilerStruct* p, const char* name, uint64_t us, int64_t op, int64_t subgraph) {
  mnet_event* e = next(p, name, op, 1);
  if (e != NULL) e->ns = us * 1000;
}

static void ignore_event(TfLiteTelemetryProfilerStruct* p, const char* event, uint64_t status) {}
static void ignore_op_event(TfLiteTelemetryProfilerStruct* p, const char* event, int64_t op, int64_t subgraph,
                            uint64_t status) {}
static void ignore_settings(TfLiteTelemetryProfilerStruct* p, const char* setting, const void* settings) {}

mnet_watcher* mnet_watcher_new(void) {
  mnet_watcher* w = calloc(1, sizeof *w);
  if (w == NULL) return NULL;
  w->self = (TfLiteTelemetryProfilerStruct){
      .ReportTelemetryEvent = ignore_event,
      .ReportTelemetryOpEvent = ignore_op_event,
      .ReportSettings = ignore_settings,
      .ReportBeginOpInvokeEvent = begin,
      .ReportEndOpInvokeEvent = end,
      .ReportOpInvokeEvent = delegated,
  };
  return w;
}

void mnet_watch(TfLiteInterpreterOptions* options, mnet_watcher* w) {
  TfLiteInterpreterOptionsSetTelemetryProfiler(options, &w->self);
}
