// What Go calls of allocator.c.

#include <stddef.h>

// allocator_use has aligned pieces of 32 KiB and more kept for the next of their size, from now on.
void allocator_use(void);

// allocator_held is how much memory is kept or handed out, in bytes.
size_t allocator_held(void);

// allocator_replaces says whether the C library is one whose functions are replaced: glibc.
int allocator_replaces(void);

// allocator_owns says whether a piece is one of those.
int allocator_owns(void *p);
