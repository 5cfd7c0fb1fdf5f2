#ifndef MNET_EDGE_LOAD_H
#define MNET_EDGE_LOAD_H

#include <stddef.h>

// mnet_load loads TensorFlow Lite's C library, and ends its informational messages on stderr. On failure it returns 0 and
// the reason in text; before it has succeeded, no other function of the library may be called.
int mnet_load(const char* path, char* text, size_t size);

#endif
