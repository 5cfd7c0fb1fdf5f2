// Types of the TensorFlow Lite C API, as far as mnet-edge and go-tflite use them. See c_api.h.
#ifndef MNET_EDGE_TFLITE_C_API_TYPES_H
#define MNET_EDGE_TFLITE_C_API_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 } TfLiteStatus;

// Element types; the values are the library's, those left out are not used here.
typedef enum {
  kTfLiteNoType = 0,
  kTfLiteFloat32 = 1,
  kTfLiteInt32 = 2,
  kTfLiteUInt8 = 3,
  kTfLiteInt64 = 4,
  kTfLiteInt16 = 7,
  kTfLiteInt8 = 9,
} TfLiteType;

// real = scale * (q - zero_point)
typedef struct TfLiteQuantizationParams {
  float scale;
  int32_t zero_point;
} TfLiteQuantizationParams;

#endif
