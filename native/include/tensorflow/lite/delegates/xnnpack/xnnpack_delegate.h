// XNNPACK's delegate in TensorFlow Lite 2.20. See ../../c/c_api.h.
#ifndef MNET_EDGE_TFLITE_XNNPACK_DELEGATE_H
#define MNET_EDGE_TFLITE_XNNPACK_DELEGATE_H

#include <tensorflow/lite/c/c_api.h>

enum {
  TFLITE_XNNPACK_DELEGATE_FLAG_QS8 = 1,  // takes int8 operators
  TFLITE_XNNPACK_DELEGATE_FLAG_QU8 = 2,  // takes uint8 operators
};

// The options are passed by value, so the size is part of the ABI: 56 bytes where pointers have 8.
typedef struct TfLiteXNNPackDelegateOptions {
  int32_t num_threads;
  uint32_t runtime_flags;
  uint32_t flags;  // default: QS8 | QU8
  void* weights_cache;
  bool handle_variable_ops;
  const char* weight_cache_file_path;
  int weight_cache_file_descriptor;
  void* weight_cache_provider;
} TfLiteXNNPackDelegateOptions;

#if defined(__LP64__)
_Static_assert(sizeof(TfLiteXNNPackDelegateOptions) == 56, "options of another TensorFlow Lite version");
#endif

TfLiteXNNPackDelegateOptions TfLiteXNNPackDelegateOptionsDefault(void);
TfLiteDelegate* TfLiteXNNPackDelegateCreate(const TfLiteXNNPackDelegateOptions* options);
void TfLiteXNNPackDelegateDelete(TfLiteDelegate* delegate);

#endif
