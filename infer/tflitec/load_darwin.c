//go:build tflite

// Here the system loads the library when the program starts.

#include "load.h"

// The C API has no switch for the library's log, only for an interpreter's errors. This is
// tflite::logging_internal::MinimalLogger::SetMinimumLogSeverity, which a library may lack.
extern int set_minimum_severity(int severity) __asm__(
    "__ZN6tflite16logging_internal13MinimalLogger21SetMinimumLogSeverityENS_11LogSeverityE") __attribute__((weak));

int mnet_load(const char* path, char* text, size_t size) {
  enum { warning = 2 };
  if (set_minimum_severity) set_minimum_severity(warning);
  return 1;
}
