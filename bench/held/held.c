// A library that, preloaded, hides AVX-512 (and, with HELD=avx2, AVX-VNNI) from the XNNPACK in TFLite's library, which
// has no option for that: so that the native engine's AVX2 kernels meet their equals on a processor that has more. Both
// run at the processor's own speed; nothing is emulated. make bench-avx2 uses it.
//
// XNNPACK asks the library cpuinfo, whose answers are a structure of bools that TFLite's library exports. This loads that library,
// which the program will find loaded when it asks for it (HELD_LIBRARY: the same file), fills the structure before anybody
// asks, and clears what is to be hidden. The order of the bools is that of struct
// cpuinfo_x86_isa for 64 bits, which is no stable interface: what is known of the processor is checked against it.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AVX_VNNI = 23, AVX2 = 28, AVX512F = 29, AVX512BW = 34, AVX512VL = 35, AVX512VNNI = 41, AVX512_LAST = 46 };

static bool has(int known) { return known != 0; }

__attribute__((constructor)) static void hold(void) {
	const char *held = getenv("HELD"), *path = getenv("HELD_LIBRARY");
	if (!held) return;
	void *library = path ? dlopen(path, RTLD_NOW) : NULL;
	bool (*initialize)(void) = library ? (bool (*)(void))dlsym(library, "cpuinfo_initialize") : NULL;
	bool *isa = library ? (bool *)dlsym(library, "cpuinfo_isa") : NULL;
	if (!initialize || !isa) {
		fprintf(stderr, "held: nothing to hold: %s\n", path ? dlerror() : "HELD_LIBRARY is not set");
		exit(1);
	}
	initialize();
	if (isa[AVX2] != has(__builtin_cpu_supports("avx2")) || isa[AVX512F] != has(__builtin_cpu_supports("avx512f")) ||
	    isa[AVX512BW] != has(__builtin_cpu_supports("avx512bw")) ||
	    isa[AVX512VL] != has(__builtin_cpu_supports("avx512vl")) ||
	    isa[AVX512VNNI] != has(__builtin_cpu_supports("avx512vnni"))) {
		fprintf(stderr, "held: cpuinfo's structure is not the one known\n");
		exit(1);
	}
	memset(isa + AVX512F, 0, AVX512_LAST - AVX512F + 1);
	if (!strcmp(held, "avx2")) isa[AVX_VNNI] = false;
}
