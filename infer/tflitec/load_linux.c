//go:build tflite

// TensorFlow Lite's C library, loaded when the program runs and not by the system before it starts, so that a program
// whose library is missing still starts. go-tflite, and the rest of this package, call the library's functions by their
// names: each is defined here, and calls the library's through a pointer. An inference is one such call, of some
// nanoseconds.

#define _GNU_SOURCE

#include "load.h"

#include <dlfcn.h>
#include <stdio.h>
#include <tensorflow/lite/c/c_api.h>
#include <tensorflow/lite/c/c_api_experimental.h>
#include <tensorflow/lite/c/common.h>
#include <tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h>

// EACH is every function of the library that this program calls: VALUE(result, name, parameters, arguments), and NONE for
// those without a result.
#define EACH(VALUE, NONE)                                                                                                 \
  VALUE(const char*, TfLiteVersion, (void), ())                                                                           \
  VALUE(TfLiteModel*, TfLiteModelCreate, (const void* data, size_t size), (data, size))                                   \
  VALUE(TfLiteModel*, TfLiteModelCreateFromFile, (const char* path), (path))                                              \
  VALUE(TfLiteModel*, TfLiteModelCreateWithErrorReporter,                                                                 \
        (const void* data, size_t size, mnet_tflite_reporter reporter, void* user), (data, size, reporter, user))         \
  NONE(TfLiteModelDelete, (TfLiteModel * model), (model))                                                                 \
  VALUE(TfLiteInterpreterOptions*, TfLiteInterpreterOptionsCreate, (void), ())                                            \
  NONE(TfLiteInterpreterOptionsDelete, (TfLiteInterpreterOptions * o), (o))                                               \
  NONE(TfLiteInterpreterOptionsSetNumThreads, (TfLiteInterpreterOptions * o, int32_t n), (o, n))                          \
  NONE(TfLiteInterpreterOptionsAddDelegate, (TfLiteInterpreterOptions * o, TfLiteDelegate * d), (o, d))                   \
  NONE(TfLiteInterpreterOptionsSetErrorReporter,                                                                          \
       (TfLiteInterpreterOptions * o, mnet_tflite_reporter reporter, void* user), (o, reporter, user))                    \
  NONE(TfLiteInterpreterOptionsAddBuiltinOp,                                                                              \
       (TfLiteInterpreterOptions * o, TfLiteBuiltinOperator op, const TfLiteRegistration* r, int32_t min, int32_t max),   \
       (o, op, r, min, max))                                                                                              \
  NONE(TfLiteInterpreterOptionsAddCustomOp,                                                                               \
       (TfLiteInterpreterOptions * o, const char* name, const TfLiteRegistration* r, int32_t min, int32_t max),           \
       (o, name, r, min, max))                                                                                            \
  NONE(TfLiteInterpreterOptionsSetUseNNAPI, (TfLiteInterpreterOptions * o, bool use), (o, use))                           \
  NONE(TfLiteInterpreterOptionsSetTelemetryProfiler, (TfLiteInterpreterOptions * o, TfLiteTelemetryProfilerStruct * p),   \
       (o, p))                                                                                                            \
  VALUE(TfLiteInterpreter*, TfLiteInterpreterCreate, (const TfLiteModel* m, const TfLiteInterpreterOptions* o), (m, o))   \
  NONE(TfLiteInterpreterDelete, (TfLiteInterpreter * i), (i))                                                             \
  VALUE(TfLiteStatus, TfLiteInterpreterAllocateTensors, (TfLiteInterpreter * i), (i))                                     \
  VALUE(TfLiteStatus, TfLiteInterpreterInvoke, (TfLiteInterpreter * i), (i))                                              \
  VALUE(TfLiteStatus, TfLiteInterpreterResetVariableTensors, (TfLiteInterpreter * i), (i))                                \
  VALUE(TfLiteStatus, TfLiteInterpreterResizeInputTensor,                                                                 \
        (TfLiteInterpreter * i, int32_t index, const int* dims, int32_t n), (i, index, dims, n))                          \
  VALUE(int32_t, TfLiteInterpreterGetInputTensorCount, (const TfLiteInterpreter* i), (i))                                 \
  VALUE(TfLiteTensor*, TfLiteInterpreterGetInputTensor, (const TfLiteInterpreter* i, int32_t index), (i, index))          \
  VALUE(int32_t, TfLiteInterpreterGetOutputTensorCount, (const TfLiteInterpreter* i), (i))                                \
  VALUE(const TfLiteTensor*, TfLiteInterpreterGetOutputTensor, (const TfLiteInterpreter* i, int32_t index), (i, index))   \
  VALUE(TfLiteTensor*, TfLiteInterpreterGetTensor, (const TfLiteInterpreter* i, int index), (i, index))                   \
  VALUE(TfLiteType, TfLiteTensorType, (const TfLiteTensor* t), (t))                                                       \
  VALUE(int32_t, TfLiteTensorNumDims, (const TfLiteTensor* t), (t))                                                       \
  VALUE(int32_t, TfLiteTensorDim, (const TfLiteTensor* t, int32_t index), (t, index))                                     \
  VALUE(size_t, TfLiteTensorByteSize, (const TfLiteTensor* t), (t))                                                       \
  VALUE(void*, TfLiteTensorData, (const TfLiteTensor* t), (t))                                                            \
  VALUE(const char*, TfLiteTensorName, (const TfLiteTensor* t), (t))                                                      \
  VALUE(TfLiteQuantizationParams, TfLiteTensorQuantizationParams, (const TfLiteTensor* t), (t))                           \
  VALUE(TfLiteStatus, TfLiteTensorCopyFromBuffer, (TfLiteTensor * t, const void* data, size_t size), (t, data, size))     \
  VALUE(TfLiteStatus, TfLiteTensorCopyToBuffer, (const TfLiteTensor* t, void* data, size_t size), (t, data, size))        \
  VALUE(TfLiteXNNPackDelegateOptions, TfLiteXNNPackDelegateOptionsDefault, (void), ())                                    \
  VALUE(TfLiteDelegate*, TfLiteXNNPackDelegateCreate, (const TfLiteXNNPackDelegateOptions* o), (o))                       \
  NONE(TfLiteXNNPackDelegateDelete, (TfLiteDelegate * d), (d))

