// The experimental C API that go-tflite refers to; mnet-edge itself calls the last function alone. See c_api.h.
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

// What is told of operators as they run. All functions must be set; they are called on the thread that invokes.
typedef struct TfLiteTelemetryProfilerStruct {
  void* data;
  void (*ReportTelemetryEvent)(struct TfLiteTelemetryProfilerStruct* profiler, const char* event, uint64_t status);
  void (*ReportTelemetryOpEvent)(struct TfLiteTelemetryProfilerStruct* profiler, const char* event, int64_t op,
                                 int64_t subgraph, uint64_t status);
  void (*ReportSettings)(struct TfLiteTelemetryProfilerStruct* profiler, const char* setting, const void* settings);
  // The runtime's own kernel for node op begins; the result comes back at its end.
  uint32_t (*ReportBeginOpInvokeEvent)(struct TfLiteTelemetryProfilerStruct* profiler, const char* name, int64_t op,
                                       int64_t subgraph);
  void (*ReportEndOpInvokeEvent)(struct TfLiteTelemetryProfilerStruct* profiler, uint32_t handle);
  // A delegate took some microseconds for its operator op, counted from 0 in each of its kernels.
  void (*ReportOpInvokeEvent)(struct TfLiteTelemetryProfilerStruct* profiler, const char* name, uint64_t elapsed,
                              int64_t op, int64_t subgraph);
} TfLiteTelemetryProfilerStruct;

void TfLiteInterpreterOptionsSetTelemetryProfiler(TfLiteInterpreterOptions* options,
                                                  TfLiteTelemetryProfilerStruct* profiler);

#endif
