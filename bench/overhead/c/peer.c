// TensorFlow Lite with XNNPACK called from C: peer MODEL INPUT THREADS. See bench/internal/turns for what it says and is told.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <tensorflow/lite/c/c_api.h>
#include <tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h>

static void* contents(const char* path, size_t* size) {
  FILE* f = fopen(path, "rb");
  if (f == NULL) return NULL;
  fseek(f, 0, SEEK_END);
  *size = (size_t)ftell(f);
  rewind(f);
  void* data = malloc(*size);
  size_t got = fread(data, 1, *size, f);
  fclose(f);
  return got == *size ? data : NULL;
}

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  size_t model_size, input_size;
  void *model_data = contents(argv[1], &model_size), *input = contents(argv[2], &input_size);
  if (model_data == NULL || input == NULL) return 1;
  TfLiteModel* model = TfLiteModelCreate(model_data, model_size);
  TfLiteInterpreterOptions* options = TfLiteInterpreterOptionsCreate();
  TfLiteInterpreterOptionsSetNumThreads(options, atoi(argv[3]));
  TfLiteXNNPackDelegateOptions xnnpack = TfLiteXNNPackDelegateOptionsDefault();
  xnnpack.num_threads = atoi(argv[3]);
  TfLiteInterpreterOptionsAddDelegate(options, TfLiteXNNPackDelegateCreate(&xnnpack));
  TfLiteInterpreter* interpreter = TfLiteInterpreterCreate(model, options);
  if (interpreter == NULL || TfLiteInterpreterAllocateTensors(interpreter) != kTfLiteOk) return 1;
  if (TfLiteTensorCopyFromBuffer(TfLiteInterpreterGetInputTensor(interpreter, 0), input, input_size) != kTfLiteOk) return 1;
  for (int i = 0; i < 100; i++) {
    if (TfLiteInterpreterInvoke(interpreter) != kTfLiteOk) return 1;
  }
  const TfLiteTensor* output = TfLiteInterpreterGetOutputTensor(interpreter, 0);
  printf("ready C: ");
  for (size_t i = 0; i < TfLiteTensorByteSize(output); i++) printf("%02x", ((unsigned char*)TfLiteTensorData(output))[i]);
  printf("\n");
  fflush(stdout);

  int n;
  while (scanf("%d", &n) == 1) {
    long long* took = malloc((size_t)n * sizeof *took);
    for (int i = 0; i < n; i++) {
      long long start = now();
      TfLiteInterpreterInvoke(interpreter);
      took[i] = now() - start;
    }
    for (int i = 0; i < n; i++) printf("%lld ", took[i]);
    printf("\n");
    fflush(stdout);
    free(took);
  }
  return 0;
}
