//go:build linux && (amd64 || arm64)

// The functions of the C library that hand out memory and take it back, for the whole process: the dynamic linker finds the program's before the
// library's. All of them are replaced, those too that only pass on: another allocator that is preloaded would else hand out what free here does not know.

#define _GNU_SOURCE
#include "allocator.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifdef __GLIBC__ // another library has no names of its own for the functions replaced here

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t each);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
void *__libc_memalign(size_t align, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

#define SLAB_BITS 21 // a huge page
#define SLAB ((size_t)1 << SLAB_BITS)
#define SLABS ((size_t)1 << 16) // address space set aside: 128 GiB
#define LEAST_BITS 15
#define LEAST ((size_t)1 << LEAST_BITS)             // smaller pieces are the C library's, which has them by thread
#define CLASSES (4 * (SLAB_BITS - 1 - LEAST_BITS) + 1) // sizes of pieces that share a slab: four from each power of two to the next, up to half a slab
#define MOST_ALIGN 4096                             // what every piece is aligned to: classes are multiples of 8 KiB
#define SPAN CLASSES                                // the class of a piece that has slabs of its own

// What is known of a slab is kept beside it, and not in it, since what is free gives its pages back.
static uint8_t class_of[SLABS];
static uint32_t length[SLABS];  // of the span that begins here, in slabs
static uint32_t behind[SLABS];  // the free span behind this one in the list, as its number + 1
static uint8_t returned[SLABS]; // 1: the pages of the free span that begins here are the system's

static char *begin, *end;   // the address space set aside; empty until it is used
static size_t used;         // slabs of it that are or were in use, from the beginning on
static size_t given;        // slabs whose pages were given back
static uint32_t free_spans; // the first one's number + 1
static pthread_mutex_t slabs_lock = PTHREAD_MUTEX_INITIALIZER;

struct piece {
	struct piece *next;
};

static struct {
	pthread_mutex_t lock;
	struct piece *free; // the one that was given back last comes first: it may still be in a cache
} classes[CLASSES] = {[0 ... CLASSES - 1] = {PTHREAD_MUTEX_INITIALIZER, 0}};

static size_t class_size(int class) { return (4 + (size_t)class % 4) << (LEAST_BITS - 2 + class / 4); }

// class_for is the smallest class that size fits into.
static int class_for(size_t size) {
	if (size <= LEAST) return 0;
	int power = 63 - __builtin_clzll(size - 1);
	return 4 * (power - LEAST_BITS) + (int)((size - 1) >> (power - 2) & 3) + 1;
}

// ours is asked by threads that know nothing of allocator_use: an end is the last thing it writes.
static int ours(void *p) { return (char *)p < __atomic_load_n(&end, __ATOMIC_ACQUIRE) && (char *)p >= begin; }

static size_t slab_of(void *p) { return (size_t)((char *)p - begin) >> SLAB_BITS; }

// give_back gives the pages of all free spans back to the system.
static void give_back(void) {
	for (uint32_t s = free_spans; s; s = behind[s - 1]) {
		if (returned[s - 1]) continue;
		madvise(begin + (s - 1) * SLAB, length[s - 1] * SLAB, MADV_DONTNEED);
		returned[s - 1] = 1;
		given += length[s - 1];
	}
}

// take_span returns n slabs side by side, those of that number that were freed last, or new ones; nothing where there is no address left: spans are neither
// split nor joined, so that each new size uses some up. Where more of a large size are wanted than ever before the work has changed, and what lies free is of before.
static char *take_span(size_t n, int class) {
	char *span = 0;
	pthread_mutex_lock(&slabs_lock);
	for (uint32_t *s = &free_spans; *s; s = &behind[*s - 1]) {
		size_t slab = *s - 1;
		if (length[slab] != n) continue;
		*s = behind[slab];
		if (returned[slab]) given -= n;
		span = begin + slab * SLAB;
		break;
	}
	if (!span && class == SPAN) give_back();
	if (!span && n <= SLABS - 1 - used) {
		char *fresh = begin + used * SLAB;
		if (!mprotect(fresh, n * SLAB, PROT_READ | PROT_WRITE)) {
			madvise(fresh, n * SLAB, MADV_HUGEPAGE);
			used += n;
			span = fresh;
		}
	}
	if (span) {
		size_t slab = slab_of(span);
		class_of[slab] = (uint8_t)class;
		length[slab] = (uint32_t)n;
		returned[slab] = 0;
	}
	pthread_mutex_unlock(&slabs_lock);
	return span;
}

static void free_span(size_t slab) {
	pthread_mutex_lock(&slabs_lock);
	behind[slab] = free_spans;
	free_spans = (uint32_t)slab + 1;
	pthread_mutex_unlock(&slabs_lock);
}

// take returns a piece of at least size bytes, 0 where there is none.
static void *take(size_t size) {
	if (size > SLAB / 2) return take_span((size + SLAB - 1) >> SLAB_BITS, SPAN);
	int class = class_for(size);
	pthread_mutex_lock(&classes[class].lock);
	if (!classes[class].free) {
		char *slab = take_span(1, class);
		size_t each = class_size(class);
		for (size_t at = SLAB / each; slab && at-- > 0;) {
			struct piece *p = (struct piece *)(slab + at * each);
			p->next = classes[class].free;
			classes[class].free = p;
		}
	}
	struct piece *p = classes[class].free;
	if (p) classes[class].free = p->next;
	pthread_mutex_unlock(&classes[class].lock);
	return p;
}

static void give(void *p) {
	size_t slab = slab_of(p);
	int class = class_of[slab];
	if (class == SPAN) {
		free_span(slab);
		return;
	}
	pthread_mutex_lock(&classes[class].lock);
	((struct piece *)p)->next = classes[class].free;
	classes[class].free = p;
	pthread_mutex_unlock(&classes[class].lock);
}

static size_t size_of(void *p) {
	size_t slab = slab_of(p);
	return class_of[slab] == SPAN ? length[slab] * SLAB : class_size(class_of[slab]);
}

static void *aligned(size_t align, size_t size) {
	if (size >= LEAST && size < SLABS * SLAB && align <= MOST_ALIGN && __atomic_load_n(&end, __ATOMIC_ACQUIRE)) {
		void *p = take(size);
		if (p) return p;
	}
	return __libc_memalign(align, size);
}

int posix_memalign(void **p, size_t align, size_t size) {
	if (align % sizeof(void *) || align == 0 || align & (align - 1)) return EINVAL;
	void *got = aligned(align, size);
	if (!got) return ENOMEM;
	*p = got;
	return 0;
}

void *malloc(size_t size) { return __libc_malloc(size); }

void *calloc(size_t n, size_t each) { return __libc_calloc(n, each); }

void *valloc(size_t size) { return __libc_valloc(size); }

void *pvalloc(size_t size) { return __libc_pvalloc(size); }

void *aligned_alloc(size_t align, size_t size) { return aligned(align, size); }

void *memalign(size_t align, size_t size) { return aligned(align, size); }

void free(void *p) {
	if (ours(p)) {
		give(p);
	} else {
		__libc_free(p);
	}
}

void *realloc(void *p, size_t size) {
	if (!ours(p)) return __libc_realloc(p, size);
	void *other = 0;
	if (size) {
		if (!(other = malloc(size))) return 0;
		memcpy(other, p, size < size_of(p) ? size : size_of(p));
	}
	give(p);
	return other;
}

size_t malloc_usable_size(void *p) {
	if (ours(p)) return size_of(p);
	static size_t (*of_library)(void *);
	if (!of_library) of_library = (size_t(*)(void *))dlsym(RTLD_NEXT, "malloc_usable_size");
	return of_library ? of_library(p) : 0;
}

void allocator_use(void) {
	pthread_mutex_lock(&slabs_lock);
	if (!end) {
		char *space = mmap(0, SLABS * SLAB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (space != MAP_FAILED) { // else all stays with the C library
			begin = (char *)(((uintptr_t)space + SLAB - 1) & ~(uintptr_t)(SLAB - 1));
			__atomic_store_n(&end, begin + (SLABS - 1) * SLAB, __ATOMIC_RELEASE);
		}
	}
	pthread_mutex_unlock(&slabs_lock);
}

size_t allocator_held(void) {
	pthread_mutex_lock(&slabs_lock);
	size_t held = (used - given) * SLAB;
	pthread_mutex_unlock(&slabs_lock);
	return held;
}

int allocator_owns(void *p) { return ours(p); }

int allocator_replaces(void) { return 1; }

#else

void allocator_use(void) {}
size_t allocator_held(void) { return 0; }
int allocator_owns(void *p) { return 0; }
int allocator_replaces(void) { return 0; }

#endif
