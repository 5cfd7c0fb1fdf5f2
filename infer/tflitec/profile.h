#ifndef MNET_EDGE_PROFILE_H
#define MNET_EDGE_PROFILE_H

#include <tensorflow/lite/c/c_api.h>
#include <tensorflow/lite/c/c_api_experimental.h>

// mnet_event is an operator that ran.
typedef struct {
  char name[64];      // of the kernel, as the runtime or the delegate calls it
  int64_t node;       // the model's node; of a delegate, its own operator counted from 0 in each partition
  int delegated;      // whether a delegate ran it
  uint64_t began, ns; // monotonic time; a delegate's operators are told in whole microseconds
} mnet_event;

// mnet_watcher keeps what ran since count was last set to 0. What finds no room is not kept.
typedef struct {
  TfLiteTelemetryProfilerStruct self;
  size_t count;
  mnet_event events[4096];
} mnet_watcher;

mnet_watcher* mnet_watcher_new(void);
void mnet_watch(TfLiteInterpreterOptions* options, mnet_watcher* w);

#endif
