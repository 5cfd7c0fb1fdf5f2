//go:build cgo && linux && (amd64 || arm64)

// Package allocator keeps large aligned pieces of memory for the next of their size, for libraries in C that ask for the same ones over and over.
//
// A training step of XLA on a CPU asks the C library for some 2,500 pieces of 64 KiB and more, and one or two of up to half a gigabyte, and frees them. glibc
// looks for each among what lies free, and what it finds was last used by someone else: not in a cache, or given back to the system
// meanwhile and to be cleared anew, page by page. Here the piece that was freed last is the next one of its size, in huge pages that stay.
// docs/decisions/0004-training-step.md has what that is worth.
//
// It replaces malloc and its kin in the whole process, in libraries that are loaded later too. Until Use is called, which training does, and for small pieces, they do what
// glibc's do. Another allocator that is preloaded serves nobody in the program; and a program that is linked statically with glibc has two of each and is refused by the linker.
package allocator

// #cgo LDFLAGS: -ldl
// #include "allocator.h"
// #include <malloc.h>
// #include <stdlib.h>
import "C"

import "unsafe"

// Use has pieces of 32 KiB and more that are asked for with an alignment kept from now on. Of those above 1 MiB all that lie free are given back to the system when
// more of some such size are wanted at once than ever before; smaller ones are kept for good.
func Use() { C.allocator_use() }

// Held returns how much memory is kept or handed out, in bytes.
func Held() uint64 { return uint64(C.allocator_held()) }

// What follows is for tests, which have no cgo of their own.

func aligned(align, size int) unsafe.Pointer {
	var p unsafe.Pointer
	if C.posix_memalign(&p, C.size_t(align), C.size_t(size)) != 0 {
		return nil
	}
	return p
}

func alignedAlloc(align, size int) unsafe.Pointer {
	return C.aligned_alloc(C.size_t(align), C.size_t(size))
}

func memalign(align, size int) unsafe.Pointer { return C.memalign(C.size_t(align), C.size_t(size)) }

func usable(p unsafe.Pointer) int { return int(C.malloc_usable_size(p)) }

func replaces() bool { return C.allocator_replaces() != 0 }

func free(p unsafe.Pointer) { C.free(p) }

func resized(p unsafe.Pointer, size int) unsafe.Pointer { return C.realloc(p, C.size_t(size)) }

func owns(p unsafe.Pointer) bool { return C.allocator_owns(p) != 0 }
