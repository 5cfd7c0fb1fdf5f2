#ifndef MNET_EDGE_OBSERVE_H
#define MNET_EDGE_OBSERVE_H

#include <tensorflow/lite/c/c_api.h>
#include <tensorflow/lite/c/c_api_experimental.h>
#include <tensorflow/lite/c/common.h>

// mnet_log keeps the start of what the runtime reports, a line a message.
typedef struct {
  size_t used;
  char text[1024];
} mnet_log;

// mnet_place says who runs a node of the model.
typedef struct {
  int node;       // its index in the model
  int partition;  // the delegate's piece it is in, -1 for the runtime's own kernel
} mnet_place;

// mnet_observer is a delegate that stands before another (or before none), lets it work and counts the nodes of the
// execution plan before and after.
typedef struct {
  TfLiteDelegate self;  // first: the runtime holds a pointer to it
  TfLiteDelegate* inner;
  int total;       // nodes before
  int remaining;   // nodes after, those of the delegate included
  int partitions;  // nodes of the delegate
  mnet_place* places;  // of the nodes before, in execution order
} mnet_observer;

mnet_observer* mnet_observer_new(TfLiteDelegate* inner);
void mnet_observer_free(mnet_observer* o);

TfLiteModel* mnet_model_new(const void* data, size_t size, mnet_log* log);
void mnet_log_to(TfLiteInterpreterOptions* options, mnet_log* log);

#endif
