// The experimental C API that go-tflite refers to. mnet-edge itself calls none of it. See c_api.h.
#ifndef MNET_EDGE_TFLITE_C_API_EXPERIMENTAL_H
#define MNET_EDGE_TFLITE_C_API_EXPERIMENTAL_H

#include <tensorflow/lite/c/c_api.h>
#include <tensorflow/lite/c/common.h>

typedef enum { kTfLiteBuiltinDelegate = 51 } TfLiteBuiltinOperator;

TfLiteStatus TfLiteInterpreterResetVariableTensors(TfLiteInterpreter* interpreter);
void TfLiteInterpreterOptionsAddBuiltinOp(TfLiteInterpreterOptions* options, TfLiteBuiltinOperator op,
                                          const TfLiteRegistration* registration, int32_t min_version,
                                          int32_t max_version);
void TfLiteInterpreterOptionsAddCustomOp(TfLiteInterpreterOptions* options, const char* name,
                                         const TfLiteRegistration* registration, int32_t min_version,
                                         int32_t max_version);
void TfLiteInterpreterOptionsSetUseNNAPI(TfLiteInterpreterOptions* options, bool enable);

#endif
