#ifndef MNET_EDGE_PLUGIN_H
#define MNET_EDGE_PLUGIN_H

#include <stddef.h>
#include <tensorflow/lite/c/c_api.h>

// mnet_plugin is a delegate out of a library that was loaded at run time.
typedef struct {
  void* library;
  TfLiteDelegate* delegate;
  void (*destroy)(TfLiteDelegate*);
} mnet_plugin;

// The two kinds of entry points: an external delegate's, which take options and say why they fail, and those of the GPU
// delegate, which take a struct that may be NULL.
enum { mnet_plugin_external, mnet_plugin_gpu };

// mnet_plugin_open loads the library and makes the delegate. On failure it returns 0 and the reason in text; only one
// call at a time, since an external delegate reports errors to a function without user data.
int mnet_plugin_open(mnet_plugin* p, int kind, const char* path, char** keys, char** values, size_t n, char* text, size_t size);
void mnet_plugin_close(mnet_plugin* p);

#endif
