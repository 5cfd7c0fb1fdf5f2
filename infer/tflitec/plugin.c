//go:build tflite

#include "plugin.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

typedef TfLiteDelegate* (*create_external)(char** keys, char** values, size_t n, void (*report_error)(const char*));
typedef TfLiteDelegate* (*create_gpu)(const void* options);

static char reported[512];

static void report_error(const char* message) { snprintf(reported, sizeof reported, "%s", message ? message : ""); }

static int failed(mnet_plugin* p, const char* why, const char* fallback, char* text, size_t size) {
  snprintf(text, size, "%s", why && *why ? why : fallback);
  if (p->library) dlclose(p->library);
  memset(p, 0, sizeof *p);
  return 0;
}

int mnet_plugin_open(mnet_plugin* p, int kind, const char* path, char** keys, char** values, size_t n, char* text, size_t size) {
  static const char* names[][2] = {
      {"tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate"},
      {"TfLiteGpuDelegateV2Create", "TfLiteGpuDelegateV2Delete"},
  };
  memset(p, 0, sizeof *p);
  p->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (p->library == NULL) return failed(p, dlerror(), "it could not be loaded", text, size);
  void* create = dlsym(p->library, names[kind][0]);
  *(void**)&p->destroy = dlsym(p->library, names[kind][1]);
  if (create == NULL || p->destroy == NULL) return failed(p, dlerror(), "its entry points are missing", text, size);
  reported[0] = 0;
  if (kind == mnet_plugin_external) {
    p->delegate = ((create_external)create)(keys, values, n, report_error);
  } else {
    p->delegate = ((create_gpu)create)(NULL);
  }
  if (p->delegate == NULL) {
    p->library = NULL;  // which stays loaded: its code has run, and may run still
    return failed(p, reported, "it could not create the delegate", text, size);
  }
  return 1;
}

// The library stays loaded: threads of its own may still run in it.
void mnet_plugin_close(mnet_plugin* p) {
  if (p->delegate) p->destroy(p->delegate);
  memset(p, 0, sizeof *p);
}