#define VALUE(result, name, parameters, arguments) \
  static result(*of_##name) parameters;            \
  result name parameters { return of_##name arguments; }
#define NONE(name, parameters, arguments) \
  static void(*of_##name) parameters;     \
  void name parameters { of_##name arguments; }
EACH(VALUE, NONE)
#undef VALUE
#undef NONE

static const struct {
  const char* name;
  void** to;
} functions[] = {
#define VALUE(result, name, parameters, arguments) {#name, (void**)&of_##name},
#define NONE(name, parameters, arguments) {#name, (void**)&of_##name},
    EACH(VALUE, NONE)
#undef VALUE
#undef NONE
};

int mnet_load(const char* path, char* text, size_t size) {
  // Global, as it would be had the system loaded it: a delegate's library may want its functions.
  void* library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  if (library == NULL) {
    snprintf(text, size, "%s", dlerror());
    return 0;
  }
  enum { count = sizeof functions / sizeof functions[0] };
  void* found[count];
  for (int i = 0; i < count; i++) {
    found[i] = dlsym(library, functions[i].name);
    if (found[i] == NULL) {
      snprintf(text, size, "%s: it has no function %s", path, functions[i].name);
      dlclose(library);
      return 0;
    }
  }
  for (int i = 0; i < count; i++) *functions[i].to = found[i];
  // The C API has no switch for the library's log, only for an interpreter's errors. A library may lack this one.
  static const char severity[] = "_ZN6tflite16logging_internal13MinimalLogger21SetMinimumLogSeverityENS_11LogSeverityE";
  enum { warning = 2 };
  int (*set_minimum_severity)(int) = (int (*)(int))dlsym(library, severity);
  if (set_minimum_severity) set_minimum_severity(warning);
  return 1;
}
